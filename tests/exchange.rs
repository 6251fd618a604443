//! What is told of the exchange behind an answer or an error: how it came, how long it took, how it was lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::VirtualClock;
use activity_status::plugin::{
    Acquired, CallClass, Clock, Delivery, Event, Failure, Head, Interrupted, Limiter, LimiterError, Permit,
    Request, Response, Settlement, TransportError,
};
use activity_status::{
    Client, ClientBuilder, Endpoint, Error, ErrorKind, Job, JobStatus, Look, Lost, Order, Outcome,
    QueueMetrics, RequestId, Resend, RetryPolicy, Step, Tracker, WaitOptions,
};
use activity_status_tests::credentials;
use activity_status_tests::waiting::{OPERATION, Unlimited, http_status, id_of, job};
use activity_status_tests::world::ms;

const BODY: &str = r#"{"RelatedProspectId":"b8e49bf4","ActivityEvent":380}"#;
const METRICS: &str = r#"{"PendingMessages":1}"#;

/// Virtual time that began at 23:40:19 on 23 November 2024.
#[derive(Clone)]
struct Dated(VirtualClock);

const BEGAN: Duration = Duration::from_secs(1_732_405_219);

impl Clock for Dated {
    fn now(&self) -> Duration {
        self.0.now()
    }
    fn wall(&self) -> Duration {
        BEGAN + self.0.now()
    }
    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        self.0.sleep(duration)
    }
}

/// What one attempt meets: each takes 100 ms to the head, and 900 ms more to its end.
#[derive(Clone, Copy)]
enum Meets {
    Answer(u16, &'static str),
    /// The head with this status, and then nothing more.
    Head(u16),
    Fails(Delivery, Failure),
}
use Meets::{Answer, Fails};

const QUEUED: Meets = Answer(200, r#"{"RequestId":"1","TaskStatus":{"Status":"In-Queue"}}"#);
const DONE: Meets = Answer(200, r#"{"RequestId":"1","TaskStatus":{"Status":"Success"}}"#);
const FAILED: Meets = Answer(500, "");
const LOST: Meets = Fails(Delivery::InDoubt, Failure::Connection);
const NOT_SENT: Meets = Fails(Delivery::NotSent, Failure::Connection);

fn head(status: u16) -> Head {
    let headers = [("date", "today"), ("set-cookie", "hidden=1"), ("set-cookie", "hidden=2")];
    Head { status, headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into() }
}

fn trouble(delivery: Delivery, failure: Failure) -> TransportError {
    TransportError { delivery, failure, message: "it broke".to_owned(), source: None }
}

/// A client whose attempts meet `script` in turn, the last again and again.
fn client(clock: &Dated, script: &'static [Meets]) -> ClientBuilder {
    let (time, turn) = (clock.clone(), AtomicUsize::new(0));
    let transport = move |_: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
        let turn = turn.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
        time.sleep(ms(100)).unwrap();
        let (head, returned) = match script[turn] {
            Fails(delivery, failure) => return Err(trouble(delivery, failure)),
            Answer(status, body) => (head(status), Ok(body.as_bytes().to_vec())),
            Meets::Head(status) => (head(status), Err(trouble(Delivery::InDoubt, Failure::TimedOut))),
        };
        on_head(&head);
        time.sleep(ms(900)).unwrap();
        returned.map(|body| Response { head, body })
    };
    Client::builder(Endpoint::INDIA, credentials())
        .transport(transport)
        .clock(clock.clone())
        .limiter(Unlimited)
}

fn clock() -> Dated {
    Dated(VirtualClock::new())
}

fn id() -> RequestId {
    RequestId::new("1").unwrap()
}

/// A limiter that says twice to wait 300 ms before each permit.
#[derive(Clone, Default)]
struct Slow(Arc<AtomicUsize>);

impl Limiter for Slow {
    fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
        match self.0.fetch_add(1, Ordering::SeqCst) % 3 {
            2 => Ok(Acquired::Granted(Permit(0))),
            _ => Ok(Acquired::RetryAfter(ms(300))),
        }
    }
    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        Ok(())
    }
}

#[test]
fn an_answer_tells_how_it_came_and_that_makes_it_no_other_answer() {
    let clock = clock();
    let once = RetryPolicy::new().base_delay(ms(0));
    let client_of =
        |script| client(&clock, script).limiter(Slow::default()).retry(once.clone()).build().unwrap();
    let status = client_of(&[FAILED, DONE]).status(&OPERATION, &id()).unwrap();
    let http = status.http().unwrap();
    assert_eq!((http.status, &http.headers), (200, &head(200).headers));
    assert_eq!((http.attempts, http.waited, http.elapsed), (2, ms(1200), ms(1000)));
    assert!(!format!("{http:?} {status:?}").contains("hidden"));
    assert!(format!("{http:?}").contains("set-cookie"));

    let metrics = client_of(&[Answer(202, METRICS)]).metrics(&OPERATION).unwrap();
    let http = metrics.http().unwrap();
    assert_eq!((http.status, http.attempts, http.waited, http.elapsed), (202, 1, ms(600), ms(1000)));
    assert_eq!(http.headers, head(202).headers);

    let read = JobStatus::from_json(status.raw()).unwrap();
    assert_eq!((&read, read.http()), (&status, None));
    let restored = JobStatus::restore(status.raw(), &id(), status.outcome()).unwrap();
    assert_eq!((&restored, restored.http()), (&status, None));
    let other = JobStatus::restore(status.raw(), &id(), Outcome::Failed).unwrap();
    assert_ne!(other, status, "it does not mean the same");
    let read = QueueMetrics::from_json(METRICS).unwrap();
    assert_eq!((&read, read.http()), (&metrics, None));
    assert_ne!(QueueMetrics::from_json(r#"{"PendingMessages":2}"#).unwrap(), metrics);
}

#[test]
fn observers_and_rules_see_how_an_answer_came() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (rule, observer) = (seen.clone(), seen.clone());
    let client = client(&clock(), &[DONE])
        .outcome_rule(move |status| {
            rule.lock().unwrap().push(status.http().map(|http| http.elapsed));
            Outcome::Succeeded
        })
        .observer(move |event: &Event<'_>| {
            if let Event::Status { status, .. } = event {
                observer.lock().unwrap().push(status.http().map(|http| http.elapsed));
            }
        });
    client.build().unwrap().status(&OPERATION, &id()).unwrap();
    assert_eq!(*seen.lock().unwrap(), [Some(ms(1000)); 2]);
}

/// The next look, in virtual time.
fn next_look(tracker: &mut Tracker, clock: &Dated) -> Look {
    loop {
        match tracker.step() {
            Step::Look(look) => return look,
            Step::Sleep(pause) => clock.sleep(pause).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn of_a_job_that_was_followed_the_looks_are_told_and_the_wait_of_the_last_one() {
    let clock = clock();
    let done = client(&clock, &[QUEUED, FAILED, QUEUED, DONE]).limiter(Slow::default()).build().unwrap();
    let status = done.wait(&OPERATION, &id(), &WaitOptions::new()).unwrap();
    let http = status.http().unwrap();
    assert_eq!((http.attempts, http.waited, http.elapsed), (4, ms(600), ms(1000)));
    assert_eq!(http.headers, head(200).headers);

    let mut tracker = done.tracker(&WaitOptions::new());
    tracker.add(job("1"));
    // By a client of the host's.
    let look = next_look(&mut tracker, &clock);
    clock.sleep(ms(70)).unwrap();
    let Answer(_, body) = QUEUED else { unreachable!() };
    look.answered(Response { head: head(203), body: body.into() });
    next_look(&mut tracker, &clock).send();
    let asked = tracker.last_status(&job("1")).unwrap().http().unwrap();
    assert_eq!((asked.status, asked.attempts, asked.elapsed), (203, 1, ms(70)));
    let Step::Ended(_, outcome) = tracker.step() else { panic!("it has ended") };
    let outcome = outcome.unwrap();
    let http = outcome.http().unwrap();
    assert_eq!((http.status, http.attempts, http.waited, http.elapsed), (200, 2, ms(600), ms(1000)));
}

#[test]
fn a_place_at_the_limiter_that_was_given_up_is_no_wait() {
    let clock = clock();
    let limiter = Slow::default();
    let client = client(&clock, &[DONE]).limiter(limiter.clone()).build().unwrap();
    let mut tracker = client.tracker(&WaitOptions::new().order(Order::Unknown));
    tracker.add(job("2"));
    assert!(matches!(tracker.step(), Step::Sleep(_)));
    assert!(tracker.forget(&job("2")));
    assert!(matches!(tracker.step(), Step::Done));
    clock.sleep(ms(50_000)).unwrap();
    limiter.0.store(0, Ordering::SeqCst);
    tracker.add(job("1"));
    next_look(&mut tracker, &clock).send();
    let Step::Ended(_, outcome) = tracker.step() else { panic!("it has ended") };
    assert_eq!(outcome.unwrap().http().unwrap().waited, ms(600));
}

#[test]
fn an_error_tells_how_long_it_took_to_fail() {
    let clock = clock();
    let elapsed = |error: Error| error.elapsed();
    let client_of = |script| client(&clock, script).limiter(Slow::default()).call_deadline(ms(9000));
    let at = clock.now();
    let error = client_of(&[FAILED]).build().unwrap().status(&OPERATION, &id()).unwrap_err();
    let took = clock.now() - at;
    assert!(error.attempts() > 1 && took > ms(5000), "{error}");
    assert_eq!(elapsed(error), Some(took));
    let refused = client_of(&[Answer(401, "")]).build().unwrap();
    assert_eq!(elapsed(refused.submit(&OPERATION, BODY).unwrap_err()), Some(ms(1600)));
    assert_eq!(elapsed(refused.metrics(&OPERATION).unwrap_err()), Some(ms(1600)));
    assert_eq!(elapsed(refused.submit(&OPERATION, "no JSON").unwrap_err()), None, "nothing was begun");

    let queued = client_of(&[QUEUED]).build().unwrap();
    let at = clock.now();
    let error = queued.wait(&OPERATION, &id(), &WaitOptions::new().deadline(ms(30_000))).unwrap_err();
    assert_eq!((error.kind(), error.elapsed()), (ErrorKind::Deadline, Some(clock.now() - at)));
    let mut tracker = queued.tracker(&WaitOptions::new().deadline(ms(30_000)));
    clock.sleep(ms(10_000)).unwrap();
    tracker.add(job("1"));
    clock.sleep(ms(20_000)).unwrap();
    let Step::Ended(_, outcome) = tracker.step() else { panic!("its time is over") };
    assert_eq!(elapsed(outcome.unwrap_err()), Some(ms(20_000)), "since it was added");
}

/// What a call with one attempt, or two at once, ends with.
fn lost(script: &'static [Meets]) -> (Error, Option<Lost>) {
    let clock = clock();
    clock.sleep(ms(500)).unwrap();
    let twice =
        RetryPolicy::new().accept_duplicates(true).max_attempts(script.len() as u32).base_delay(ms(0));
    let error = client(&clock, script).retry(twice).build().unwrap().submit(&OPERATION, BODY).unwrap_err();
    let lost = error.lost().copied();
    (error, lost)
}

#[test]
fn of_an_answer_that_was_lost_it_is_told_when_it_was_sent_and_how_far_it_came() {
    let (error, told) = lost(&[Meets::Head(201)]);
    let told = told.unwrap();
    assert_eq!((told.sent_at, told.delivery), (BEGAN + ms(500), Delivery::InDoubt));
    assert_eq!((told.failure, told.head, error.http_status()), (Failure::TimedOut, Some(201), Some(201)));
    assert_eq!(
        error.to_string(),
        "it broke (activity.create, sent at 2024-11-23 23:40:19 UTC, its answer began with 201, 1 attempt). Look in \
         the CRM before you send it again: that may create it twice"
    );
    let (error, told) = lost(&[LOST]);
    assert_eq!((told.unwrap().failure, told.unwrap().head), (Failure::Connection, None));
    assert_eq!(error.http_status(), None);
    assert!(
        error.to_string().contains("(activity.create, sent at 2024-11-23 23:40:19 UTC, 1 attempt)"),
        "{error}"
    );
    let (error, told) = lost(&[NOT_SENT]);
    assert_eq!((error.kind(), told.unwrap().delivery), (ErrorKind::Transport, Delivery::NotSent));
    assert!(!error.to_string().contains("sent at"), "{error}");
    for whole in [&[FAILED][..], &[Answer(200, "<html>")], &[Answer(400, "")]] {
        assert_eq!(lost(whole).1, None, "a whole answer came");
    }
    // A question is never in doubt, and its answer may be lost all the same.
    let once = client(&clock(), &[Meets::Head(200)]).retry(RetryPolicy::none()).build().unwrap();
    let error = once.status(&OPERATION, &id()).unwrap_err();
    assert_eq!((error.kind(), error.lost().unwrap().head), (ErrorKind::TimedOut, Some(200)));
    assert!(!error.to_string().contains("sent at"), "{error}");
}

#[test]
fn what_is_told_of_a_doubt_is_of_the_attempt_that_caused_it() {
    let first = |told: Option<Lost>| told.is_some_and(|told| told.sent_at == BEGAN + ms(500));
    for script in [
        &[LOST, NOT_SENT][..],
        &[LOST, Answer(400, "")],
        &[LOST, FAILED],
        &[LOST, NOT_SENT, NOT_SENT],
        &[LOST, Answer(401, "")],
    ] {
        let (error, told) = lost(script);
        assert_eq!(error.resend(), Resend::MayDuplicate);
        assert!(first(told) && told.unwrap().delivery == Delivery::InDoubt, "{error}: {told:?}");
    }
    // The last one, of several.
    let (_, told) = lost(&[LOST, Meets::Head(200)]);
    assert_eq!((told.unwrap().sent_at, told.unwrap().head), (BEGAN + ms(600), Some(200)));
    // A whole answer has left the doubt: none was lost, though a later attempt was not sent.
    let (error, told) = lost(&[FAILED, NOT_SENT]);
    assert_eq!((error.kind(), error.resend(), told), (ErrorKind::Transport, Resend::MayDuplicate, None));
    // The deadline keeps the next attempt from being made.
    let patient = RetryPolicy::new().accept_duplicates(true).base_delay(ms(1000));
    let clock = clock();
    let cut_short = client(&clock, &[LOST, NOT_SENT]).retry(patient).call_deadline(ms(2000)).build().unwrap();
    let told = cut_short.submit(&OPERATION, BODY).unwrap_err().lost().copied();
    assert_eq!(told.map(|told| (told.sent_at, told.delivery)), Some((BEGAN, Delivery::InDoubt)));
}

#[test]
fn of_a_look_that_a_client_of_the_hosts_lost_the_same_is_told() {
    let clock = clock();
    let mut tracker = client(&clock, &[DONE]).build().unwrap().tracker(&WaitOptions::new());
    tracker.add(Job::new(OPERATION, id()));
    let mut look = next_look(&mut tracker, &clock);
    let sent_at = clock.wall();
    clock.sleep(ms(300)).unwrap();
    look.head_arrived(&head(200));
    clock.sleep(ms(300)).unwrap();
    look.failed(trouble(Delivery::InDoubt, Failure::Malformed));
    assert!(matches!(tracker.step(), Step::Sleep(_) | Step::Look(_)));
    let told = *tracker.last_trouble(&job("1")).unwrap().lost().unwrap();
    assert_eq!((told.sent_at, told.head, told.failure), (sent_at, Some(200), Failure::Malformed));
}

#[test]
fn of_a_vendor_that_was_never_there_each_job_tells_how_its_answer_was_lost() {
    let clock = clock();
    let transport = |request: &Request<'_>, _: &mut dyn FnMut(&Head)| match id_of(request).as_str() {
        "" => http_status(500),
        _ => Err(trouble(Delivery::NotSent, Failure::Connection)),
    };
    let client = client(&clock, &[DONE]).transport(transport).build().unwrap();
    let mut tracker = client.tracker(&WaitOptions::new());
    ["1", "2"].iter().for_each(|id| assert!(tracker.add(job(id))));
    let mut ended = 0;
    loop {
        match tracker.step() {
            Step::Look(look) => look.send(),
            Step::Sleep(pause) => clock.sleep(pause).unwrap(),
            Step::Ended(_, outcome) => {
                let error = outcome.unwrap_err();
                assert_eq!(error.lost().unwrap().failure, Failure::Connection);
                assert_eq!(error.elapsed(), Some(clock.now()));
                ended += 1;
            }
            Step::Done => break,
        }
    }
    assert_eq!(ended, 2);
}
