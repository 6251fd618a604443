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
use activity_status::{
    Client, Error, ErrorKind, Job, JobStatus, Operation, Order, Outcome, RequestId, RetryPolicy, Step,
    WaitAll, WaitOptions,
};
use activity_status_sandbox::{Call, CallKind, Fault, Planned, Settings, UnknownId, Window};
use activity_status_tests::world::{World, activity, jittery, ms};

const OPERATION: Operation = Operation::ACTIVITY_CREATE;
const LONG: WaitOptions = WaitOptions::new().deadline(Duration::from_secs(24 * 3600));

fn job(id: &str) -> Job {
    Job::new(OPERATION, RequestId::new(id).unwrap())
}

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
    let known: BTreeMap<&str, Duration> = ended.iter().map(|(at, job, _)| (job.request_id().as_str(), *at)).collect();
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
