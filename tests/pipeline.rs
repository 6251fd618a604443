//! The order in which a client's parts act, in virtual time, with parts that write down what they see.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, Slots, VirtualClock};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Delivery, Event, Failure, Head, Interrupted, Limiter, LimiterError, Permit,
    Request, Response, Settlement, TransportError,
};
use activity_status::{
    Client, ClientBuilder, Endpoint, ErrorKind, Operation, Outcome, RequestId, Resend, RetryPolicy,
    WaitOptions, parse_duration,
};
use activity_status_tests::{API_KEY, credentials};

const OPERATION: Operation = Operation::ACTIVITY_CREATE;
const BODY: &str = r#"{"RelatedProspectId":"b8e49bf4","ActivityEvent":380}"#;

/// What one attempt meets.
#[derive(Clone, Copy)]
enum Meets {
    Answer(u16, &'static str),
    /// An answer on a connection that was made for it.
    Connected(&'static str),
    Lost,
    NotSent,
    Partly,
    Panic,
}
use Meets::{Answer, Connected, Lost, NotSent, Partly};

const QUEUED: Meets = Answer(200, r#"{"RequestId":"1","TaskStatus":{"Status":"In-Queue"}}"#);
const DONE: Meets = Answer(200, r#"{"RequestId":"1","TaskStatus":{"Status":"Success"}}"#);
const ACCEPTED: Meets = Answer(200, r#"{"RequestID":"1"}"#);
const FAILED: Meets = Answer(500, "");

/// A client whose attempts meet `script` in turn (the last again and again), and what its parts saw.
struct Bench {
    clock: Arc<VirtualClock>,
    diary: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        Bench { clock: Arc::new(VirtualClock::new()), diary: Arc::default() }
    }

    fn client(&self, script: &'static [Meets]) -> ClientBuilder {
        let (clock, diary, turn) = (self.clock.clone(), self.diary.clone(), AtomicUsize::new(0));
        let transport = move |request: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
            let turn = turn.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
            diary.lock().unwrap().push(format!("{:?} send", clock.now()));
            clock.sleep(Duration::from_millis(100)).unwrap();
            let broke = |delivery| TransportError {
                delivery,
                failure: Failure::Connection,
                message: "it broke".to_owned(),
                source: None,
            };
            match script[turn] {
                Connected(body) => {
                    request.new_connection.store(true, Ordering::SeqCst);
                    let head = Head { status: 200, headers: vec![] };
                    on_head(&head);
                    Ok(Response { head, body: body.as_bytes().to_vec() })
                }
                Answer(status, body) => {
                    let head = Head { status, headers: vec![("retry-after".to_owned(), "7".to_owned())] };
                    on_head(&head);
                    clock.sleep(Duration::from_millis(900)).unwrap();
                    Ok(Response { head, body: body.as_bytes().to_vec() })
                }
                Lost => Err(broke(Delivery::InDoubt)),
                NotSent => Err(broke(Delivery::NotSent)),
                Partly => Err(broke(Delivery::Partly)),
                Meets::Panic => panic!("a plugin's bug"),
            }
        };
        Client::builder(Endpoint::INDIA, credentials())
            .transport(transport)
            .clock(self.clock.clone())
            .limiter(Writing(self.diary.clone(), AtomicUsize::new(0)))
    }

    fn diary(&self) -> Vec<String> {
        std::mem::take(&mut self.diary.lock().unwrap())
    }

    fn sends(&self) -> usize {
        self.diary.lock().unwrap().iter().filter(|line| line.ends_with("send")).count()
    }
}

/// A limiter that grants at once and writes down what it is told.
struct Writing(Arc<Mutex<Vec<String>>>, AtomicUsize);

impl Limiter for Writing {
    fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let permit = self.1.fetch_add(1, Ordering::SeqCst) as u64;
        self.0.lock().unwrap().push(format!("{:?} permit {permit} for {class:?}", clock.now()));
        Ok(Acquired::Granted(Permit(permit)))
    }
    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        self.0.lock().unwrap().push(format!("{:?} settled {} {how:?}", clock.now(), permit.0));
        Ok(())
    }
}

fn id() -> RequestId {
    RequestId::new("1").unwrap()
}

#[test]
fn what_left_in_part_may_be_sent_again_and_counts_all_the_same() {
    let bench = Bench::new();
    let client = bench.client(&[Partly, ACCEPTED]).build().unwrap();
    client.submit(&OPERATION, BODY).unwrap();
    let settled: Vec<String> = bench.diary().into_iter().filter(|line| line.contains("settled")).collect();
    assert!(settled[0].ends_with("settled 0 InDoubt"), "{settled:?}");
    assert_eq!(settled.len(), 2, "{settled:?}");
}

#[test]
fn the_limiter_is_told_of_a_call_that_had_to_connect() {
    let bench = Bench::new();
    let client = bench.client(&[Connected(r#"{"RequestId":"1","TaskStatus":{"Status":"Success"}}"#), DONE]);
    let client = client.build().unwrap();
    client.status(&OPERATION, &id()).unwrap();
    client.status(&OPERATION, &id()).unwrap();
    let settled: Vec<String> = bench.diary().into_iter().filter(|line| line.contains("settled")).collect();
    assert!(settled[0].ends_with("settled 0 AnsweredOnNewConnection"), "{settled:?}");
    assert!(settled[1].ends_with("settled 1 Answered"), "{settled:?}");
}

#[test]
fn a_limiter_that_gives_calls_up_too_soon_is_refused() {
    let rules = SlotRules::new(Quota::default()).unwrap().longest_call(Duration::from_secs(60));
    let build = |deadline| {
        Client::builder(Endpoint::INDIA, credentials())
            .limiter(Slots::with(rules))
            .call_deadline(Duration::from_secs(deadline))
            .build()
    };
    assert!(build(60).is_ok());
    let error = build(61).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("longest_call"), "{error}");
}

#[test]
fn every_attempt_has_a_permit_that_is_settled_when_the_head_comes() {
    let bench = Bench::new();
    let client = bench.client(&[FAILED, NotSent, Lost, Answer(429, ""), DONE]).build().unwrap();
    assert_eq!(client.status(&OPERATION, &id()).unwrap().outcome(), Outcome::Succeeded);
    let diary = bench.diary();
    let kinds: Vec<&str> = diary.iter().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(
        kinds,
        [
            "permit 0 for Poll",
            "send",
            "settled 0 Answered",
            "permit 1 for Poll",
            "send",
            "settled 1 NotSent",
            "permit 2 for Poll",
            "send",
            "settled 2 InDoubt",
            "permit 3 for Poll",
            "send",
            "settled 3 Refused { retry_after: Some(7s) }",
            "permit 4 for Poll",
            "send",
            "settled 4 Answered",
        ]
    );
    assert_eq!(
        (&*diary[1], &*diary[2]),
        ("0ns send", "100ms settled 0 Answered"),
        "not after the body, at 1 s"
    );
}

#[test]
fn a_submit_in_doubt_is_never_sent_again_unasked() {
    for meets in [&[Lost, ACCEPTED][..], &[FAILED, ACCEPTED], &[Answer(200, "<html>"), ACCEPTED]] {
        let bench = Bench::new();
        let client = bench.client(meets).build().unwrap();
        let error = client.submit(&OPERATION, BODY).unwrap_err();
        assert_eq!(
            (error.resend(), error.attempts(), bench.sends()),
            (Resend::MayDuplicate, 1, 1),
            "{error}"
        );
    }
    for meets in [&[Answer(429, ""), Lost][..], &[NotSent, Lost], &[Answer(429, ""), Answer(500, "")]] {
        let client = Bench::new().client(meets).build().unwrap();
        let error = client.submit(&OPERATION, BODY).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InDoubt | ErrorKind::Server),
            "the last attempt's: {error}"
        );
        assert_eq!((error.resend(), error.attempts()), (Resend::MayDuplicate, 2), "{error}");
    }
    for meets in [&[NotSent, ACCEPTED][..], &[Answer(429, ""), ACCEPTED]] {
        let bench = Bench::new();
        let client = bench.client(meets).build().unwrap();
        assert_eq!((client.submit(&OPERATION, BODY).unwrap(), bench.sends()), (id(), 2));
    }
}

#[test]
fn what_was_in_doubt_once_stays_in_doubt() {
    let twice = RetryPolicy::new().accept_duplicates(true).max_attempts(2);
    let bench = Bench::new();
    let client = bench.client(&[Lost, ACCEPTED]).retry(twice.clone()).build().unwrap();
    assert_eq!(client.submit(&OPERATION, BODY).unwrap(), id());
    for last in [&[Lost, NotSent][..], &[Lost, Answer(400, "")], &[Lost, Answer(401, "")]] {
        let bench = Bench::new();
        let client = bench.client(last).retry(twice.clone()).build().unwrap();
        let error = client.submit(&OPERATION, BODY).unwrap_err();
        assert_eq!((error.resend(), error.attempts()), (Resend::MayDuplicate, 2), "{error}");
    }
}

#[test]
fn attempts_and_deadline_bound_a_call() {
    let bench = Bench::new();
    let client = bench.client(&[FAILED]).build().unwrap();
    let error = client.status(&OPERATION, &id()).unwrap_err();
    assert_eq!((error.kind(), error.attempts(), bench.sends()), (ErrorKind::Server, 5, 5));

    let bench = Bench::new();
    let client = bench.client(&[FAILED]).call_deadline(Duration::from_millis(2500)).build().unwrap();
    let error = client.status(&OPERATION, &id()).unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Server, 2),
        "the failure says more than the deadline"
    );
    assert!(bench.clock.now() <= Duration::from_millis(2500));

    let bench = Bench::new();
    let client = bench.client(&[Answer(429, "")]).build().unwrap();
    let error = client.status(&OPERATION, &id()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        bench.sends() > 5 && bench.sends() < 20,
        "refusals are no attempts, but they pause: {}",
        bench.sends()
    );
}

#[test]
fn a_limiter_that_cannot_tell_stops_the_call() {
    struct Broken;
    impl Limiter for Broken {
        fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
            Err(LimiterError { message: "its store is gone".to_owned(), source: Some("cause".into()) })
        }
        fn leave(&self) {
            unreachable!("it cannot hear either")
        }
        fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            unreachable!("nothing was granted")
        }
    }
    let bench = Bench::new();
    let client = bench.client(&[ACCEPTED]).limiter(Broken).build().unwrap();
    let error = client.submit(&OPERATION, BODY).unwrap_err();
    assert_eq!((error.kind(), error.resend(), error.attempts()), (ErrorKind::Limiter, Resend::Safe, 0));
    assert!(error.to_string().contains("its store is gone"));
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "cause");
    assert_eq!(bench.sends(), 0);
}

#[test]
fn an_observer_is_told_of_a_settlement_that_failed_and_of_no_key() {
    struct Chatty;
    impl Limiter for Chatty {
        fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
            Ok(Acquired::Granted(Permit(0)))
        }
        fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            Err(LimiterError { message: format!("no row for {API_KEY}"), source: None })
        }
    }
    let (bench, told) = (Bench::new(), Arc::new(Mutex::new(Vec::new())));
    let heard = told.clone();
    let observer = move |event: &Event<'_>| {
        if let Event::SettleFailed { error } = event {
            heard.lock().unwrap().push(error.to_string());
        }
    };
    let client = bench.client(&[DONE]).limiter(Chatty).observer(observer).build().unwrap();
    client.status(&OPERATION, &id()).unwrap();
    assert_eq!(*told.lock().unwrap(), ["no row for ***"]);
}

#[test]
fn a_limiter_that_says_wait_is_waited_for_and_never_spun_on() {
    struct Stingy(Duration, Arc<AtomicUsize>);
    impl Limiter for Stingy {
        fn try_acquire(&self, _: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            let free = clock.now() >= Duration::from_secs(3);
            Ok(if free { Acquired::Granted(Permit(0)) } else { Acquired::RetryAfter(self.0) })
        }
        fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            Err(LimiterError { message: "not recorded".to_owned(), source: None })
        }
    }
    for (wait, most) in [(Duration::from_secs(3), 2), (Duration::ZERO, 3001)] {
        let (bench, asked) = (Bench::new(), Arc::new(AtomicUsize::new(0)));
        let client = bench.client(&[DONE]).limiter(Stingy(wait, asked.clone())).build().unwrap();
        assert!(
            client.status(&OPERATION, &id()).is_ok(),
            "what the limiter could not record does not lose the answer"
        );
        assert!(asked.load(Ordering::SeqCst) <= most);
    }
    let bench = Bench::new();
    let never = Stingy(Duration::from_secs(3600), Arc::default());
    let client = bench.client(&[DONE]).limiter(never).build().unwrap();
    let error = client.status(&OPERATION, &id()).unwrap_err();
    assert_eq!((error.kind(), error.resend(), bench.sends()), (ErrorKind::Deadline, Resend::Safe, 0));
    assert_eq!(bench.clock.now(), Duration::ZERO, "it does not wait for what cannot come in time");
}

#[test]
fn who_does_not_wait_any_longer_gives_its_place_up() {
    struct Full(Arc<AtomicUsize>);
    impl Limiter for Full {
        fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
            Ok(Acquired::RetryAfter(Duration::from_secs(3600)))
        }
        fn leave(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            unreachable!("nothing was granted")
        }
    }
    let (bench, left) = (Bench::new(), Arc::new(AtomicUsize::new(0)));
    let client = bench.client(&[DONE]).limiter(Full(left.clone())).build().unwrap();
    assert_eq!(client.status(&OPERATION, &id()).unwrap_err().kind(), ErrorKind::Deadline);
    assert_eq!(left.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panicking_plugin_hurts_no_one_else() {
    let bench = Bench::new();
    let client =
        bench.client(&[DONE]).observer(|_: &Event<'_>| panic!("a bug in an observer")).build().unwrap();
    assert!(client.status(&OPERATION, &id()).is_ok());

    let bench = Bench::new();
    let client = bench.client(&[Meets::Panic, DONE]).build().unwrap();
    let call = || client.status(&OPERATION, &id());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    assert!(bench.diary().iter().any(|line| line.ends_with("settled 0 InDoubt")), "its slot is not lost");
    assert!(call().is_ok());

    struct Panicking;
    impl Limiter for Panicking {
        fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
            Ok(Acquired::Granted(Permit(0)))
        }
        fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            panic!("another plugin's bug")
        }
    }
    let client = bench.client(&[Meets::Panic]).limiter(Panicking).build().unwrap();
    let call = || client.status(&OPERATION, &id());
    assert!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err(),
        "and the process lives on"
    );
}

#[test]
fn observers_see_each_step() {
    let (bench, seen) = (Bench::new(), Arc::new(Mutex::new(Vec::new())));
    let log = seen.clone();
    let observer = move |event: &Event<'_>| {
        log.lock().unwrap().push(format!("{event:?}").split([' ', '{']).next().unwrap().to_owned());
    };
    let client = bench.client(&[Answer(429, ""), DONE]).observer(observer).build().unwrap();
    client.status(&OPERATION, &id()).unwrap();
    let expected = ["Sending", "Answered", "Refused", "Retrying", "Sending", "Answered", "Status"];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_wait_asks_until_settled_and_the_less_often_the_longer_it_lasts() {
    let bench = Bench::new();
    const SCRIPT: [Meets; 41] = {
        let mut script = [QUEUED; 41];
        script[40] = DONE;
        script
    };
    let options = WaitOptions::new().price(Duration::from_secs(2));
    let status = bench.client(&SCRIPT).build().unwrap().wait(&OPERATION, &id(), &options).unwrap();
    assert_eq!((status.outcome(), bench.sends()), (Outcome::Succeeded, 41));
    let sent: Vec<f64> = bench
        .diary()
        .iter()
        .filter_map(|line| line.strip_suffix(" send"))
        .map(|at| parse_duration(at.replace("0ns", "0s").as_str()).unwrap().as_secs_f64())
        .collect();
    let pauses: Vec<f64> = sent.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(sent[0] == 0.0 && pauses.len() == 40, "{sent:?}");
    assert!(pauses[1] >= 2.0 && pauses[39] > 2.0 * pauses[1] && pauses[39] < 120.0, "{pauses:?}");
}

#[test]
fn a_question_that_fails_for_a_while_does_not_lose_the_job() {
    let bench = Bench::new();
    let script = &[QUEUED, FAILED, Lost, NotSent, Answer(200, "<html>"), FAILED, Answer(429, ""), DONE];
    let client = bench.client(script).retry(RetryPolicy::none()).build().unwrap();
    assert_eq!(client.wait(&OPERATION, &id(), &WaitOptions::new()).unwrap().outcome(), Outcome::Succeeded);
}

#[test]
fn a_wait_that_runs_out_carries_the_last_status() {
    for seconds in [0, 1, 2, 5, 60] {
        let bench = Bench::new();
        let client = bench.client(&[QUEUED]).build().unwrap();
        let options = WaitOptions::new().deadline(Duration::from_secs(seconds));
        let error = client.wait(&OPERATION, &id(), &options).unwrap_err();
        assert_eq!((error.kind(), error.resend()), (ErrorKind::Deadline, Resend::Safe), "{error}");
        assert!(bench.clock.now() <= Duration::from_secs(seconds + 1), "{:?}", bench.clock.now());
        if seconds > 0 {
            assert_eq!(error.last_status().unwrap().state().as_str(), "In-Queue");
            assert!(error.to_string().contains("In-Queue"), "{error}");
        }
        if seconds > 2 {
            let last = bench.diary().iter().rfind(|line| line.ends_with("send")).cloned().unwrap();
            assert!(
                last.starts_with(&(seconds - 1).to_string()),
                "the last look is a second before the end: {last}"
            );
        }
    }
    let bench = Bench::new();
    let client = bench.client(&[QUEUED, Answer(401, "")]).build().unwrap();
    let error = client.wait(&OPERATION, &id(), &WaitOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "what asking again would not mend ends the wait");
    assert!(error.last_status().is_some());
}

#[test]
fn a_wait_uses_the_time_it_was_given() {
    for (deadline, settles) in [(500, 200), (500, 440), (1000, 890), (3000, 2600), (10_000, 8900)] {
        let clock = Arc::new(VirtualClock::new());
        let now = clock.clone();
        let settling = move |_: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
            let settled = now.now() >= Duration::from_millis(settles);
            let Answer(status, body) = (if settled { DONE } else { QUEUED }) else { unreachable!() };
            let head = Head { status, headers: vec![] };
            on_head(&head);
            Ok::<_, TransportError>(Response { head, body: body.as_bytes().to_vec() })
        };
        let client = Client::builder(Endpoint::INDIA, credentials()).transport(settling).clock(clock.clone());
        let options = WaitOptions::new().deadline(Duration::from_millis(deadline));
        let status = client.build().unwrap().wait(&OPERATION, &id(), &options);
        assert_eq!(status.unwrap().outcome(), Outcome::Succeeded, "settled at {settles} of {deadline} ms");
    }
    let bench = Bench::new();
    let options = WaitOptions::new().deadline(Duration::MAX).price(Duration::MAX);
    assert!(bench.client(&[QUEUED, DONE]).build().unwrap().wait(&OPERATION, &id(), &options).is_ok());
}

#[test]
fn a_wait_at_the_wrong_address_ends_soon_and_says_so() {
    for (script, kind) in [
        (&[NotSent][..], ErrorKind::Transport),
        (&[Answer(200, "<html>")], ErrorKind::Malformed),
        (&[Answer(302, "")], ErrorKind::Malformed),
    ] {
        let bench = Bench::new();
        let client = bench.client(script).build().unwrap();
        let error = client.wait(&OPERATION, &id(), &WaitOptions::new()).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(bench.sends() <= 15 && bench.clock.now() < Duration::from_secs(120), "{error}");
    }
    // Only what never reaches the vendor counts, and only in a row.
    let bench = Bench::new();
    let script = &[NotSent, FAILED, NotSent, FAILED, NotSent, NotSent, DONE];
    let client = bench.client(script).retry(RetryPolicy::none()).build().unwrap();
    assert!(client.wait(&OPERATION, &id(), &WaitOptions::new()).is_ok());
    // The vendor failing is another thing: it may come back.
    let bench = Bench::new();
    let script = &[FAILED, FAILED, FAILED, FAILED, FAILED, FAILED, DONE];
    let client = bench.client(script).retry(RetryPolicy::none()).build().unwrap();
    assert!(client.wait(&OPERATION, &id(), &WaitOptions::new()).is_ok());
    let client = bench.client(&[FAILED]).build().unwrap();
    let error =
        client.wait(&OPERATION, &id(), &WaitOptions::new().deadline(Duration::from_secs(60))).unwrap_err();
    assert!(error.kind() == ErrorKind::Deadline && error.attempts() > 5, "{error}");
    assert!(
        std::error::Error::source(&error).unwrap().to_string().contains("500"),
        "the last trouble is the cause"
    );
}

#[test]
fn an_interrupted_clock_ends_every_wait() {
    struct Stopped(Arc<VirtualClock>);
    impl Clock for Stopped {
        fn now(&self) -> Duration {
            self.0.now()
        }
        fn wall(&self) -> Duration {
            self.0.wall()
        }
        fn sleep(&self, _: Duration) -> Result<(), Interrupted> {
            Err(Interrupted)
        }
    }
    let bench = Bench::new();
    let client = bench.client(&[QUEUED]).clock(Stopped(bench.clock.clone())).build().unwrap();
    let error = client.wait(&OPERATION, &id(), &WaitOptions::new()).unwrap_err();
    assert_eq!((error.kind(), error.resend()), (ErrorKind::Interrupted, Resend::Safe));
    assert!(error.last_status().is_some());

    let bench = Bench::new();
    let retry = RetryPolicy::new().accept_duplicates(true);
    let client = bench.client(&[Lost]).retry(retry).clock(Stopped(bench.clock.clone())).build().unwrap();
    let error = client.submit(&OPERATION, BODY).unwrap_err();
    assert_eq!((error.kind(), error.resend()), (ErrorKind::InDoubt, Resend::MayDuplicate), "{error}");
}

#[test]
fn the_outcome_rule_can_be_replaced() {
    let bench = Bench::new();
    let parked = |status: &activity_status::JobStatus| match status.state().as_str() {
        "In-Queue" => Outcome::Failed,
        _ => Outcome::Pending,
    };
    let client = bench.client(&[QUEUED]).outcome_rule(parked).build().unwrap();
    assert_eq!(client.wait(&OPERATION, &id(), &WaitOptions::new()).unwrap().outcome(), Outcome::Failed);
}
