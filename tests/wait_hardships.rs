//! What `wait_all` and a tracker must bear: faults, limiters and schedules of any kind, interruptions, panics, and options at
//! their edges; all in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::{Quota, Slots, VirtualClock};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Delivery, Eta, Event, Failure, Interrupted, JobKey, Limiter, LimiterError,
    Next, Observed, Permit, Schedule, Settlement,
};
use activity_status::{Canceller, ErrorKind, Order, Outcome, RequestId, Step, Tracker, WaitAll, WaitOptions};
use activity_status_tests::waiting::{
    Eager, LONG, OPERATION, Patient, Unlimited, answer, client_of, http_status, job, jobs, trouble,
};
use activity_status_tests::world::ms;

#[test]
fn one_slow_answer_and_one_failure_hold_up_no_other_job() {
    let clock = VirtualClock::new();
    let (time, failed, hung) = (clock.clone(), AtomicBool::new(false), AtomicBool::new(false));
    let client = client_of(&clock, move |id, now| match id {
        "000000" if !hung.swap(true, Ordering::SeqCst) => {
            time.sleep(ms(59_000)).unwrap();
            Err(trouble(Delivery::InDoubt, Failure::TimedOut))
        }
        // While the first is still without an answer.
        "000001" if !failed.swap(true, Ordering::SeqCst) => http_status(500),
        "000002" if now > ms(5000) => answer(id, "Success"),
        _ if now > ms(120_000) => answer(id, "Success"),
        _ => answer(id, "In-Queue"),
    });
    let client = client.build().unwrap();
    let known = clock.run(1, |_| {
        let known = client.wait_all(jobs(3), &LONG).map(|(job, _)| (job, clock.now()));
        known.map(|(job, at)| (job.request_id().to_string(), at)).collect::<BTreeMap<_, _>>()
    });
    let at = known[0]["000002"];
    assert!(at < ms(10_000), "it had ended after 5 s, and was known after {at:?}");
}

#[test]
fn many_refusals_in_a_row_lose_no_job_and_cost_few_calls() {
    let clock = VirtualClock::new();
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let client = client_of(&clock, move |id, now| {
        if now > ms(100_000) {
            return answer(id, "Success");
        }
        count.fetch_add(1, Ordering::SeqCst);
        http_status(429)
    });
    let client = client.build().unwrap();
    clock.run(1, |_| assert!(client.wait_all(jobs(30), &LONG).all(|(_, outcome)| outcome.is_ok())));
    let refused = refused.load(Ordering::SeqCst);
    assert!(refused < 60, "{refused} calls, all refused, in 100 s");
}

#[test]
fn who_wait_for_different_jobs_do_not_come_back_at_the_same_moment_after_an_outage() {
    let moments = |id: &'static str| {
        let (clock, sent) = (VirtualClock::new(), Arc::new(Mutex::new(Vec::new())));
        let into = sent.clone();
        let client = client_of(&clock, move |_, now| {
            into.lock().unwrap().push(now);
            http_status(500)
        });
        let (client, id) = (client.build().unwrap(), RequestId::new(id).unwrap());
        clock.run(1, |_| client.wait(&OPERATION, &id, &LONG.deadline(ms(120_000))).unwrap_err());
        let sent = sent.lock().unwrap();
        assert!(sent.len() > 5);
        sent.clone()
    };
    assert_ne!(moments("one"), moments("another"));
}

#[test]
fn a_vendor_that_can_never_be_reached_is_told_of_though_each_attempt_takes_its_time() {
    let clock = VirtualClock::new();
    let time = clock.clone();
    let client = client_of(&clock, move |_, _| {
        time.sleep(ms(10_000)).unwrap();
        Err(trouble(Delivery::NotSent, Failure::TimedOut))
    });
    let (client, id) = (client.build().unwrap(), RequestId::new("a").unwrap());
    let error = clock.run(1, |_| client.wait(&OPERATION, &id, &WaitOptions::new()).unwrap_err()).remove(0);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // Seven attempts of 10 s each, and the pauses in between.
    assert!((ms(70_000)..ms(120_000)).contains(&clock.now()), "{:?}", clock.now());
}

#[test]
fn keys_that_are_revoked_meanwhile_cost_no_call_for_each_job() {
    let clock = VirtualClock::new();
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let client = client_of(&clock, move |id, now| {
        if now < ms(10_000) {
            return answer(id, "In-Queue");
        }
        count.fetch_add(1, Ordering::SeqCst);
        http_status(401)
    });
    let client = client.build().unwrap();
    clock.run(1, |_| {
        let ended = client.wait_all(jobs(300), &LONG).map(|(_, outcome)| outcome.unwrap_err().kind());
        assert_eq!(ended.collect::<Vec<_>>(), [ErrorKind::Unauthorized; 300]);
    });
    let refused = refused.load(Ordering::SeqCst);
    assert!(refused < 50, "{refused} calls with keys that are none");
}

#[test]
fn one_403_in_the_middle_may_be_a_gateways_mood_and_loses_no_job() {
    let (clock, once) = (VirtualClock::new(), AtomicBool::new(false));
    let client = client_of(&clock, move |id, now| match () {
        _ if now < ms(10_000) => answer(id, "In-Queue"),
        _ if !once.swap(true, Ordering::SeqCst) => http_status(403),
        _ => answer(id, "Success"),
    });
    let client = client.build().unwrap();
    clock.run(1, |_| assert!(client.wait_all(jobs(20), &LONG).all(|(_, outcome)| outcome.is_ok())));
}

#[test]
fn jobs_that_were_given_up_and_added_again_are_asked_about_once_at_a_time() {
    let (clock, twice) = (VirtualClock::new(), Arc::new(AtomicBool::new(false)));
    let (time, seen, flying) = (clock.clone(), twice.clone(), Mutex::new(BTreeSet::new()));
    let client = client_of(&clock, move |id, now| {
        if !flying.lock().unwrap().insert(id.to_owned()) {
            seen.store(true, Ordering::SeqCst);
        }
        // The first is still on its way when the others have been given up.
        time.sleep(if id == "000000" { ms(5000) } else { ms(500) }).unwrap();
        flying.lock().unwrap().remove(id);
        if now < ms(2000) && id != "000000" { http_status(401) } else { answer(id, "Success") }
    });
    let client = client.build().unwrap();
    clock.run(1, |_| {
        let mut all = client.wait_all(jobs(4), &LONG.order(Order::Unknown));
        let ended: Vec<_> = all.by_ref().map(|(job, _)| job).collect();
        ended.into_iter().for_each(|job| assert!(all.add(job)));
        assert_eq!(all.count(), 4);
    });
    assert!(!twice.load(Ordering::SeqCst));
}

#[test]
fn an_observer_hears_of_a_look_that_got_no_answer() {
    let (clock, told) = (VirtualClock::new(), Arc::new(Mutex::new(String::new())));
    let into = told.clone();
    let client = client_of(&clock, |_, _| Err(trouble(Delivery::NotSent, Failure::Connection)))
        .observer(move |event: &Event<'_>| into.lock().unwrap().push_str(&format!("{event:?}\n")));
    let (client, id) = (client.build().unwrap(), RequestId::new("a").unwrap());
    clock.run(1, |_| client.wait(&OPERATION, &id, &WaitOptions::new()).unwrap_err());
    let told = told.lock().unwrap();
    assert!(told.contains("Transport"), "{told}");
}

#[test]
fn the_metrics_are_not_asked_once_one_of_ours_has_been_done() {
    let (clock, asked) = (VirtualClock::new(), Arc::new(AtomicBool::new(false)));
    let seen = asked.clone();
    let client = client_of(&clock, move |id, now| {
        if id.is_empty() {
            seen.store(true, Ordering::SeqCst);
            return http_status(404);
        }
        let done = id.parse::<u128>().unwrap() * 700 < now.as_millis();
        answer(id, if done { "Success" } else { "In-Queue" })
    });
    let client = client.build().unwrap();
    clock.run(1, |_| {
        let jobs = jobs(20).into_iter().map(|job| job.submitted_at(clock.wall()));
        assert_eq!(client.wait_all(jobs, &LONG).count(), 20);
    });
    assert!(!asked.load(Ordering::SeqCst));
}

#[test]
fn long_silence_and_then_all_at_once() {
    let known = |order, count| {
        let clock = VirtualClock::new();
        let client =
            client_of(&clock, |id, now| answer(id, if now > ms(3_000_000) { "Success" } else { "x" }))
                .build()
                .unwrap();
        let mut known = clock.run(1, |_| {
            let all = client.wait_all(jobs(count), &LONG.order(order));
            all.map(|_| (clock.now() - ms(3_000_000)).as_secs_f64()).collect::<Vec<_>>()
        });
        let known = known.remove(0);
        let (mean, last) = (known.iter().sum::<f64>() / known.len() as f64, known[known.len() - 1]);
        println!("{order:?}, {count} jobs: mean {mean:.1} s, last {last:.1} s");
        mean
    };
    let mut worse = Vec::new();
    for count in [50, 200, 1000] {
        let (ours, in_turn) = (known(Order::Submitted, count), known(Order::Unknown, count));
        if ours > 1.2 * in_turn {
            worse.push((count, ours, in_turn));
        }
    }
    assert!(worse.is_empty(), "more than 1.2 times as late as round robin: {worse:?}");
}

/// A limiter that grants whatever is asked for, but is away in this span of time.
struct Away(Range<Duration>);

impl Limiter for Away {
    fn try_acquire(&self, _: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        match self.0.contains(&clock.now()) {
            true => Err(LimiterError { message: "the limiter's server is away".to_owned(), source: None }),
            false => Ok(Acquired::Granted(Permit(0))),
        }
    }
    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        Ok(())
    }
}

#[test]
fn a_limiter_that_went_away_is_named_when_the_time_is_over() {
    let clock = VirtualClock::new();
    let client = client_of(&clock, |id, _| answer(id, "In-Queue")).limiter(Away(ms(5000)..Duration::MAX));
    let (client, id) = (client.build().unwrap(), RequestId::new("a").unwrap());
    let error = clock.run(1, |_| client.wait(&OPERATION, &id, &WaitOptions::new()).unwrap_err()).remove(0);
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert!(error.to_string().contains("the limiter's server is away"), "{error}");
}

#[test]
fn a_tracker_that_has_given_up_ends_each_added_job_at_once_with_the_same_error() {
    for order in [Order::Submitted, Order::Unknown] {
        let clock = VirtualClock::new();
        let client = client_of(&clock, |id, _| answer(id, "Success")).limiter(Away(ms(0)..ms(1)));
        let client = client.build().unwrap();
        clock.run(1, |_| {
            let options = LONG.order(order);
            let mut all = client.wait_all(jobs(2000), &options);
            let ended: Vec<_> = all.by_ref().map(|(_, outcome)| outcome.unwrap_err().to_string()).collect();
            assert_eq!(ended.len(), 2000);
            // The limiter is back, which is nothing to this tracker any more.
            clock.sleep(ms(1000)).unwrap();
            assert!(all.add(job("one-more")));
            let (one_more, outcome) = all.next().unwrap();
            let error = outcome.unwrap_err();
            assert_eq!(
                (one_more, error.kind(), clock.now()),
                (job("one-more"), ErrorKind::Limiter, ms(1000))
            );
            assert_eq!(error.to_string().replace("one-more", "001999"), ended[1999]);
            assert!(client.wait_all([job("one-more")], &options).all(|(_, outcome)| outcome.is_ok()));
        });
    }
}

/// A clock that can only sleep: it parks as the trait does for it.
struct Sleeper(VirtualClock);

impl Clock for Sleeper {
    fn now(&self) -> Duration {
        self.0.now()
    }
    fn wall(&self) -> Duration {
        self.0.wall()
    }
    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        self.0.sleep(duration)
    }
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        self.0.spawn(work)
    }
}

#[test]
fn a_limiter_that_has_said_when_is_not_asked_before() {
    /// Counts how often it is asked.
    struct Counted(Slots, Arc<AtomicUsize>);
    impl Limiter for Counted {
        fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.try_acquire(class, clock)
        }
        fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
            self.0.settle(permit, how, clock)
        }
    }
    let (clock, asked) = (VirtualClock::new(), Arc::new(AtomicUsize::new(0)));
    let quota = Quota::new(1, ms(5000));
    let client = client_of(&clock, |id, _| answer(id, "Success"))
        .clock(Sleeper(clock.clone()))
        .quota(quota)
        .limiter(Counted(Slots::new(quota).unwrap(), asked.clone()));
    let client = client.build().unwrap();
    clock.run(1, |_| {
        let mut tracker = client.tracker_by(Eager::default(), &LONG);
        jobs(10).into_iter().for_each(|job| assert!(tracker.add(job)));
        assert_eq!(WaitAll::from(tracker).count(), 10);
    });
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 100, "asked {asked} times for 10 calls, with a clock that wakes every 10 ms");
}

#[test]
fn a_cancelled_wait_keeps_no_place_in_the_line() {
    let clock = VirtualClock::new();
    let client = client_of(&clock, |id, _| answer(id, "In-Queue")).quota(Quota::new(1, ms(5000)));
    let client = client.build().unwrap();
    clock.run(1, |_| {
        let mut tracker = client.tracker_by(Eager::default(), &LONG);
        tracker.add(job("a"));
        let mut all = WaitAll::from(tracker);
        let waiting = || client.snapshot().unwrap().unwrap().waiting;
        assert!(all.next_within(ms(3000)).is_err());
        assert_eq!(waiting(), 1);
        all.canceller().cancel();
        assert!(all.next().is_none());
        assert_eq!(waiting(), 0);
    });
}

#[test]
fn two_trackers_in_one_event_loop_share_the_quota_and_use_all_of_it() {
    let clock = VirtualClock::new();
    let client = client_of(&clock, |id, _| answer(id, "Success")).quota(Quota::new(10, ms(5000)));
    let client = client.build().unwrap();
    let tracker = |which| {
        let mut tracker = client.tracker_by(Eager::default(), &LONG);
        (0..30).for_each(|n| assert!(tracker.add(job(&format!("{which}-{n}")))));
        tracker
    };
    let mut trackers: Vec<Tracker> = ["one", "other"].map(tracker).into();
    while !trackers.is_empty() {
        let mut pause = Duration::MAX;
        trackers.retain_mut(|tracker| {
            match tracker.step() {
                Step::Sleep(time) => pause = pause.min(time),
                Step::Done => return false,
                Step::Look(look) => {
                    look.send();
                    pause = Duration::ZERO;
                }
                Step::Ended(..) => pause = Duration::ZERO,
            }
            true
        });
        if !trackers.is_empty() {
            clock.sleep(pause).unwrap();
        }
    }
    // 60 calls, 10 in 5 s.
    assert!((ms(25_000)..ms(29_000)).contains(&clock.now()), "{:?}", clock.now());
}

#[test]
fn in_the_last_round_no_more_questions_are_on_their_way_than_the_quota_has_calls() {
    let (clock, most) = (VirtualClock::new(), Arc::new(AtomicUsize::new(0)));
    let (time, seen, flying) = (clock.clone(), most.clone(), AtomicUsize::new(0));
    // Each has a thread, which no limiter counts.
    let client = client_of(&clock, move |id, _| {
        seen.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        time.sleep(ms(500)).unwrap();
        flying.fetch_sub(1, Ordering::SeqCst);
        answer(id, "In-Queue")
    });
    let client = client.limiter(Unlimited).build().unwrap();
    clock.run(1, |_| assert_eq!(client.wait_all(jobs(400), &LONG.deadline(ms(20_000))).count(), 400));
    assert_eq!(most.load(Ordering::SeqCst), 25);
}

#[test]
fn a_schedule_that_waits_for_no_time_at_all_does_not_make_the_wait_spin() {
    struct Hasty(Arc<AtomicUsize>);
    impl Schedule for Hasty {
        fn add(&mut self, _: u16, _: Option<Duration>) -> JobKey {
            JobKey(0)
        }
        fn next(&mut self, _: Duration) -> Next {
            self.0.fetch_add(1, Ordering::SeqCst);
            Next::Wait(Duration::ZERO)
        }
        fn observe(&mut self, _: JobKey, _: Observed, _: Duration, _: Duration) {}
        fn len(&self) -> usize {
            1
        }
        fn eta(&self, _: Duration) -> Option<Eta> {
            None
        }
    }
    let (clock, asked) = (VirtualClock::new(), Arc::new(AtomicUsize::new(0)));
    let client = client_of(&clock, |id, _| answer(id, "Success")).build().unwrap();
    clock.run(1, |_| {
        let mut tracker = client.tracker_by(Hasty(asked.clone()), &LONG.deadline(ms(100)));
        tracker.add(job("a"));
        assert_eq!(WaitAll::from(tracker).count(), 1);
    });
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 1000, "asked {asked} times in 0.1 s");
}

#[test]
fn an_interruption_that_the_transport_hears_ends_the_wait_at_once_and_it_may_go_on() {
    let (clock, once) = (VirtualClock::new(), AtomicBool::new(false));
    let client = client_of(&clock, move |id, _| match once.swap(true, Ordering::SeqCst) {
        false => Err(trouble(Delivery::InDoubt, Failure::Interrupted)),
        true => answer(id, "Success"),
    });
    let client = client.build().unwrap();
    clock.run(1, |_| {
        let mut tracker = client.tracker_by(Patient::default(), &LONG);
        tracker.add(job("a"));
        let mut all = WaitAll::from(tracker);
        assert!(all.next().is_none());
        assert!(clock.now() < ms(1000), "interrupted after 80 ms, and told of it after {:?}", clock.now());
        assert!(all.next().unwrap().1.is_ok());
    });
}

#[test]
fn a_cancellation_may_come_before_the_first_step_twice_or_from_an_observer() {
    let clock = VirtualClock::new();
    let canceller: Arc<Mutex<Option<Canceller>>> = Arc::default();
    let inside = canceller.clone();
    let client = client_of(&clock, |id, _| answer(id, "Success")).observer(move |event: &Event<'_>| {
        let canceller = inside.lock().unwrap().clone();
        if matches!(event, Event::Sending { .. }) {
            canceller.expect("a cancelled wait sends nothing").cancel();
        }
    });
    let client = client.build().unwrap();
    clock.run(1, |_| {
        let mut all = client.wait_all(jobs(5), &LONG);
        all.canceller().cancel();
        all.canceller().cancel();
        assert!(all.next().is_none());
        assert_eq!(all.open().count(), 5);

        let mut all = client.wait_all(jobs(5), &LONG);
        *canceller.lock().unwrap() = Some(all.canceller());
        assert!(all.next().is_none());
        assert_eq!(all.open().count(), 5);
    });
}

#[test]
fn of_an_outcome_rule_that_panics_the_error_tells() {
    let clock = VirtualClock::new();
    let client = client_of(&clock, |id, _| answer(id, "Success"))
        .outcome_rule(|_| -> Outcome { panic!("a rule's bug") });
    let client = client.build().unwrap();
    clock.run(1, |_| {
        let (_, outcome) = client.wait_all([job("a")], &LONG.deadline(ms(60_000))).next().unwrap();
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("a plugin panicked"), "{error}");
    });
}

#[test]
fn with_any_deadline_and_any_price_each_job_ends_once_and_in_time() {
    for (deadline, price) in [
        (Duration::ZERO, Duration::ZERO),
        (Duration::from_nanos(1), Duration::MAX),
        (ms(1), ms(5)),
        (ms(3000), Duration::MAX),
        (Duration::MAX, Duration::ZERO),
        (Duration::MAX, Duration::MAX),
    ] {
        for order in [Order::Submitted, Order::Unknown] {
            let clock = VirtualClock::new();
            let client =
                client_of(&clock, |id, now| answer(id, if now > ms(10_000) { "Success" } else { "x" }));
            let client = client.build().unwrap();
            clock.run(1, |_| {
                let options = WaitOptions::new().deadline(deadline).price(price).order(order);
                assert_eq!(client.wait_all([], &options).count(), 0);
                let mut all = client.wait_all(jobs(3), &options);
                let are_settled: Vec<bool> = all.by_ref().map(|(_, outcome)| outcome.is_ok()).collect();
                assert!(all.next().is_none());
                assert_eq!(are_settled, [deadline == Duration::MAX; 3], "{deadline:?} {price:?} {order:?}");
                // The shortest sleep of a tracker is a microsecond.
                let latest = deadline.max(Duration::from_micros(1)).min(ms(3_600_000));
                assert!(clock.now() <= latest, "{deadline:?} {price:?} {order:?}: {:?}", clock.now());
            });
        }
    }
}
