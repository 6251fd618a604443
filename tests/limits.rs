//! What ends a call or a wait before its answer: its own deadline, and whoever cancels it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use activity_status::builtin::{Quota, SystemClock, VirtualClock};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Delivery, Event, Failure, Limiter, LimiterError, Permit, Request, Settlement,
};
use activity_status::{
    Canceller, Client, Endpoint, ErrorKind, Operation, RequestId, Resend, RetryPolicy, Step, WaitOptions,
};
use activity_status_tests::credentials;
use activity_status_tests::waiting::{answer, client_with, http_status, id_of, jobs, trouble};

const OPERATION: Operation = Operation::ACTIVITY_CREATE;
const BODY: &str = r#"{"RelatedProspectId":"b8e49bf4","ActivityEvent":380}"#;

fn id() -> RequestId {
    RequestId::new("1").unwrap()
}

/// A limiter that never gives leave, and counts who asks and who leaves.
#[derive(Default)]
struct Closed {
    asked: AtomicU32,
    left: AtomicU32,
}

impl Limiter for Closed {
    fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(Acquired::RetryAfter(Duration::from_secs(7200)))
    }
    fn leave(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
    }
    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        Ok(())
    }
}

#[test]
fn a_call_that_waits_for_the_quota_is_cancelled_at_once() {
    let limiter = Arc::new(Closed::default());
    let client = Client::builder(Endpoint::INDIA, credentials())
        .limiter(limiter.clone())
        .call_deadline(Duration::from_secs(86_400))
        .build()
        .unwrap();
    let canceller = Canceller::new();
    let cancellable = client.with_canceller(&canceller);
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(|| cancellable.status(&OPERATION, &id()))).collect();
        let submit = scope.spawn(|| cancellable.submit(&OPERATION, BODY));
        while limiter.asked.load(Ordering::SeqCst) < 4 {
            std::thread::yield_now();
        }
        canceller.cancel();
        for call in calls {
            let error = call.join().unwrap().unwrap_err();
            assert_eq!((error.kind(), error.resend()), (ErrorKind::Interrupted, Resend::Safe));
            assert_eq!((error.attempts(), error.request_id()), (0, Some(&id())));
        }
        let error = submit.join().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.resend()), (ErrorKind::Interrupted, Resend::Safe));
    });
    assert_eq!(limiter.left.load(Ordering::SeqCst), 4, "each gives its place up");
    assert!(cancellable.status(&OPERATION, &id()).is_err(), "there is no way back");
    assert_eq!(limiter.asked.load(Ordering::SeqCst), 4, "and the limiter is not asked for nothing");
    assert_eq!(limiter.left.load(Ordering::SeqCst), 4, "nor told of a place that nobody had");
}

#[test]
fn a_pause_before_another_attempt_is_cancelled_and_a_doubt_stays_one() {
    let canceller = Canceller::new();
    let clock = VirtualClock::new();
    let observed = canceller.clone();
    let client = client_with(&clock, |_: &Request<'_>| Err(trouble(Delivery::InDoubt, Failure::Connection)))
        .observer(move |event: &Event<'_>| {
            if matches!(event, Event::Retrying { .. }) {
                observed.cancel();
            }
        });
    let client = client.build().unwrap().with_canceller(&canceller);
    let before = clock.now();
    let error = client.status(&OPERATION, &id()).unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Interrupted, 1));
    assert_eq!(clock.now() - before, Duration::from_millis(80), "the pause was not waited for");
    // Sent once and lost, and cancelled before it went out again.
    let canceller = Canceller::new();
    let observed = canceller.clone();
    let client = client_with(&clock, |_: &Request<'_>| Err(trouble(Delivery::InDoubt, Failure::Connection)))
        .retry(RetryPolicy::new().accept_duplicates(true))
        .observer(move |event: &Event<'_>| {
            if matches!(event, Event::Retrying { .. }) {
                observed.cancel();
            }
        });
    let client = client.build().unwrap().with_canceller(&canceller);
    let error = client.submit(&OPERATION, BODY).unwrap_err();
    assert_eq!((error.kind(), error.resend()), (ErrorKind::InDoubt, Resend::MayDuplicate));
    assert_eq!(error.attempts(), 1);
}

#[test]
fn a_transport_sees_that_the_call_was_cancelled_and_may_stop() {
    let canceller = Canceller::new();
    let inside = canceller.clone();
    let clock = VirtualClock::new();
    let client = client_with(&clock, move |request: &Request<'_>| {
        assert!(!request.cancelled.load(Ordering::SeqCst));
        inside.cancel();
        assert!(request.cancelled.load(Ordering::SeqCst));
        Err(trouble(Delivery::InDoubt, Failure::Interrupted))
    });
    let client = client.build().unwrap().with_canceller(&canceller);
    let error = client.status(&OPERATION, &id()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let fresh = Canceller::new();
    let client = client.with_canceller(&fresh);
    assert!(!fresh.is_cancelled(), "another canceller, other calls");
    drop(client);
}

#[test]
fn an_answer_that_comes_in_spite_of_it_is_given() {
    let canceller = Canceller::new();
    let inside = canceller.clone();
    let clock = VirtualClock::new();
    let client = client_with(&clock, move |request: &Request<'_>| {
        inside.cancel();
        answer(&id_of(request), "Success")
    });
    let client = client.build().unwrap().with_canceller(&canceller);
    assert_eq!(client.status(&OPERATION, &id()).unwrap().state().as_str(), "Success");
}

#[test]
fn waits_end_when_the_clients_canceller_says_so() {
    let clock = VirtualClock::new();
    let canceller = Canceller::new();
    let (inside, asked) = (canceller.clone(), AtomicU32::new(0));
    let client = client_with(&clock, move |request: &Request<'_>| {
        if asked.fetch_add(1, Ordering::SeqCst) == 9 {
            inside.cancel();
        }
        answer(&id_of(request), "In-Queue")
    });
    let client = client.build().unwrap().with_canceller(&canceller);
    clock.run(1, |_| {
        let mut all = client.wait_all(jobs(5), &WaitOptions::new());
        assert!(all.next().is_none());
        assert_eq!(all.open().count(), 5, "and nothing is lost");
        assert!(!all.canceller().is_cancelled(), "its own is another one");
    });
    let error = client.wait(&OPERATION, &id(), &WaitOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let mut tracker = client.tracker(&WaitOptions::new());
    jobs(2).into_iter().for_each(|job| assert!(tracker.add(job)));
    for _ in 0..2 {
        let Step::Ended(_, Err(error)) = tracker.step() else { panic!("a cancelled tracker ends its jobs") };
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
    assert!(matches!(tracker.step(), Step::Done));
}

#[test]
fn a_call_has_a_deadline_of_its_own() {
    let clock = VirtualClock::new();
    let client = client_with(&clock, |_: &Request<'_>| http_status(500))
        .quota(Quota::new(1000, Duration::from_secs(1)));
    let client = client.call_deadline(Duration::from_secs(20)).build().unwrap();
    let took = |client: &Client| {
        let before = clock.now();
        let error = client.status(&OPERATION, &id()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "the failure says more than the deadline");
        clock.now() - before
    };
    let whole = took(&client);
    let short = took(&client.with_call_deadline(Duration::from_secs(2)));
    assert!(short <= Duration::from_secs(2) && short < whole, "{short:?} of {whole:?}");
    assert_eq!(
        took(&client.with_call_deadline(Duration::from_secs(999))),
        whole,
        "never more than the client's"
    );
    let error = client.with_call_deadline(Duration::ZERO).status(&OPERATION, &id()).unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Deadline, 0));
}

#[test]
fn a_look_may_take_as_long_as_a_call_of_its_client() {
    let clock = VirtualClock::new();
    let client = client_with(&clock, |request: &Request<'_>| answer(&id_of(request), "Success"));
    let client = client.call_deadline(Duration::from_secs(20)).build().unwrap();
    for (given, time_left) in [(3, 3), (999, 20)] {
        let mut tracker = client.with_call_deadline(Duration::from_secs(given)).tracker(&WaitOptions::new());
        assert!(tracker.add(jobs(1).remove(0)));
        let look = loop {
            match tracker.step() {
                Step::Look(look) => break look,
                Step::Sleep(pause) => clock.sleep(pause).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(look.time_left(), Duration::from_secs(time_left), "never more than the client's");
        look.send();
    }
}

#[test]
fn a_sleeper_of_the_system_clock_is_woken() {
    let canceller = Canceller::new();
    let limiter = Arc::new(Closed::default());
    let client =
        Client::builder(Endpoint::INDIA, credentials()).limiter(limiter.clone()).clock(SystemClock::new());
    let client = client.build().unwrap().with_canceller(&canceller);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut all = client.wait_all(jobs(3), &WaitOptions::new());
            (all.next().is_none(), all.open().count())
        });
        while limiter.asked.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        canceller.cancel();
        assert_eq!(waiter.join().unwrap(), (true, 3));
    });
}
