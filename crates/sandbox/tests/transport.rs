//! The sandbox in place of the network, under virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use activity_status::builtin::VirtualClock;
use activity_status::plugin::{
    Clock, Delivery, Failure, Head, Header, Interrupted, Method, Request, Response, Transport, TransportError,
};
use activity_status_sandbox::{Fault, Planned, Quota, SandboxTransport, Settings};

const KEYS: [Header<'_>; 4] = [
    Header { name: "x-api-key", value: "sandbox-api-key" },
    Header { name: "x-lsq-accesskey", value: "sandbox-access-key" },
    Header { name: "x-lsq-secretkey", value: "sandbox-secret-key" },
    Header { name: "content-type", value: "application/json" },
];

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Submits, with a minute's patience; answers when the head came, and what came of it.
fn submit(
    transport: &SandboxTransport,
    clock: &dyn Clock,
) -> (Option<Duration>, Result<Response, TransportError>) {
    let url = "https://asyncapi.example/lead/capture";
    let request = Request {
        method: Method::Post,
        url,
        headers: &KEYS,
        body: Some(b"{}"),
        time_left: secs(60),
        cancelled: &Arc::default(),
        new_connection: &AtomicBool::new(false),
    };
    let mut head_at = None;
    let answer = transport.send(&request, &mut |_: &Head| head_at = Some(clock.now()));
    (head_at, answer)
}

fn slow_road(faults: Vec<Planned>) -> Settings {
    Settings {
        latency_in: (secs(2), secs(2)),
        latency_out: (secs(3), secs(3)),
        faults,
        ..Settings::default()
    }
}

#[test]
fn an_answer_takes_the_way_there_and_the_way_back() {
    let clock = Arc::new(VirtualClock::new());
    let transport = SandboxTransport::new(slow_road(vec![]), clock.clone());
    let (head_at, answer) = submit(&transport, &clock);
    let answer = answer.unwrap();
    assert_eq!((answer.head.status, head_at, clock.now()), (200, Some(secs(5)), secs(5)));
    let id = transport.sandbox().lock().unwrap().ids().next().unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains(&id));

    let url = format!("http://127.0.0.1:1/lead/capture/status?RequestID={id}");
    let request = Request {
        method: Method::Get,
        url: &url,
        headers: &KEYS[..1],
        body: None,
        time_left: secs(60),
        cancelled: &Arc::default(),
        new_connection: &AtomicBool::new(false),
    };
    let answer = transport.send(&request, &mut |_: &Head| ()).unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("Success"));
    assert_eq!(transport.book().succeeded, 1);
}

#[test]
fn latency_is_drawn_from_its_range_and_repeats() {
    let times = |seed| {
        let clock = Arc::new(VirtualClock::new());
        let settings = Settings {
            seed,
            latency_in: (secs(1), secs(2)),
            latency_out: (secs(0), secs(1)),
            ..Settings::default()
        };
        let transport = SandboxTransport::new(settings, clock.clone());
        let mut last = Duration::ZERO;
        let mut trip = || {
            submit(&transport, &clock).1.unwrap();
            let took = clock.now() - last;
            last = clock.now();
            took
        };
        [trip(), trip(), trip()]
    };
    assert!(times(1).iter().all(|took| *took >= secs(1) && *took <= secs(3)), "{:?}", times(1));
    assert_eq!(times(1), times(1));
    assert_ne!(times(1), times(2));
}

#[test]
fn each_fault_as_a_transport_tells_it() {
    use Delivery::{InDoubt, NotSent};
    use Failure::{Connection, Malformed, TimedOut};
    // fault; the status or the error; whether a head came; when it was over; whether a job was queued
    for (fault, expected, head, over_at, accepted) in [
        (Fault::Unreachable, Err((NotSent, Connection)), false, 0, 0),
        (Fault::ServerError, Ok(500), true, 5, 0),
        (Fault::HtmlError, Ok(500), true, 5, 0),
        (Fault::TooManyRequests, Ok(429), true, 5, 0),
        (Fault::Redirect, Ok(302), true, 5, 0),
        (Fault::Silence, Err((InDoubt, TimedOut)), false, 60, 0),
        (Fault::Reset, Err((InDoubt, Connection)), false, 5, 0),
        (Fault::AnswerLost, Err((InDoubt, Connection)), false, 5, 1),
        (Fault::EmptyAnswer, Ok(200), true, 5, 1),
        (Fault::Truncated, Err((InDoubt, Malformed)), true, 5, 1),
        (Fault::SlowBody, Ok(200), true, 15, 1),
        (Fault::Huge, Err((InDoubt, Malformed)), true, 5, 1),
    ] {
        let clock = Arc::new(VirtualClock::new());
        let transport = SandboxTransport::new(slow_road(vec![fault.into()]), clock.clone());
        let (head_at, answer) = submit(&transport, &clock);
        let told = answer.map(|it| it.head.status).map_err(|it| (it.delivery, it.failure));
        assert_eq!((told, head_at.is_some(), clock.now()), (expected, head, secs(over_at)), "{fault:?}");
        assert_eq!(transport.book().accepted, accepted, "{fault:?}");
        assert_eq!(submit(&transport, &clock).1.unwrap().head.status, 200, "{fault:?} is used up");
    }
    let clock = Arc::new(VirtualClock::new());
    let settings = Settings { slow_body: secs(100), ..slow_road(vec![Fault::SlowBody.into()]) };
    let transport = SandboxTransport::new(settings, clock.clone());
    assert_eq!(submit(&transport, &clock).1.unwrap_err().failure, TimedOut);
    assert_eq!(clock.now(), secs(60));
}

#[test]
fn a_call_that_timed_out_arrives_all_the_same() {
    for (there, back) in [(secs(70), secs(0)), (secs(0), secs(70))] {
        let clock = Arc::new(VirtualClock::new());
        let settings =
            Settings { latency_in: (there, there), latency_out: (back, back), ..Settings::default() };
        let transport = SandboxTransport::new(settings, clock.clone());
        let error = submit(&transport, &clock).1.unwrap_err();
        assert_eq!(
            (error.delivery, error.failure, clock.now()),
            (Delivery::InDoubt, Failure::TimedOut, secs(60))
        );
        assert_eq!(transport.book().accepted, u64::from(there.is_zero()));
        clock.sleep(secs(10)).unwrap();
        assert_eq!(transport.book().accepted, 1);
    }
}

/// A clock on which nobody may wait.
struct Impatient;

impl Clock for Impatient {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
    fn wall(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) -> Result<(), Interrupted> {
        Err(Interrupted)
    }
}

#[test]
fn an_interruption_leaves_the_call_in_doubt() {
    let transport = SandboxTransport::new(slow_road(vec![]), Impatient);
    let error = submit(&transport, &Impatient).1.unwrap_err();
    assert_eq!((error.delivery, error.failure), (Delivery::InDoubt, Failure::Interrupted));
    transport.sandbox().lock().unwrap().advance(secs(2));
    assert_eq!(transport.book().accepted, 1);
}

#[test]
fn threads_under_one_clock_repeat_their_history() {
    let history = |seed| {
        let clock = Arc::new(VirtualClock::new());
        let settings = Settings {
            seed,
            latency_in: (secs(0), secs(1)),
            latency_out: (secs(0), secs(1)),
            quota: Quota { calls: 5, ..Quota::default() },
            ..Settings::default()
        };
        let transport = SandboxTransport::new(settings, clock.clone());
        let statuses = clock.run(8, |_| {
            (0..20).map(|_| submit(&transport, &clock).1.unwrap().head.status).collect::<Vec<_>>()
        });
        (statuses, transport.book(), clock.now())
    };
    let first = history(1);
    assert_eq!(first, history(1));
    assert_ne!(first.2, history(2).2);
    let book = first.1;
    assert_eq!((book.calls(), book.accepted + book.refused), (160, 160));
    assert!(book.refused > 50 && book.accepted > 5 && book.busiest_window > 20, "{book:?}");
}
