//! The tracker seen from its parts: what it tells its schedule and its limiter, and when it wakes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use activity_status::builtin::{Frontier, Quota, RoundRobin, SystemClock, VirtualClock};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Delivery, Eta, Failure, Head, JobKey, Limiter, LimiterError, Next, Observed,
    Permit, Request, Response, Schedule, Settlement,
};
use activity_status::{
    Client, ClientBuilder, Endpoint, ErrorKind, Job, Look, Order, Outcome, Step, Tracker, WaitAll,
    WaitOptions,
};
use activity_status_sandbox::Settings;
use activity_status_tests::credentials;
use activity_status_tests::waiting::{
    Eager, OPERATION, Returned, Unlimited, answer, client_of, job, jobs, trouble,
};
use activity_status_tests::world::{World, activity, ms};

/// A client whose vendor answers at once: `In-Queue` so many times, and then `Success`.
fn client(clock: impl Clock + 'static, queued: usize) -> ClientBuilder {
    let asked = AtomicUsize::new(0);
    let transport = move |_: &Request<'_>, on_head: &mut dyn FnMut(&Head)| -> Returned {
        let is_queued = asked.fetch_add(1, Ordering::SeqCst) < queued;
        let response = answer("1", if is_queued { "In-Queue" } else { "Success" })?;
        on_head(&response.head);
        Ok(response)
    };
    Client::builder(Endpoint::INDIA, credentials()).transport(transport).clock(clock)
}

/// Drives a tracker in virtual time, each look answered before the next step.
fn drive(tracker: &mut Tracker, clock: &VirtualClock) -> Vec<Result<Outcome, ErrorKind>> {
    let mut ended = Vec::new();
    loop {
        match tracker.step() {
            Step::Look(look) => look.send(),
            Step::Sleep(pause) => clock.sleep(pause).unwrap(),
            Step::Ended(_, outcome) => {
                ended.push(outcome.map(|status| status.outcome()).map_err(|error| error.kind()));
            }
            Step::Done => return ended,
        }
    }
}

/// What a schedule is told.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Observed(Observed, Duration, Duration),
    Forget(JobKey),
    Hint(u64, f64),
}

/// The default schedule, and a diary of what it is told.
struct Noting(Frontier, Arc<Mutex<Vec<Told>>>);

impl Schedule for Noting {
    fn add(&mut self, lane: u16, submitted_at: Option<Duration>) -> JobKey {
        self.0.add(lane, submitted_at)
    }
    fn next(&mut self, now: Duration) -> Next {
        self.0.next(now)
    }
    fn observe(&mut self, job: JobKey, what: Observed, sent_at: Duration, answered_at: Duration) {
        self.1.lock().unwrap().push(Told::Observed(what, sent_at, answered_at));
        self.0.observe(job, what, sent_at, answered_at);
    }
    fn forget(&mut self, job: JobKey) {
        self.1.lock().unwrap().push(Told::Forget(job));
        self.0.forget(job);
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn eta(&self, now: Duration) -> Option<Eta> {
        self.0.eta(now)
    }
    fn hint(&mut self, lane: u16, ahead: u64, per_second: f64, now: Duration) {
        self.1.lock().unwrap().push(Told::Hint(ahead, per_second));
        self.0.hint(lane, ahead, per_second, now);
    }
}

fn noting() -> (Noting, Arc<Mutex<Vec<Told>>>) {
    let diary = Arc::new(Mutex::new(Vec::new()));
    (Noting(Frontier::new(Quota::default()), diary.clone()), diary)
}

#[test]
fn a_look_counts_from_the_moment_it_is_sent_and_not_from_when_it_was_handed_out() {
    let clock = VirtualClock::new();
    let (schedule, diary) = noting();
    let mut tracker = client(clock.clone(), 0).build().unwrap().tracker_by(schedule, &WaitOptions::new());
    tracker.add(job("1"));
    let Step::Look(look) = tracker.step() else { panic!("the first look goes at once") };
    clock.sleep(ms(5000)).unwrap();
    look.send();
    assert!(matches!(tracker.step(), Step::Ended(..)));
    assert_eq!(*diary.lock().unwrap(), [Told::Observed(Observed::Settled, ms(5000), ms(5000))]);
}

#[test]
fn the_schedule_is_told_how_many_jobs_stand_before_ours() {
    let world = World::new(Settings { others_ahead: 50, rate_per_minute: 60.0, ..Settings::default() });
    let client = world.client().build().unwrap();
    let (schedule, diary) = noting();
    let mut tracker = client.tracker_by(schedule, &WaitOptions::new());
    for n in 0..4 {
        let id = client.submit(&OPERATION, activity(n, "fine")).unwrap();
        tracker.add(Job::new(OPERATION, id).submitted_at(world.clock.wall()));
    }
    assert_eq!(drive(&mut tracker, &world.clock).len(), 4);
    let hints: Vec<Told> =
        diary.lock().unwrap().iter().filter(|told| matches!(told, Told::Hint(..))).cloned().collect();
    let [Told::Hint(ahead, per_second)] = hints[..] else { panic!("{hints:?}") };
    assert!((45..=50).contains(&ahead), "{ahead}");
    assert!(per_second >= 25.0 / 60.0, "{per_second}");
}

#[test]
fn a_look_that_is_on_its_way_is_not_repeated_in_the_last_round() {
    let clock = VirtualClock::new();
    for deadline in (10_000..12_000).step_by(100) {
        let mut tracker = client(clock.clone(), usize::MAX)
            .build()
            .unwrap()
            .tracker(&WaitOptions::new().deadline(ms(deadline)));
        tracker.add(job("1"));
        let (mut held, mut looks) = (None, 0);
        loop {
            match tracker.step() {
                // The last one before the last round is held until the end.
                Step::Look(look) => {
                    assert!(held.is_none(), "deadline {deadline}: a second one");
                    looks += 1;
                    let left = look.time_left();
                    if left < ms(1500) { held = Some(look) } else { look.send() }
                }
                Step::Sleep(pause) => clock.sleep(pause).unwrap(),
                Step::Ended(_, outcome) => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Deadline),
                Step::Done => break,
            }
        }
        assert!(looks > 1 && held.is_some());
        // An answer after the end changes nothing.
        held.unwrap().send();
        assert!(matches!(tracker.step(), Step::Done));
        assert_eq!((tracker.progress().errors, tracker.progress().settled), (1, 0));
    }
}

/// A limiter that fails when told to, says to wait every second time, and counts.
#[derive(Clone, Default)]
struct Moody {
    broken: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    left: Arc<AtomicUsize>,
    settled: Arc<AtomicUsize>,
}

impl Limiter for Moody {
    fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
        if self.broken.load(Ordering::SeqCst) > 0 {
            return Err(LimiterError { message: "its server is away".to_owned(), source: None });
        }
        match self.asked.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => Ok(Acquired::RetryAfter(ms(300))),
            _ => Ok(Acquired::Granted(Permit(0))),
        }
    }
    fn leave(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
    }
    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        self.settled.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_limiter_that_never_answered_ends_the_wait_and_one_that_did_is_waited_for() {
    let clock = VirtualClock::new();
    let limiter = Moody::default();
    let client = client(clock.clone(), 5).limiter(limiter.clone()).build().unwrap();
    limiter.broken.store(1, Ordering::SeqCst);
    let mut tracker = client.tracker(&WaitOptions::new());
    tracker.add(job("1"));
    assert_eq!(drive(&mut tracker, &clock), [Err(ErrorKind::Limiter)]);
    assert_eq!(clock.now(), Duration::ZERO);

    assert!(tracker.add(job("1")), "it is over, and says so of each job");
    assert_eq!(drive(&mut tracker, &clock), [Err(ErrorKind::Limiter)]);

    limiter.broken.store(0, Ordering::SeqCst);
    let mut tracker = client.tracker(&WaitOptions::new());
    tracker.add(job("1"));
    let mut looks = 0;
    while looks < 2 {
        match tracker.step() {
            Step::Look(look) => {
                looks += 1;
                look.send();
            }
            Step::Sleep(pause) => clock.sleep(pause).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    limiter.broken.store(1, Ordering::SeqCst);
    let gone = clock.now();
    let mut sleeps = 0;
    while clock.now() < gone + ms(60_000) {
        let Step::Sleep(pause) = tracker.step() else { panic!("there is no leave") };
        sleeps += 1;
        clock.sleep(pause).unwrap();
    }
    assert!((50..100).contains(&sleeps), "{sleeps} questions in a minute");
    limiter.broken.store(0, Ordering::SeqCst);
    assert_eq!(drive(&mut tracker, &clock), [Ok(Outcome::Succeeded)]);
    assert_eq!(limiter.settled.load(Ordering::SeqCst), 6, "each permit once");
}

#[test]
fn however_many_jobs_end_for_one_reason_no_step_ends_more_than_one() {
    let jobs = jobs(100_000);
    for kind in [ErrorKind::Deadline, ErrorKind::Limiter] {
        let (clock, limiter) = (VirtualClock::new(), Moody::default());
        limiter.broken.store(usize::from(kind == ErrorKind::Limiter), Ordering::SeqCst);
        let client = client(clock.clone(), 0).limiter(limiter).build().unwrap();
        let mut tracker = client.tracker(&WaitOptions::new().deadline(ms(60_000)));
        jobs.iter().for_each(|job| assert!(tracker.add(job.clone())));
        if kind == ErrorKind::Deadline {
            clock.sleep(ms(60_000)).unwrap();
        }
        for (n, expected) in jobs.iter().enumerate() {
            let Step::Ended(job, outcome) = tracker.step() else { panic!("the {n}th has not ended") };
            assert_eq!((&job, outcome.unwrap_err().kind()), (expected, kind));
            let is_followed = |other: &Job| !tracker.add(other.clone());
            assert!(jobs.get(n + 1).is_none_or(is_followed), "with the {n}th, the next has ended");
        }
        assert!(matches!(tracker.step(), Step::Done));
    }
}

#[test]
fn a_place_at_the_limiter_is_given_up_when_nobody_wants_it() {
    let limiter = Moody::default();
    let client = client(VirtualClock::new(), 5).limiter(limiter.clone()).build().unwrap();
    let mut tracker = client.tracker(&WaitOptions::new());
    tracker.add(job("1"));
    let Step::Sleep(pause) = tracker.step() else { panic!("it was told to wait") };
    assert_eq!(pause, ms(300));
    assert_eq!(limiter.left.load(Ordering::SeqCst), 0);
    drop(tracker);
    assert_eq!(limiter.left.load(Ordering::SeqCst), 1);
}

#[test]
fn a_limiter_that_cannot_tell_is_not_told_either_that_nobody_waits() {
    let (clock, limiter) = (VirtualClock::new(), Moody::default());
    let client = client(clock.clone(), 5).limiter(limiter.clone()).build().unwrap();
    let mut tracker = client.tracker(&WaitOptions::new());
    tracker.add(job("1"));
    let Step::Sleep(pause) = tracker.step() else { panic!("it was told to wait") };
    clock.sleep(pause).unwrap();
    limiter.broken.store(1, Ordering::SeqCst);
    assert!(matches!(tracker.step(), Step::Ended(..)));
    drop(tracker);
    assert_eq!(limiter.left.load(Ordering::SeqCst), 0);
}

#[test]
fn an_answer_wakes_whoever_waits() {
    /// Lets the answer go as soon as somebody is parked.
    struct Parking(mpsc::SyncSender<()>);
    impl Clock for Parking {
        fn now(&self) -> Duration {
            SystemClock::new().now()
        }
        fn wall(&self) -> Duration {
            SystemClock::new().wall()
        }
        fn sleep(&self, duration: Duration) -> Result<(), activity_status::plugin::Interrupted> {
            SystemClock::new().sleep(duration)
        }
        fn park(&self, duration: Duration) -> Result<(), activity_status::plugin::Interrupted> {
            assert!(duration > ms(50_000), "it is the schedule's wait");
            let _ = self.0.try_send(());
            SystemClock::new().park(duration)
        }
    }
    let (parked, heard) = mpsc::sync_channel(1);
    let heard = Mutex::new(heard);
    let transport = move |_: &Request<'_>, _: &mut dyn FnMut(&Head)| -> Returned {
        heard.lock().unwrap().recv().expect("somebody parks");
        answer("1", "Success")
    };
    let client = client(Parking(parked), 0).transport(transport).build().unwrap();
    let mut tracker = client.tracker_by(Eager::default(), &WaitOptions::new());
    tracker.add(job("1"));
    let began = SystemClock::new().now();
    let (_, outcome) = WaitAll::from(tracker).next().unwrap();
    assert_eq!(outcome.unwrap().outcome(), Outcome::Succeeded);
    assert!(SystemClock::new().now() - began < ms(30_000), "it slept on");
}

#[test]
fn in_no_order_each_is_asked_in_its_turn_and_the_metrics_once_for_all() {
    let world = World::new(Settings { rate_per_minute: 1.0, others_ahead: 9, ..Settings::default() });
    let client = world.client().build().unwrap();
    let mut tracker = client.tracker(&WaitOptions::new().order(Order::Unknown));
    for n in 0..4 {
        let id = client.submit(&OPERATION, activity(n, "fine")).unwrap();
        tracker.add(Job::new(OPERATION, id).submitted_at(world.clock.wall()));
    }
    let mut asked = Vec::new();
    while asked.len() < 13 {
        match tracker.step() {
            Step::Look(look) => {
                asked.push(look.request_id().cloned());
                look.send();
            }
            Step::Sleep(pause) => world.clock.sleep(pause).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(asked.iter().filter(|id| id.is_none()).count(), 1, "the metrics");
    asked.retain(Option::is_some);
    let distinct = asked[..4].iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(distinct == 4 && asked[..4] == asked[4..8] && asked[..4] == asked[8..], "{asked:?}");
}

#[test]
fn from_an_answer_to_ones_own_client_the_limiter_learns_no_round_trip() {
    struct Writing(Arc<Mutex<Vec<Settlement>>>);
    impl Limiter for Writing {
        fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
            Ok(Acquired::Granted(Permit(0)))
        }
        fn settle(&self, _: Permit, how: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            self.0.lock().unwrap().push(how);
            Ok(())
        }
    }
    let settled = Arc::new(Mutex::new(Vec::new()));
    let clock = VirtualClock::new();
    let client = client(clock.clone(), 0).limiter(Writing(settled.clone())).build().unwrap();
    let head = |status| Head { status, headers: vec![("retry-after".to_owned(), "7".to_owned())] };
    let mut answers = vec![
        // With the head told first, and without; a refusal; not sent; dropped.
        Box::new(|mut look: Look| {
            look.head_arrived(&head(500));
            look.answered(Response { head: head(500), body: vec![] });
        }) as Box<dyn Fn(Look)>,
        Box::new(|look| look.answered(Response { head: head(503), body: vec![] })),
        Box::new(|look| look.answered(Response { head: head(429), body: vec![] })),
        Box::new(|look| look.failed(trouble(Delivery::NotSent, Failure::Connection))),
        Box::new(drop),
        Box::new(|look| look.answered(answer("1", "Success").unwrap())),
    ]
    .into_iter();
    let mut tracker = client.tracker(&WaitOptions::new());
    tracker.add(job("1"));
    loop {
        match tracker.step() {
            Step::Look(look) => answers.next().expect("as many looks as answers")(look),
            Step::Sleep(pause) => clock.sleep(pause).unwrap(),
            Step::Ended(_, outcome) => assert_eq!(outcome.unwrap().outcome(), Outcome::Succeeded),
            Step::Done => break,
        }
    }
    use Settlement::{AnsweredOnNewConnection, InDoubt, NotSent, Refused};
    let refused = Refused { retry_after: Some(Duration::from_secs(7)) };
    let expected = [
        AnsweredOnNewConnection,
        AnsweredOnNewConnection,
        refused,
        NotSent,
        InDoubt,
        AnsweredOnNewConnection,
    ];
    assert_eq!(*settled.lock().unwrap(), expected);
}

/// The next look, in virtual time.
fn next_look(tracker: &mut Tracker, clock: &VirtualClock) -> Look {
    loop {
        match tracker.step() {
            Step::Look(look) => return look,
            Step::Sleep(pause) => clock.sleep(pause).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// A schedule that gives every job the same key.
#[derive(Default)]
struct OneKey {
    asked: bool,
}

impl Schedule for OneKey {
    fn add(&mut self, _: u16, _: Option<Duration>) -> JobKey {
        self.asked = false;
        JobKey(0)
    }
    fn next(&mut self, _: Duration) -> Next {
        if std::mem::replace(&mut self.asked, true) { Next::Wait(ms(100)) } else { Next::Poll(JobKey(0)) }
    }
    fn observe(&mut self, _: JobKey, _: Observed, _: Duration, _: Duration) {
        self.asked = false;
    }
    fn len(&self) -> usize {
        1
    }
    fn eta(&self, _: Duration) -> Option<Eta> {
        None
    }
}

/// Each schedule there is, and two that do not know what it is to forget.
fn each_schedule(of: &Client) -> [Tracker; 4] {
    let options = WaitOptions::new();
    [
        of.tracker(&options),
        of.tracker_by(RoundRobin::new(Quota::default()), &options),
        of.tracker_by(Eager::default(), &options),
        of.tracker_by(OneKey::default(), &options),
    ]
}

#[test]
fn of_a_forgotten_job_no_step_tells_and_its_answer_is_of_no_account() {
    let (clock, limiter) = (VirtualClock::new(), Moody::default());
    let client = client(clock.clone(), 0).limiter(limiter.clone()).build().unwrap();
    for mut tracker in each_schedule(&client) {
        assert!(!tracker.forget(&job("1")), "it was never added");
        tracker.add(job("1"));
        assert!(tracker.forget(&job("1")) && !tracker.forget(&job("1")));
        assert_eq!((tracker.progress().total, tracker.open().count()), (0, 0));

        tracker.add(job("1"));
        let look = next_look(&mut tracker, &clock);
        assert!(tracker.forget(&job("1")));
        assert!(matches!(tracker.step(), Step::Done), "nobody waits for the answer");
        let settled = limiter.settled.load(Ordering::SeqCst);
        look.answered(answer("1", "Success").unwrap());
        assert_eq!(limiter.settled.load(Ordering::SeqCst), settled + 1, "the quota counts the call");
        assert!(matches!(tracker.step(), Step::Done));
        let progress = tracker.progress();
        assert_eq!((progress.total, progress.settled, progress.errors), (0, 0, 0));
    }
}

#[test]
fn a_job_that_is_added_again_is_asked_again_whatever_the_former_look_brings() {
    let clock = VirtualClock::new();
    let client = client(clock.clone(), 0).limiter(Unlimited).build().unwrap();
    for again in ["1", "2"] {
        for mut tracker in each_schedule(&client) {
            tracker.add(job("1"));
            let former = next_look(&mut tracker, &clock);
            assert!(tracker.forget(&job("1")) && tracker.add(job(again)));
            let look = next_look(&mut tracker, &clock);
            assert_eq!(look.request_id().unwrap().as_str(), again);
            former.answered(answer("1", "Success").unwrap());
            assert!(matches!(tracker.step(), Step::Sleep(_)), "only its own answer ends it");
            look.answered(answer(again, "Success").unwrap());
            let Step::Ended(ended, outcome) = tracker.step() else { panic!("it has ended") };
            assert_eq!((ended, outcome.unwrap().outcome()), (job(again), Outcome::Succeeded));
            assert!(matches!(tracker.step(), Step::Done));
            assert_eq!((tracker.progress().total, tracker.progress().settled), (1, 1));
        }
    }
}

#[test]
fn an_end_that_was_not_told_is_forgotten_too() {
    let clock = VirtualClock::new();
    let client = client(clock.clone(), 0).limiter(Unlimited).build().unwrap();
    let mut tracker = client.tracker_by(Eager::default(), &WaitOptions::new());
    let jobs = jobs(3);
    jobs.iter().for_each(|job| assert!(tracker.add(job.clone())));
    let looks = [(); 3].map(|()| next_look(&mut tracker, &clock));
    for (look, job) in looks.into_iter().zip(&jobs) {
        look.answered(answer(job.request_id().as_str(), "Success").unwrap());
    }
    assert!(matches!(tracker.step(), Step::Ended(..)));
    assert_eq!(tracker.open().count(), 2);
    // Of one that has ended and is followed again, both are.
    assert!(tracker.add(jobs[1].clone()));
    assert_eq!(tracker.progress().total, 4);
    assert!(tracker.forget(&jobs[1]) && !tracker.forget(&jobs[1]));
    let Step::Ended(job, _) = tracker.step() else { panic!("the third one has ended") };
    assert_eq!(job, jobs[2]);
    assert!(matches!(tracker.step(), Step::Done));
    assert_eq!((tracker.progress().total, tracker.progress().settled), (2, 2));
}

#[test]
fn the_schedule_hears_of_what_is_forgotten_and_the_question_still_counts_as_being_on_its_way() {
    let clock = VirtualClock::new();
    let client = client(clock.clone(), usize::MAX).limiter(Unlimited).quota(Quota::new(1, ms(1000)));
    let client = client.build().unwrap();
    let (schedule, diary) = noting();
    let mut tracker = client.tracker_by(schedule, &WaitOptions::new().deadline(ms(20_000)));
    tracker.add(job("1"));
    let look = next_look(&mut tracker, &clock);
    assert!(tracker.forget(&job("1")));
    assert!(matches!(diary.lock().unwrap()[..], [Told::Forget(_)]));
    tracker.add(job("2"));
    // In the last round no more are on their way than the quota has calls.
    clock.sleep(ms(19_100)).unwrap();
    assert!(matches!(tracker.step(), Step::Sleep(_)));
    look.answered(answer("1", "In-Queue").unwrap());
    assert!(matches!(tracker.step(), Step::Look(_)));
}

#[test]
fn some_of_many_are_forgotten_and_each_other_one_ends_once() {
    for order in [Order::Submitted, Order::Unknown] {
        let clock = VirtualClock::new();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let diary = asked.clone();
        let client = client_of(&clock, move |id, now| {
            diary.lock().unwrap().push(id.to_owned());
            let done_at = ms(400) * id.parse().expect("its number");
            answer(id, if now < done_at { "In-Queue" } else { "Success" })
        });
        let mut tracker = client.build().unwrap().tracker(&WaitOptions::new().order(order));
        let jobs = jobs(200);
        jobs.iter().for_each(|job| assert!(tracker.add(job.clone())));
        let (mut held, mut ended, mut forgotten) = (None, Vec::new(), Vec::new());
        for n in 0.. {
            match tracker.step() {
                // Now and then one is forgotten while it is asked about.
                Step::Look(look) if n % 17 == 0 && held.is_none() => {
                    let asked = job(look.request_id().expect("no metrics are worth it").as_str());
                    assert!(tracker.forget(&asked));
                    forgotten.push(asked);
                    held = Some(look);
                }
                Step::Look(look) => look.send(),
                Step::Sleep(pause) => clock.sleep(pause).unwrap(),
                Step::Ended(job, outcome) => {
                    assert_eq!(outcome.unwrap().outcome(), Outcome::Succeeded);
                    ended.push(job);
                }
                Step::Done => break,
            }
            if n % 5 == 0 && forgotten.len() < 120 {
                let one = &jobs[n * 37 % 200];
                if tracker.forget(one) {
                    forgotten.push(one.clone());
                    asked.lock().unwrap().retain(|id| id != one.request_id().as_str());
                }
            }
            if n % 41 == 0 {
                held.take().into_iter().for_each(Look::send);
            }
        }
        assert!(forgotten.len() > 50 && ended.len() > 50, "{} {}", forgotten.len(), ended.len());
        ended.iter().for_each(|job| assert!(!forgotten.contains(job)));
        let mut all: Vec<String> =
            ended.iter().chain(&forgotten).map(|job| job.request_id().to_string()).collect();
        all.sort();
        assert_eq!(all, jobs.iter().map(|job| job.request_id().to_string()).collect::<Vec<_>>());
        assert_eq!(tracker.progress().total, ended.len() as u64);
    }
}
