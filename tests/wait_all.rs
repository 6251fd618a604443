//! Many jobs over one quota: the whole client against the model of the vendor, in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::{Frontier, Quota, VirtualClock};
use activity_status::plugin::{
    Clock, Delivery, Eta, Failure, Head, Interrupted, JobKey, Next, Observed, Request, Response, Schedule,
    Transport, TransportError,
};
use activity_status::{Client, Error, ErrorKind, Job, JobStatus, Order, Outcome, Step, WaitAll, WaitOptions};
use activity_status_sandbox::{Call, CallKind, Fault, Planned, Settings, UnknownId, Window};
use activity_status_tests::waiting::{LONG, OPERATION, job, trouble};
use activity_status_tests::world::{World, activity, jittery, ms};

/// Submits so many activities; `note` tells the sandbox what to make of each.
fn submit(client: &Client, count: usize, note: impl Fn(usize) -> &'static str) -> Vec<Job> {
    let submit = |n| Job::new(OPERATION, client.submit(&OPERATION, activity(n, note(n))).unwrap());
    (0..count).map(submit).collect()
}

/// All that a wait yields, with the moment.
fn collect(all: &mut WaitAll, clock: &VirtualClock) -> Vec<(Duration, Job, Result<JobStatus, Error>)> {
    all.map(|(job, outcome)| (clock.now(), job, outcome)).collect()
}

/// Each of these jobs once, in whatever order.
fn assert_each_once<'a>(jobs: &[Job], ended: impl IntoIterator<Item = &'a Job>) {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    ended.into_iter().for_each(|job| *count.entry(job.request_id().as_str()).or_default() += 1);
    let given: BTreeSet<&str> = jobs.iter().map(|job| job.request_id().as_str()).collect();
    assert!(count.values().all(|times| *times == 1), "{count:?}");
    assert_eq!(count.into_keys().collect::<BTreeSet<_>>(), given);
}

/// Watches that no job is asked about twice at a time, and how many are asked about at once.
#[derive(Clone)]
struct Watched<T> {
    inner: T,
    urls: Arc<Mutex<BTreeSet<String>>>,
    most: Arc<AtomicUsize>,
}

impl<T> Watched<T> {
    fn new(inner: T) -> Self {
        Watched { inner, urls: Arc::default(), most: Arc::default() }
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        let mut urls = self.urls.lock().unwrap();
        assert!(urls.insert(request.url.to_owned()), "two questions about one job at a time");
        self.most.fetch_max(urls.len(), Ordering::SeqCst);
        drop(urls);
        let result = self.inner.send(request, on_head);
        self.urls.lock().unwrap().remove(request.url);
        result
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// How late the schedule alone knows of these ends, in the mean: a constant round trip, no faults, and a quota that counts a
/// call when it is sent.
fn pure_latency(began: Duration, after: Duration, ends: &[Duration], trip: Duration) -> f64 {
    let mut schedule = Frontier::new(Quota::default());
    let end_of: BTreeMap<JobKey, Duration> = ends.iter().map(|end| (schedule.add(0, None), *end)).collect();
    let (mut now, mut latency) = (began, Vec::new());
    let mut flying: Vec<(Duration, JobKey)> = Vec::new();
    let mut calls: VecDeque<Duration> = VecDeque::new();
    loop {
        flying.retain(|(sent, key)| {
            if *sent + trip > now {
                return true;
            }
            let settled = end_of[key] <= *sent + trip / 2;
            let what = if settled { Observed::Settled } else { Observed::Pending };
            schedule.observe(*key, what, *sent, *sent + trip);
            if settled && end_of[key] > after {
                latency.push((*sent + trip - end_of[key]).as_secs_f64());
            }
            false
        });
        let answer = flying.iter().map(|(sent, _)| *sent + trip).min();
        calls.retain(|sent| *sent + ms(5000) > now);
        if calls.len() == 25 {
            now = (calls[0] + ms(5000)).min(answer.unwrap_or(Duration::MAX));
            continue;
        }
        match schedule.next(now) {
            Next::Poll(key) => {
                flying.push((now, key));
                calls.push_back(now);
            }
            Next::Wait(wait) => now = (now + wait).min(answer.unwrap_or(Duration::MAX)),
            Next::Done if flying.is_empty() => return mean(&latency),
            Next::Done => now = answer.expect("something is flying"),
        }
    }
}

#[test]
fn two_thousand_jobs_are_known_about_as_soon_as_the_schedule_alone_would_know() {
    let world = World::new(Settings {
        spread: 1.0,
        latency_in: (ms(20), ms(60)),
        latency_out: (ms(20), ms(60)),
        seed: 7,
        ..Settings::default()
    });
    // Two in a hundred questions meet a 500.
    let on = Some(CallKind::Status);
    let fine = Planned { fault: Fault::Pass, on, times: 49 };
    let failing = Planned { fault: Fault::ServerError, on, times: 1 };
    world.vendor.sandbox().lock().unwrap().plan([fine, failing].into_iter().cycle().take(1000));
    let client = world.client().build().unwrap();
    let (began, ended, progress) = world
        .clock
        .run(1, |_| {
            let jobs = submit(&client, 2000, |n| if n % 20 == 19 { "sandbox:fail" } else { "fine" });
            let began = world.clock.now();
            let mut all = client.wait_all(jobs.clone(), &LONG);
            let ended = collect(&mut all, &world.clock);
            assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
            (began, ended, all.progress())
        })
        .pop()
        .unwrap();
    assert_eq!((progress.total, progress.settled, progress.failed, progress.errors), (2000, 2000, 100, 0));

    let sandbox = world.vendor.sandbox().lock().unwrap();
    let end_of = |id: &str| sandbox.settled_at(id).expect("it has settled");
    // What had ended while the jobs were submitted is read as fast as the quota allows; the others are what it is about.
    let after = began + ms(120_000);
    let known: BTreeMap<&str, Duration> =
        ended.iter().map(|(at, job, _)| (job.request_id().as_str(), *at)).collect();
    let late = |id: String| (end_of(&id) > after).then(|| (known[&*id] - end_of(&id)).as_secs_f64());
    let latency: Vec<f64> = sandbox.ids().filter_map(late).collect();
    assert!(latency.len() > 1500);
    let mean = mean(&latency);
    let ends: Vec<Duration> = sandbox.ids().map(|id| end_of(&id)).collect();
    let pure = pure_latency(began, after, &ends, ms(80));
    let book = sandbox.book();
    println!("mean {mean:.3} s, the schedule alone {pure:.3} s, {} questions", book.status_calls);
    assert!(mean <= 1.3 * pure, "{mean:.3} s is more than 1.3 times {pure:.3} s");
    assert_eq!((book.refused, book.duplicates), (0, 0));
    assert!(book.faults > 200, "{book:?}");
}

/// A vendor that is 300 ms away each way.
fn far_away(settings: Settings) -> World {
    World::new(Settings { latency_in: (ms(300), ms(300)), latency_out: (ms(300), ms(300)), ..settings })
}

#[test]
fn the_quota_is_kept_busy_although_the_vendor_is_far_away() {
    let world = far_away(Settings { rate_per_minute: 60_000.0, ..Settings::default() });
    let transport = Watched::new(world.vendor.clone());
    let client = world.client().transport(transport.clone()).build().unwrap();
    let took = world.clock.run(1, |_| {
        let jobs = submit(&client, 200, |_| "fine");
        world.clock.sleep(ms(20_000)).unwrap();
        let began = world.clock.now();
        let ended = collect(&mut client.wait_all(jobs.clone(), &LONG), &world.clock);
        assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
        world.clock.now() - began
    });
    // One after the other would take 120 s; the quota, whose slots are held for 5.6 s each, 40 s from the 25th on.
    assert!(took[0] < ms(45_000), "{took:?}");
    assert!(transport.most.load(Ordering::SeqCst) > 2);
    let book = world.vendor.book();
    assert_eq!((book.refused, book.status_calls), (0, 200), "one question each");
}

#[test]
fn through_faults_of_every_kind_each_job_ends_once_and_as_it_should() {
    for seed in 0..3 {
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
                Fault::AboutAnother,
                Fault::Redirect,
            ],
            ..jittery(Window::Sliding, true, seed)
        });
        let transport = Watched::new(world.vendor.clone());
        let client = world.client().transport(transport).build().unwrap();
        world.clock.run(1, |_| {
            // A submit in doubt is left alone.
            let note = |n| if n % 5 == 0 { "sandbox:fail" } else { "sandbox:retry=1" };
            let sent = (0..100)
                .filter_map(|n| client.submit(&OPERATION, activity(n, note(n))).ok().map(|id| (n, id)));
            let expected: Vec<(usize, Job)> = sent.map(|(n, id)| (n, Job::new(OPERATION, id))).collect();
            let jobs: Vec<Job> = expected.iter().map(|(_, job)| job.clone()).collect();
            assert!(jobs.len() > 70);
            let mut all = client.wait_all(jobs.clone(), &LONG);
            let ended = collect(&mut all, &world.clock);
            assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
            for (_, job, outcome) in &ended {
                let (n, _) = expected.iter().find(|(_, other)| other == job).unwrap();
                let expected = if n % 5 == 0 { Outcome::Failed } else { Outcome::Succeeded };
                assert_eq!(outcome.as_ref().unwrap().outcome(), expected, "seed {seed}, job {n}");
            }
            let progress = all.progress();
            let failed = expected.iter().filter(|(n, _)| n % 5 == 0).count() as u64;
            assert_eq!((progress.settled, progress.failed), (jobs.len() as u64, failed));
        });
        assert!(world.vendor.book().busiest_window <= 25, "seed {seed}");
    }
}

#[test]
fn at_the_deadline_every_open_job_is_told_of_with_what_was_last_known() {
    let world = World::new(Settings { rate_per_minute: 10.0, ..Settings::default() });
    let client = world.client().build().unwrap();
    world.clock.run(1, |_| {
        let jobs = submit(&client, 60, |_| "fine");
        let began = world.clock.now();
        let options = WaitOptions::new().deadline(ms(60_000));
        let mut all = client.wait_all(jobs.clone(), &options);
        let ended = collect(&mut all, &world.clock);
        assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
        assert_eq!(world.clock.now(), began + ms(60_000));
        let errors: Vec<&Error> = ended.iter().filter_map(|(_, _, outcome)| outcome.as_ref().err()).collect();
        assert!(errors.len() > 30 && errors.iter().all(|error| error.kind() == ErrorKind::Deadline));
        assert!(errors.iter().all(|error| error.request_id().is_some()));
        let state = errors[0].last_status().expect("it was asked about").state().as_str();
        assert!(errors[0].to_string().contains(state), "{}", errors[0]);
        let progress = all.progress();
        assert_eq!((progress.total, progress.errors, progress.open()), (60, errors.len() as u64, 0));
        assert_eq!(progress.settled + progress.errors, 60);
        assert_eq!(all.open().count(), 0);
    });
}

#[test]
fn cancelled_at_any_moment_the_rest_is_open() {
    let world = World::new(Settings::default());
    let client = world.client().build().unwrap();
    world.clock.run(1, |_| {
        let jobs = submit(&client, 30, |_| "fine");
        let mut all = client.wait_all(jobs.clone(), &LONG);
        let canceller = all.canceller();
        let mut ended: Vec<Job> = all.by_ref().take(10).map(|(job, _)| job).collect();
        assert!(!canceller.is_cancelled());
        canceller.cancel();
        let before = world.clock.now();
        assert!(all.next().is_none() && all.next().is_none() && canceller.is_cancelled());
        assert_eq!(world.clock.now(), before);
        assert_eq!(all.open().count(), 20);
        ended.extend(all.open());
        assert_each_once(&jobs, &ended);
        // And another wait goes on with them.
        let open: Vec<Job> = all.open().collect();
        drop(all);
        let ended = collect(&mut client.wait_all(open.clone(), &LONG), &world.clock);
        assert_each_once(&open, ended.iter().map(|(_, job, _)| job));
    });
    assert_eq!(world.vendor.book().refused, 0);
}

#[test]
fn an_interrupted_wait_goes_on_where_it_was() {
    /// Interrupts every third sleep.
    struct Nervous(VirtualClock, AtomicUsize);
    impl Clock for Nervous {
        fn now(&self) -> Duration {
            self.0.now()
        }
        fn wall(&self) -> Duration {
            self.0.wall()
        }
        fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
            self.0.sleep(duration)
        }
        fn park(&self, duration: Duration) -> Result<(), Interrupted> {
            self.0.park(duration)?;
            if self.1.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) { Err(Interrupted) } else { Ok(()) }
        }
        fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
            self.0.spawn(work)
        }
    }
    let world = World::new(Settings { rate_per_minute: 600.0, ..Settings::default() });
    let calm = world.client().build().unwrap();
    world.clock.run(1, |_| {
        let jobs = submit(&calm, 20, |_| "fine");
        let nervous =
            world.client().clock(Nervous((*world.clock).clone(), AtomicUsize::new(0))).build().unwrap();
        let mut all = nervous.wait_all(jobs.clone(), &LONG);
        let (mut ended, mut interruptions) = (Vec::new(), 0);
        while all.progress().open() > 0 {
            match all.next() {
                Some((job, outcome)) => {
                    assert_eq!(outcome.unwrap().outcome(), Outcome::Succeeded);
                    ended.push(job);
                }
                None => interruptions += 1,
            }
            assert_eq!(ended.len() + all.open().count(), 20);
        }
        assert_each_once(&jobs, &ended);
        assert!(interruptions > 3);
    });
}

#[test]
fn what_asking_again_would_not_mend_ends_one_job_and_what_is_wrong_for_all_ends_all() {
    let world = World::new(Settings {
        rate_per_minute: 600.0,
        unknown_id: UnknownId::NotFound,
        ..Settings::default()
    });
    let client = world.client().build().unwrap();
    world.clock.run(1, |_| {
        let mut jobs = submit(&client, 5, |_| "fine");
        jobs.insert(2, job("11111111-1111-4111-8111-111111111111"));
        let ended = collect(&mut client.wait_all(jobs.clone(), &LONG), &world.clock);
        assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
        for (_, job, outcome) in ended {
            match outcome {
                Ok(_) => assert_ne!(job, jobs[2]),
                Err(error) => assert_eq!((&job, error.kind()), (&jobs[2], ErrorKind::NotFound)),
            }
        }

        let keys = activity_status::Credentials::new("a-wrong-key").unwrap();
        let wrong = Client::builder(activity_status::Endpoint::INDIA, keys)
            .transport(world.vendor.clone())
            .clock(world.clock.clone());
        let calls = world.vendor.book().unauthorized;
        let ended = collect(&mut wrong.build().unwrap().wait_all(jobs.clone(), &LONG), &world.clock);
        assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
        let kinds = ended.iter().all(|(_, job, outcome)| {
            let error = outcome.as_ref().unwrap_err();
            error.kind() == ErrorKind::Unauthorized && error.request_id() == Some(job.request_id())
        });
        assert!(kinds && world.vendor.book().unauthorized - calls <= 2, "{:?}", world.vendor.book());

        let nobody = |_: &Request<'_>, _: &mut dyn FnMut(&Head)| Err(nobody_there());
        let nowhere = world.client().transport(nobody).build().unwrap();
        let began = world.clock.now();
        let ended = collect(&mut nowhere.wait_all(jobs.clone(), &LONG), &world.clock);
        assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
        let all_say_so = |(_, _, outcome): &(_, _, Result<_, Error>)| {
            outcome.as_ref().is_err_and(|error| error.to_string().contains("nobody there"))
        };
        assert!(ended.iter().all(all_say_so) && world.clock.now() - began < ms(60_000));
    });
}

/// The vendor is away.
fn nobody_there() -> TransportError {
    trouble(Delivery::NotSent, Failure::Connection)
}

#[test]
fn an_outage_is_sat_out_with_few_calls() {
    let world = World::new(Settings { rate_per_minute: 600.0, ..Settings::default() });
    let (away, calls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inner, gone, counted) = (world.vendor.clone(), away.clone(), calls.clone());
    let flaky = move |request: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
        if gone.load(Ordering::SeqCst) == 0 {
            return inner.send(request, on_head);
        }
        counted.fetch_add(1, Ordering::SeqCst);
        Err(nobody_there())
    };
    let client = world.client().transport(flaky).build().unwrap();
    world.clock.run(1, |_| {
        let jobs = submit(&client, 40, |_| "fine");
        let mut all = client.wait_all(jobs.clone(), &LONG);
        let mut ended: Vec<Job> = all.by_ref().take(10).map(|(job, _)| job).collect();
        away.store(1, Ordering::SeqCst);
        let until = world.clock.now() + ms(600_000);
        while world.clock.now() < until {
            assert!(all.next_within(until - world.clock.now()).is_err(), "nothing can be known");
        }
        away.store(0, Ordering::SeqCst);
        ended.extend(all.by_ref().map(|(job, outcome)| {
            assert!(outcome.is_ok());
            job
        }));
        assert_each_once(&jobs, &ended);
    });
    let calls = calls.load(Ordering::SeqCst);
    assert!((20..130).contains(&calls), "{calls} calls in ten minutes without a vendor");
}

#[test]
fn a_job_that_is_given_twice_is_asked_about_once() {
    let world = World::new(Settings { rate_per_minute: 6000.0, ..Settings::default() });
    let client = world.client().build().unwrap();
    world.clock.run(1, |_| {
        let jobs = submit(&client, 3, |_| "fine");
        world.clock.sleep(ms(5000)).unwrap();
        let twice = jobs.iter().chain(&jobs).cloned();
        let mut all = client.wait_all(twice, &LONG);
        assert!(!all.add(jobs[1].clone()));
        assert_eq!(all.progress().total, 3);
        let ended = collect(&mut all, &world.clock);
        assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
        assert!(all.add(jobs[1].clone()), "once it has ended, it may be asked about anew");
        assert_eq!(collect(&mut all, &world.clock).len(), 1);
    });
    assert_eq!(world.vendor.book().status_calls, 4);
}

#[test]
fn jobs_in_no_order_are_found_too() {
    let world = World::new(Settings { rate_per_minute: 100.0, ..Settings::default() });
    let client = world.client().build().unwrap();
    world.clock.run(1, |_| {
        let mut jobs = submit(&client, 60, |_| "fine");
        jobs.sort_by(|a, b| a.request_id().cmp(b.request_id()));
        let ended = collect(&mut client.wait_all(jobs.clone(), &LONG.order(Order::Unknown)), &world.clock);
        assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
        assert!(ended.iter().all(|(_, _, outcome)| outcome.is_ok()));
    });
}

#[test]
fn the_metrics_are_asked_once_for_a_job_that_was_submitted_just_now() {
    let calls = |with_time: bool| {
        let world = World::new(Settings {
            spread: 1.0,
            others_ahead: 100,
            seed: 3,
            ..jittery(Window::Sliding, true, 3)
        });
        let client = world.client().build().unwrap();
        let mut job = submit(&client, 1, |_| "fine").remove(0);
        if with_time {
            job = job.submitted_at(world.clock.wall());
        }
        let eta = world.clock.run(1, |_| {
            let mut all = client.wait_all([job.clone()], &LONG);
            let mut eta = None;
            while all.next_within(ms(5000)).is_err() {
                eta = eta.or(all.tracker().eta_of(&job));
            }
            eta
        });
        (world.vendor.book(), eta[0])
    };
    let ((without, no_eta), (with, eta)) = (calls(false), calls(true));
    assert_eq!((without.metrics_calls, with.metrics_calls), (0, 1));
    assert_eq!(no_eta, None, "nothing tells when it will be known");
    let Eta { remaining, uncertainty } = eta.expect("the queue's length tells");
    // A hundred jobs at 25 a minute take 240 s; the rate that the metrics tell is one of the first seconds.
    assert!(remaining > ms(60_000) && remaining < ms(300_000), "{remaining:?}");
    assert!(uncertainty > remaining / 20 && uncertainty < remaining, "{uncertainty:?}");
    assert!(
        with.status_calls * 2 < without.status_calls,
        "{} and {}",
        with.status_calls,
        without.status_calls
    );
}

#[test]
fn an_event_loop_with_io_of_its_own_needs_no_thread_and_keeps_the_quota() {
    let world = World::new(jittery(Window::Sliding, true, 9));
    let client = world.client().build().unwrap();
    let jobs = submit(&client, 40, |n| if n == 7 { "sandbox:fail" } else { "fine" });
    let mut tracker = client.tracker(&LONG);
    jobs.iter().for_each(|job| assert!(tracker.add(job.clone())));
    // What is on its way: when its answer is here, and the look that it answers.
    let mut flying = Vec::new();
    let (mut ended, mut dropped) = (Vec::new(), 0);
    loop {
        let now = world.clock.now();
        while let Some(index) = flying.iter().position(|(at, _, _)| *at <= now) {
            let (_, look, reply): (Duration, activity_status::Look, _) = flying.swap_remove(index);
            let activity_status_sandbox::Reply { status, headers, body, .. } = reply;
            look.answered(Response { head: Head { status, headers }, body });
        }
        match tracker.step() {
            Step::Look(look) if dropped < 3 && ended.len() > 5 => {
                dropped += 1;
                drop(look);
            }
            Step::Look(look) => {
                let mut sandbox = world.vendor.sandbox().lock().unwrap();
                let url = look.url();
                assert!(!url.contains("api-key"), "{url}");
                let headers = look.headers().iter().map(|h| (h.name.into(), h.value.into())).collect();
                let call = Call {
                    headers,
                    ..Call::get(
                        &url["https://".len()..]
                            .split_once('/')
                            .map_or(String::new(), |(_, path)| format!("/{path}")),
                    )
                };
                let (there, back) = sandbox.travel(&call).expect("it is there");
                let reply = sandbox.handle(&call, now + there);
                assert!(look.time_left() > ms(1000));
                flying.push((now + there + back, look, reply));
            }
            Step::Sleep(pause) => {
                assert!(!pause.is_zero());
                let answer = flying.iter().map(|(at, _, _)| *at - now).min().unwrap_or(pause);
                world.clock.sleep(pause.min(answer)).unwrap();
            }
            Step::Ended(job, outcome) => ended.push((job, outcome.unwrap())),
            Step::Done => break,
        }
    }
    assert_each_once(&jobs, ended.iter().map(|(job, _)| job));
    assert_eq!(ended.iter().filter(|(_, status)| status.outcome() == Outcome::Failed).count(), 1);
    let book = world.vendor.book();
    assert_eq!((book.refused, dropped), (0, 3));
    assert!(book.busiest_window <= 25, "{book:?}");
}

/// A schedule that breaks every rule there is.
struct Unruly(u64);

impl Schedule for Unruly {
    fn add(&mut self, _: u16, _: Option<Duration>) -> JobKey {
        self.0 += 1;
        JobKey(self.0 / 2)
    }
    fn next(&mut self, _: Duration) -> Next {
        self.0 += 1;
        match self.0 % 7 {
            0 => Next::Done,
            1 => Next::Wait(Duration::ZERO),
            2 => Next::Poll(JobKey(77)),
            _ => Next::Poll(JobKey(1)),
        }
    }
    fn observe(&mut self, _: JobKey, _: Observed, _: Duration, _: Duration) {}
    fn len(&self) -> usize {
        0
    }
    fn eta(&self, _: Duration) -> Option<Eta> {
        None
    }
}

#[test]
fn a_schedule_that_is_wrong_asks_about_no_job_twice_at_a_time_and_loses_none() {
    let world = far_away(Settings { rate_per_minute: 600.0, ..Settings::default() });
    let client = world.client().transport(Watched::new(world.vendor.clone())).build().unwrap();
    world.clock.run(1, |_| {
        let jobs = submit(&client, 6, |_| "fine");
        let mut tracker = client.tracker_by(Unruly(0), &WaitOptions::new().deadline(ms(60_000)));
        jobs.iter().for_each(|job| assert!(tracker.add(job.clone())));
        let ended = collect(&mut WaitAll::from(tracker), &world.clock);
        assert_each_once(&jobs, ended.iter().map(|(_, job, _)| job));
        assert!(ended.iter().any(|(_, _, outcome)| outcome.is_ok()));
        assert!(
            ended
                .iter()
                .any(|(_, _, outcome)| outcome.as_ref().is_err_and(|e| e.kind() == ErrorKind::Config))
        );
    });
}
