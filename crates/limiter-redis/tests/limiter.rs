//! The limiter against a real server, as it comes and goes, and against one whose clock is bent.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, SystemClock};
use activity_status::conformance::{LimiterSubject, Time, check_limiter};
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};
use activity_status_limiter_redis::RedisLimiter;
use servers::{Model, Redis, odd};

mod servers;

const CLOCK: SystemClock = SystemClock::new();

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn sleep(time: Duration) {
    CLOCK.sleep(time).unwrap();
}

fn open(url: &str, calls: u32, window: Duration) -> RedisLimiter {
    RedisLimiter::open(url, "api-key", SlotRules::new(Quota::new(calls, window)).unwrap()).unwrap()
}

fn ask(limiter: &RedisLimiter) -> Result<Result<Permit, Duration>, LimiterError> {
    Ok(match limiter.try_acquire(CallClass::Poll, &CLOCK)? {
        Acquired::Granted(permit) => Ok(permit),
        Acquired::RetryAfter(wait) => Err(wait),
    })
}

/// Waits as told, and through errors, for twenty seconds at the most.
fn take(limiter: &RedisLimiter) -> Permit {
    let started = CLOCK.now();
    loop {
        match ask(limiter) {
            Ok(Ok(permit)) => return permit,
            Ok(Err(wait)) => sleep(wait),
            Err(_) => sleep(ms(20)),
        }
        assert!(CLOCK.now() - started < ms(20_000), "no permit in 20 s");
    }
}

fn answered(limiter: &RedisLimiter, permit: Permit) {
    limiter.settle(permit, Settlement::Answered, &CLOCK).unwrap();
}

/// What a strict server saw: when each call was judged.
#[derive(Default)]
struct Judge(Mutex<Vec<Duration>>);

impl Judge {
    fn call(&self, limiter: &RedisLimiter) {
        let permit = take(limiter);
        self.judge();
        let _ = limiter.settle(permit, Settlement::Answered, &CLOCK);
    }

    fn judge(&self) {
        let mut judged = self.0.lock().unwrap();
        judged.push(CLOCK.now());
    }

    /// Never more in any window, over all that was.
    fn assert_within(&self, calls: usize, window: Duration) {
        let mut judged = self.0.lock().unwrap().clone();
        judged.sort_unstable();
        assert!(judged.len() > calls, "only {} calls", judged.len());
        for some in judged.windows(calls + 1) {
            let span = some[calls] - some[0];
            assert!(span > window, "{} calls within {span:?}: {judged:?}", calls + 1);
        }
    }
}

#[test]
fn the_conformance_suite_two_handles_for_two_machines() {
    let redis = Redis::start(&[]);
    let longest_call = ms(300);
    let open = |store: u32, quota: Quota| {
        let rules = SlotRules::new(quota).unwrap().longest_call(longest_call);
        Box::new(RedisLimiter::open(&redis.url(), &format!("key {store}"), rules).unwrap()) as _
    };
    let subject = LimiterSubject { open: &open, time: Time::Real, window: ms(200), longest_call };
    check_limiter(&subject).unwrap();
}

#[test]
fn a_crowd_on_two_machines_loses_nothing() {
    let redis = Redis::start(&[]);
    let (machines, judge) = ([(); 2].map(|()| open(&redis.url(), 25, ms(300))), Judge::default());
    std::thread::scope(|scope| {
        for caller in 0..64 {
            let (limiter, judge) = (&machines[caller % 2], &judge);
            scope.spawn(move || {
                for _ in 0..3 {
                    let permit = take(limiter);
                    judge.judge();
                    answered(limiter, permit);
                }
            });
        }
    });
    judge.assert_within(25, ms(300));
    sleep(ms(310));
    let left = machines[0].snapshot(&CLOCK).unwrap().unwrap();
    assert_eq!((left.used, left.waiting, left.refused), (0, 0, 0));
}

#[test]
fn from_afar_a_crowd_asks_little() {
    let (model, window, calls) = (Model::start(), ms(500), 96);
    let machines = [(); 2].map(|()| open(&model.url(), 16, window));
    answered(&machines[0], take(&machines[0]));
    sleep(window + ms(10));
    model.set(|state| (state.way, state.asked) = (ms(25), 0));
    std::thread::scope(|scope| {
        for caller in 0..48 {
            let limiter = &machines[caller % 2];
            scope.spawn(move || (0..calls / 48).for_each(|_| answered(limiter, take(limiter))));
        }
    });
    let asked = model.state.lock().unwrap().asked;
    assert!(asked < 4 * calls, "{asked} round trips for {calls} calls: one alone costs 4");
}

#[test]
fn a_server_that_never_ends_its_answer_is_an_error() {
    static SENT: AtomicU64 = AtomicU64::new(0);
    let silent = odd(|stream| {
        sleep(ms(5_000));
        drop(stream);
    });
    let drips = odd(|mut stream| {
        let mut part: &[u8] = b"+";
        while stream.write_all(part).is_ok() {
            part = b"A";
            sleep(ms(50));
        }
    });
    let floods = odd(|mut stream| {
        let mut part: &[u8] = b"$500000000\r\n";
        while stream.write_all(part).is_ok() {
            SENT.fetch_add(part.len() as u64, Ordering::Relaxed);
            part = &[b'A'; 1 << 16];
        }
    });
    for (port, says) in [(silent, "did not answer"), (drips, "did not answer"), (floods, "cannot be read")] {
        for place in ["", "user:password@"] {
            let limiter = open(&format!("redis://{place}127.0.0.1:{port}"), 1, ms(100));
            let (tell, told) = std::sync::mpsc::channel();
            std::thread::spawn(move || tell.send(ask(&limiter).unwrap_err().to_string()));
            let error = told.recv_timeout(ms(10_000)).expect("it ends");
            let on_connecting = says == "did not answer" && !place.is_empty();
            assert!(error.contains(says) || on_connecting, "{error}");
        }
    }
    // What was read, and what the system's own buffers hold.
    assert!(SENT.load(Ordering::Relaxed) < 64 << 20, "{} bytes", SENT.load(Ordering::Relaxed));
}

#[test]
fn a_password_and_a_database_are_used_and_their_errors_say_so() {
    let redis = Redis::start(&["--requirepass", "p@ss#?/word"]);
    let url = |user: &str, password: &str, database: u32| {
        format!("redis://{user}:{password}@127.0.0.1:{}/{database}", redis.port)
    };
    let (good, window) = ("p%40ss%23%3F%2Fword", ms(100));
    for user in ["", "default"] {
        let limiter = open(&url(user, good, 2), 1, window);
        answered(&limiter, take(&limiter));
    }
    let says = |url: String| ask(&open(&url, 1, window)).unwrap_err().to_string();
    assert!(says(url("", "p%40ss", 2)).contains("the user or the password"));
    assert!(says(url("nobody", good, 2)).contains("the user or the password"));
    assert!(says(format!("redis://127.0.0.1:{}", redis.port)).contains("the user or the password"));
    assert!(says(url("", good, 99)).contains("whether that database exists"));
    let older = Model::start();
    older.set(|state| state.error = Some("ERR invalid password".to_owned()));
    assert!(says(format!("redis://:one@127.0.0.1:{}", older.port)).contains("the user or the password"));
}

#[test]
fn an_address_that_would_take_a_password_for_its_host_is_refused() {
    let rules = SlotRules::new(Quota::default()).unwrap();
    for address in ["s3cret#x@host", "user:987#x@host", "s3cret?x@host", "host#s3cret", "host?pass=s3cret"] {
        for scheme in ["redis", "rediss"] {
            let error = RedisLimiter::open(&format!("{scheme}://{address}"), "key", rules).unwrap_err();
            let error = format!("{error} {error:?}");
            assert!(!error.contains("s3cret") && !error.contains("987"), "{error}");
            assert!(error.contains("%23") || cfg!(not(feature = "tls")), "{error}");
        }
    }
}

#[test]
fn a_restart_with_older_data_or_none_holds_everything_for_a_window() {
    let window = ms(2_000);
    for is_saved in [true, false] {
        let mut redis = Redis::start(&[]);
        let judge = Judge::default();
        let limiter = open(&redis.url(), 3, window);
        answered(&limiter, take(&limiter));
        sleep(window + ms(10));
        if is_saved {
            redis.command(&["SAVE"]);
        }
        (0..3).for_each(|_| judge.call(&limiter));
        redis.kill();
        redis.start_again();
        // One that was there before, and one that comes anew.
        for machine in [&limiter, &open(&redis.url(), 3, window)] {
            (0..2).for_each(|_| judge.call(machine));
        }
        judge.assert_within(3, window);
    }
}

#[test]
fn a_replica_is_refused_and_held_once_it_takes_over() {
    let window = ms(1_500);
    let (primary, replica) = (Redis::start(&[]), Redis::start(&[]));
    let judge = Judge::default();
    let limiter = open(&primary.url(), 2, window);
    answered(&limiter, take(&limiter));
    sleep(window + ms(10));
    replica.command(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]);
    while !format!("{:?}", replica.command(&["INFO", "replication"])).contains("master_link_status:up") {
        sleep(ms(20));
    }
    let elsewhere = open(&replica.url(), 2, window);
    let error = ask(&elsewhere).unwrap_err().to_string();
    assert!(error.contains("read-only replica"), "{error}");
    // It no longer hears of the calls that come now.
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    (0..2).for_each(|_| judge.call(&limiter));
    drop(primary);
    let elsewhere = open(&replica.url(), 2, window);
    (0..3).for_each(|_| judge.call(&elsewhere));
    judge.assert_within(2, window);
}

#[test]
fn an_entry_that_is_gone_holds_everything_for_a_window() {
    let redis = Redis::start(&[]);
    let limiter = open(&redis.url(), 2, ms(400));
    let first = ask(&limiter).unwrap().expect_err("who knows what was before");
    assert!(first > ms(390), "{first:?}");
    limiter.leave();
    sleep(first);
    let permit = ask(&limiter).unwrap().unwrap();
    redis.command(&["FLUSHALL"]);
    assert!(ask(&limiter).unwrap().unwrap_err() > ms(390));
    answered(&limiter, permit);
    let name = match redis.command(&["KEYS", "*"]) {
        redis::Value::Array(keys) => keys.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    };
    let name: String = redis::from_redis_value(name).unwrap();
    let redis::Value::Int(expiry) = redis.command(&["PTTL", &name]) else { panic!() };
    assert!(expiry > 25 * 3600 * 1000, "a call may take a day, and a window an hour: {expiry}");
    redis.command(&["SET", &name, "something else"]);
    let error = ask(&limiter).unwrap_err().to_string();
    assert!(error.contains(&name) && error.contains("damaged"), "{error}");
}

#[test]
fn a_silent_server_is_an_error_in_time_and_hears_later_what_it_missed() {
    let redis = Redis::start(&[]);
    let limiter = open(&redis.url(), 1, ms(100));
    let permit = take(&limiter);
    redis.signal("-STOP");
    let started = CLOCK.now();
    let error = limiter.settle(permit, Settlement::Answered, &CLOCK).unwrap_err().to_string();
    assert!(error.contains("did not answer"), "{error}");
    for _ in 0..100 {
        ask(&limiter).unwrap_err();
    }
    limiter.leave();
    limiter.snapshot(&CLOCK).unwrap_err();
    assert!(CLOCK.now() - started < ms(5_000), "100 calls took {:?}", CLOCK.now() - started);
    redis.signal("-CONT");
    // Its lease alone would last for a minute.
    answered(&limiter, take(&limiter));
}

#[test]
fn a_full_server_lets_nothing_out() {
    let redis = Redis::start(&[]);
    let limiter = open(&redis.url(), 5, ms(100));
    answered(&limiter, take(&limiter));
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..3 {
        let error = ask(&limiter).unwrap_err().to_string();
        assert!(error.contains("OOM"), "{error}");
    }
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    answered(&limiter, take(&limiter));
}

#[test]
fn another_quota_is_an_error_that_says_both_until_nothing_is_used() {
    let redis = Redis::start(&[]);
    let (old, new) = (open(&redis.url(), 2, ms(300)), open(&redis.url(), 3, ms(700)));
    let permit = take(&old);
    let error = ask(&new).unwrap_err().to_string();
    assert!(error.contains("2 calls in 300ms") && error.contains("3 in 700ms"), "{error}");
    answered(&old, permit);
    sleep(ms(320));
    assert!(ask(&new).unwrap().unwrap_err() > ms(690), "calls of the last 700 ms are not known");
    answered(&new, take(&new));
    assert!(ask(&old).is_err());
}

#[test]
fn without_the_server_nothing_is_sent() {
    let mut redis = Redis::start(&[]);
    let (limiter, judge) = (open(&redis.url(), 2, ms(700)), Judge::default());
    (0..2).for_each(|_| judge.call(&limiter));
    redis.kill();
    let error = ask(&limiter).unwrap_err().to_string();
    assert!(error.contains(&format!("127.0.0.1:{}", redis.port)), "{error}");
    for _ in 0..50 {
        ask(&limiter).unwrap_err();
        sleep(ms(10));
    }
    redis.start_again();
    (0..3).for_each(|_| judge.call(&limiter));
    judge.assert_within(2, ms(700));
}

#[test]
fn with_a_quota_of_ones_own_calls_go_on_and_no_window_has_more_than_the_larger() {
    let window = ms(600);
    let mut redis = Redis::start(&[]);
    let limiter = open(&redis.url(), 4, window).while_away(Quota::new(2, window)).unwrap();
    let (judge, is_over, calls) = (Judge::default(), AtomicBool::new(false), AtomicU32::new(0));
    let alone = std::thread::scope(|scope| {
        for caller in 0..6 {
            let (limiter, judge, is_over, calls) = (&limiter, &judge, &is_over, &calls);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let permit = take(limiter);
                    // Some are on their way for longer than a window.
                    sleep(ms(if caller == 0 { 700 } else { 30 * caller }));
                    judge.judge();
                    answered(limiter, permit);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut alone = Vec::new();
        for _ in 0..2 {
            sleep(ms(2_000));
            redis.kill();
            sleep(window + ms(100));
            let before = calls.load(Ordering::Relaxed);
            sleep(ms(2_500));
            alone.push(calls.load(Ordering::Relaxed) - before);
            redis.start_again();
        }
        sleep(ms(4_000));
        is_over.store(true, Ordering::Relaxed);
        alone
    });
    assert!(alone.iter().all(|calls| *calls >= 3), "{alone:?} calls while the server was away");
    judge.assert_within(4, window);
    let back = limiter.snapshot(&CLOCK).unwrap().unwrap();
    assert_eq!(back.used + back.free, 4, "it is back on the shared quota: {back:?}");
}

#[test]
fn calls_on_their_way_count_on_the_other_side() {
    let window = ms(300);
    let model = Model::start();
    let away = |is_away: bool| {
        model.set(|state| state.error = is_away.then(|| "LOADING data".to_owned()));
    };
    let limiter = open(&model.url(), 2, window).while_away(Quota::new(2, window)).unwrap();
    let shared = [take(&limiter), take(&limiter)];
    away(true);
    for _ in 0..20 {
        ask(&limiter).unwrap().expect_err("two are on their way");
        sleep(ms(30));
    }
    let [one, two] = shared;
    answered(&limiter, one);
    assert!(ask(&limiter).unwrap().unwrap_err() > ms(290));
    let own = take(&limiter);
    answered(&limiter, two);
    assert_eq!(limiter.snapshot(&CLOCK).unwrap().unwrap().used, 2);

    // Coming back: the call that was made alone is still on its way, so no other goes out.
    away(false);
    sleep(ms(1_050));
    for _ in 0..20 {
        ask(&limiter).unwrap().expect_err("one is on its way");
        sleep(ms(30));
    }
    let other = open(&model.url(), 2, window);
    assert!(other.snapshot(&CLOCK).unwrap().is_some());
    let settled_at = CLOCK.now();
    answered(&limiter, own);
    answered(&limiter, take(&limiter));
    assert!(CLOCK.now() - settled_at > window);
    assert_eq!(other.snapshot(&CLOCK).unwrap().unwrap().used, 1, "the last one was the server's");
}

#[test]
fn a_permit_that_comes_just_before_the_server_goes_counts_on_the_other_side() {
    let (model, window) = (Model::start(), ms(300));
    let limiter = open(&model.url(), 2, window).while_away(Quota::new(2, window)).unwrap();
    answered(&limiter, take(&limiter));
    model.set(|state| state.slow_answer = ms(400));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| ask(&limiter).unwrap().unwrap());
        sleep(ms(200));
        model.set(|state| state.error = Some("LOADING data".to_owned()));
        ask(&limiter).unwrap().unwrap_err();
        let first = first.join().unwrap();
        sleep(ms(320));
        let second = ask(&limiter).unwrap().unwrap();
        ask(&limiter).unwrap().expect_err("two are on their way");
        answered(&limiter, first);
        answered(&limiter, second);
    });
}

#[test]
fn other_machines_hear_of_calls_made_alone() {
    let model = Model::start();
    let (window, rules) = (ms(1_500), Quota::new(2, ms(1_500)));
    let limiter = open(&model.url(), 2, window).while_away(rules).unwrap();
    let other = open(&model.url(), 2, window);
    answered(&limiter, take(&limiter));
    model.set(|state| state.error = Some("LOADING data".to_owned()));
    let wait = ask(&limiter).unwrap().expect_err("within a window of calls of the other kind");
    assert!(wait > ms(1_490), "{wait:?}");
    answered(&limiter, take(&limiter));
    model.set(|state| state.error = None);
    let started = CLOCK.now();
    while other.snapshot(&CLOCK).unwrap().unwrap().used == 0 {
        assert!(CLOCK.now() - started < ms(1_400), "the other machine never heard of it");
        match ask(&limiter).unwrap() {
            // It is asked again once a second.
            Ok(permit) => answered(&limiter, permit),
            Err(wait) => sleep(wait.min(ms(100))),
        }
    }
    ask(&limiter).unwrap().expect_err("within a window of a call made alone");
}

#[test]
fn a_clock_that_was_set_or_another_server_holds_everything_for_a_window() {
    let (window, hour) = (ms(400), Duration::from_secs(3600));
    let bends: [fn(&mut servers::ModelState, Duration); 4] = [
        |state, hour| state.ahead += hour,
        |state, hour| state.ahead -= hour,
        |state, _| state.ahead += ms(300),
        |state, _| state.run_id = "second".to_owned(),
    ];
    for (number, bend) in bends.into_iter().enumerate() {
        let model = Model::start();
        let limiter = open(&model.url(), 2, window);
        answered(&limiter, take(&limiter));
        model.set(|state| bend(state, hour));
        // A settlement may be the first to meet it: what it finds out is kept.
        let wait = ask(&limiter).unwrap().expect_err("unknown calls");
        assert!((ms(390)..ms(402)).contains(&wait), "{number}: {wait:?}");
        answered(&limiter, take(&limiter));
        assert!(ask(&limiter).unwrap().is_ok(), "{number}: nothing is left of it");
    }
}

#[test]
fn a_new_handle_notices_a_clock_that_was_set_back() {
    let model = Model::start();
    let old = open(&model.url(), 1, ms(300));
    answered(&old, take(&old));
    sleep(ms(310));
    model.set(|state| state.ahead -= Duration::from_secs(3600));
    let new = open(&model.url(), 1, ms(300));
    let wait = ask(&new).unwrap().unwrap_err();
    assert!((ms(290)..ms(302)).contains(&wait), "{wait:?}");
    sleep(wait);
    assert!(ask(&new).unwrap().is_ok(), "time does not stand still for an hour");
}

#[test]
fn an_answer_that_was_lost_counts_once() {
    let model = Model::start();
    let limiter = open(&model.url(), 3, ms(300));
    let first = take(&limiter);
    model.set(|state| state.lost_answers = 1);
    let second = ask(&limiter).unwrap().unwrap();
    assert_eq!(limiter.snapshot(&CLOCK).unwrap().unwrap().used, 2);
    model.set(|state| state.lost_answers = 1);
    limiter.settle(first, Settlement::Refused { retry_after: None }, &CLOCK).unwrap();
    let seen = limiter.snapshot(&CLOCK).unwrap().unwrap();
    assert_eq!((seen.used, seen.refused), (2, 1));
    answered(&limiter, second);
}

#[test]
fn a_connection_that_was_closed_while_it_rested_is_no_error() {
    let redis = Redis::start(&[]);
    let limiter = open(&redis.url(), 9, ms(100));
    answered(&limiter, take(&limiter));
    for _ in 0..3 {
        redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let permit = ask(&limiter).unwrap().unwrap();
        redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        answered(&limiter, permit);
    }
}

#[test]
fn a_permit_costs_two_round_trips_its_settlement_two_a_snapshot_one() {
    let model = Model::start();
    let limiter = open(&model.url(), 9, ms(100));
    answered(&limiter, take(&limiter));
    let trips = |call: &mut dyn FnMut()| {
        let before = model.state.lock().unwrap().asked;
        call();
        model.state.lock().unwrap().asked - before
    };
    let mut permit = None;
    assert_eq!(trips(&mut || permit = ask(&limiter).unwrap().ok()), 2);
    let mut permit = Some(permit.unwrap());
    assert_eq!(trips(&mut || answered(&limiter, permit.take().unwrap())), 2);
    assert_eq!(trips(&mut || assert!(limiter.snapshot(&CLOCK).unwrap().is_some())), 1);
}

#[test]
fn steady_round_trips_of_one_machine_shorten_nothing() {
    let (model, window) = (Model::start(), ms(60));
    let limiter = open(&model.url(), 1, window);
    for _ in 0..26 {
        let permit = take(&limiter);
        sleep(ms(20));
        let settled_at = CLOCK.now();
        answered(&limiter, permit);
        let wait = ask(&limiter).unwrap().unwrap_err();
        assert!(CLOCK.now() + wait - settled_at >= window, "{wait:?}");
    }
}

#[test]
fn no_error_and_no_name_tells_a_secret() {
    const KEY: &str = "XKQZ-WVYT-JRPM";
    let rules = SlotRules::new(Quota::new(2, ms(100))).unwrap();
    let redis = Redis::start(&["--requirepass", "another"]);
    let model = Model::start();
    model.set(|state| {
        state.error =
            Some("ERR unknown command, with args beginning with: 'user' 's3cr3t' XKQZ-WVYT-JRPM".to_owned());
    });
    let mut seen = Vec::new();
    for place in [
        format!("127.0.0.1:{}", redis.port),
        format!("127.0.0.1:{}/3", model.port),
        "127.0.0.1:1".to_owned(),
        "no-such-host.invalid:6379".to_owned(),
        "127.0.0.1:99999999".to_owned(),
        "[::1".to_owned(),
        "".to_owned(),
    ] {
        for scheme in ["redis", "rediss", "http", ""] {
            match RedisLimiter::open(&format!("{scheme}://user:s3cr3t@{place}"), KEY, rules) {
                Err(error) => seen.push(format!("{error} {error:?}")),
                Ok(limiter) => {
                    seen.push(format!("{limiter:?}"));
                    let error = ask(&limiter).unwrap_err();
                    seen.push(format!("{error} {error:?}"));
                    let error = limiter.settle(Permit(1), Settlement::Answered, &CLOCK).unwrap_err();
                    seen.push(format!("{error} {error:?}"));
                }
            }
        }
    }
    assert!(seen.iter().any(|text| text.contains("the user or the password")), "{seen:#?}");
    let redis = Redis::start(&[]);
    let limiter = RedisLimiter::open(&redis.url(), KEY, rules).unwrap();
    ask(&limiter).unwrap().unwrap_err();
    seen.push(format!("{:?}", redis.command(&["KEYS", "*"])));
    assert!(seen.last().unwrap().contains("activity-status:quota:"), "{seen:#?}");
    let parts = KEY.as_bytes().windows(3).map(|part| str::from_utf8(part).unwrap().to_owned());
    let hex = KEY.as_bytes().windows(3).map(|part| format!("{:02x}{:02x}{:02x}", part[0], part[1], part[2]));
    let secrets = parts.chain(hex).chain(["s3cr3t".to_owned(), "user:".to_owned()]);
    for secret in secrets {
        assert!(!seen.iter().any(|text| text.contains(&secret)), "{secret} in {seen:#?}");
    }
}
