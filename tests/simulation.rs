//! The whole client against the model of the vendor, many threads, in virtual time: hours end in a moment, and a seed
//! is a history.

use std::time::Duration;

use activity_status::builtin::Quota;
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};
use activity_status::{Client, ErrorKind, Operation, Outcome, RequestId, Resend, WaitOptions};
use activity_status_sandbox::{Book, Fault, Settings, Window};
use activity_status_tests::world::{World, activity, jittery, ms};

const OPERATION: Operation = Operation::ACTIVITY_CREATE;
const WINDOWS: [Window; 3] =
    [Window::Sliding, Window::Fixed { phase: Duration::from_millis(1700) }, Window::TokenBucket];

/// How many seeds are tried: a few, or as many as `ASTAT_TEST_SEEDS` says.
fn seeds(few: u64) -> u64 {
    std::env::var("ASTAT_TEST_SEEDS").ok().and_then(|many| many.parse().ok()).unwrap_or(few)
}

/// 2,000 status calls by 8 threads; what the vendor saw, and how long it took.
fn ask_2000_times(world: &World, client: &Client) -> (Book, f64) {
    let id = client.submit(&OPERATION, activity(0, "one")).unwrap();
    let started = world.clock.now();
    world.clock.run(8, |_| {
        for _ in 0..250 {
            client.status(&OPERATION, &id).expect("every question is answered");
        }
    });
    (world.vendor.book(), (world.clock.now() - started).as_secs_f64())
}

#[test]
fn not_one_of_2000_calls_is_refused_by_any_kind_of_window() {
    for window in WINDOWS {
        for seed in 0..seeds(3) {
            let refusals_count = seed % 2 == 1;
            let world = World::new(jittery(window, refusals_count, seed));
            let (book, seconds) = ask_2000_times(&world, &world.client().build().unwrap());
            assert_eq!((book.refused, book.status_calls), (0, 2000), "{window:?}, seed {seed}");
            // A call holds its slot for a round trip (0.55 s) longer than the window of 5 s: 5/5.55 is 90 %.
            let sustained = (2000.0 - 25.0) * 5.0 / (25.0 * seconds);
            assert!(sustained > 0.87, "{window:?}, seed {seed}: {sustained:.3} of the quota used");
        }
    }
}

#[test]
fn the_simulation_would_find_a_limiter_that_is_wrong() {
    /// A sliding window that counts calls when they are sent: what most people write.
    struct CountsAtSending(std::sync::Mutex<Vec<Duration>>);
    impl Limiter for CountsAtSending {
        fn try_acquire(&self, _: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
            let now = clock.now();
            let mut sent = self.0.lock().unwrap();
            sent.retain(|at| now - *at <= ms(5000));
            if sent.len() < 25 {
                sent.push(now);
                return Ok(Acquired::Granted(Permit(0)));
            }
            Ok(Acquired::RetryAfter(sent[0] + ms(5001) - now))
        }
        fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            Ok(())
        }
    }
    let world = World::new(jittery(Window::Sliding, false, 1));
    let client = world.client().limiter(CountsAtSending(Default::default())).build().unwrap();
    let (book, _) = ask_2000_times(&world, &client);
    assert!(book.refused > 20, "only {} refused", book.refused);
}

#[test]
fn the_same_seed_has_the_same_history() {
    let history = |seed| {
        let world = World::new(jittery(Window::Sliding, false, seed));
        ask_2000_times(&world, &world.client().build().unwrap())
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5).1, history(6).1);
}

#[test]
fn smaller_quotas_are_kept_too() {
    for calls in [1, 2, 10] {
        let mut settings = jittery(Window::Sliding, true, u64::from(calls));
        settings.quota.calls = calls;
        let world = World::new(settings);
        let client = world
            .client()
            .quota(Quota::new(calls, ms(5000)))
            .call_deadline(Duration::from_secs(3600))
            .build();
        let client = client.unwrap();
        let id = client.submit(&OPERATION, activity(0, "one")).unwrap();
        world.clock.run(5, |_| {
            for _ in 0..8 {
                client.status(&OPERATION, &id).expect("every question is answered");
            }
        });
        assert_eq!(world.vendor.book().refused, 0, "{calls} calls in 5 s");
    }
}

#[test]
fn jobs_come_to_their_outcomes_through_faults_and_none_is_made_twice() {
    let mut faults = 0;
    for seed in 0..seeds(5) {
        let world = World::new(Settings {
            rate_per_minute: 200.0,
            fault_probability: 0.1,
            fault_kinds: vec![
                Fault::ServerError,
                Fault::HtmlError,
                Fault::EmptyAnswer,
                Fault::Unreachable,
                Fault::Truncated,
                Fault::Reset,
                Fault::Silence,
                Fault::AnswerLost,
                Fault::TooManyRequests,
            ],
            ..jittery(Window::Sliding, true, seed)
        });
        let client = world.client().call_deadline(Duration::from_secs(600)).build().unwrap();
        let per_worker = world.clock.run(8, |worker| {
            let mut known: Vec<(RequestId, Outcome)> = Vec::new();
            let mut in_doubt = 0_u64;
            for n in 0..10 {
                let note = if n % 5 == 0 { "sandbox:fail" } else { "fine" };
                match client.submit(&OPERATION, activity(worker * 10 + n, note)) {
                    Ok(id) => {
                        let outcome = if n % 5 == 0 { Outcome::Failed } else { Outcome::Succeeded };
                        known.push((id, outcome));
                    }
                    Err(error) => {
                        assert_eq!(
                            error.resend(),
                            Resend::MayDuplicate,
                            "whatever is safe was sent again: {error}"
                        );
                        in_doubt += 1;
                    }
                }
            }
            for (id, expected) in &known {
                let status = client.wait(&OPERATION, id, &WaitOptions::new()).expect("it settles");
                assert_eq!(status.outcome(), *expected);
            }
            (known.len() as u64, in_doubt)
        });
        let known: u64 = per_worker.iter().map(|(known, _)| known).sum();
        let in_doubt: u64 = per_worker.iter().map(|(_, in_doubt)| in_doubt).sum();
        let book = world.vendor.book();
        assert_eq!(book.duplicates, 0, "seed {seed}");
        assert_eq!(known + in_doubt, 80);
        assert!(book.accepted >= known && book.accepted <= known + in_doubt, "seed {seed}: {book:?}");
        faults += book.faults;
        assert!(book.busiest_window <= 25, "seed {seed}: {book:?}");
    }
    assert!(faults > 10 * seeds(5), "{faults} faults were met");
}

#[test]
fn the_vendors_own_retries_are_waited_out() {
    let world = World::new(Settings::default());
    let client = world.client().build().unwrap();
    let id = client.submit(&OPERATION, activity(1, "sandbox:retry=3")).unwrap();
    let status = client.wait(&OPERATION, &id, &WaitOptions::new()).unwrap();
    assert_eq!(status.outcome(), Outcome::Succeeded);
    assert!(world.clock.now() > Duration::from_secs(30 + 120 + 420), "three steps of its ladder");

    let id = client.submit(&OPERATION, activity(2, "sandbox:never")).unwrap();
    let error = client.wait(&OPERATION, &id, &WaitOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline, "ten steps last over nine hours");
    let patient = WaitOptions::new().deadline(Duration::from_secs(12 * 3600));
    assert_eq!(client.wait(&OPERATION, &id, &patient).unwrap().outcome(), Outcome::Failed);
}

#[test]
fn metrics_are_read_from_the_queue() {
    let world = World::new(Settings::default());
    let client = world.client().build().unwrap();
    for n in 0..5 {
        client.submit(&OPERATION, activity(n, "fine")).unwrap();
    }
    let metrics = client.metrics(&OPERATION).unwrap();
    assert_eq!(metrics.pending(), Some(5));
    assert!(metrics.max_delay().unwrap() > Duration::from_secs(5), "{metrics:?}");
}
