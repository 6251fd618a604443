//! `wait_all` with threads, sockets and the machine's own clock. No wait is measured here, but whoever is not woken sleeps
//! for a minute, and that is too long.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use activity_status::builtin::{Quota, Slots, SystemClock, VirtualClock};
use activity_status::plugin::{Clock, Head, Interrupted, Request, Transport};
use activity_status::{Client, ClientBuilder, Endpoint, Outcome, WaitAll};
use activity_status_tests::waiting::{
    Eager, LONG, Patient, Returned, answer, client_of, http_status, id_of, job, jobs,
};
use activity_status_tests::world::ms;
use activity_status_tests::{Answer, RawServer, credentials, http};

fn sleep(pause: Duration) {
    SystemClock::new().sleep(pause).expect("nobody interrupts it");
}

/// Nobody may have slept for a minute.
fn soon<T>(work: impl FnOnce() -> T) -> T {
    let began = SystemClock::new().now();
    let result = work();
    let took = SystemClock::new().now() - began;
    assert!(took < ms(30_000), "nobody woke it: {took:?}");
    result
}

fn client(transport: impl Transport + 'static) -> ClientBuilder {
    Client::builder(Endpoint::INDIA, credentials()).transport(transport)
}

/// Waits for one job.
fn waiting(client: &Client) -> WaitAll {
    let mut tracker = client.tracker_by(Eager::default(), &LONG);
    tracker.add(job("a"));
    WaitAll::from(tracker)
}

#[test]
fn a_transport_that_panics_wakes_whoever_waits() {
    let calls = AtomicUsize::new(0);
    let client = client(move |request: &Request<'_>, _: &mut dyn FnMut(&Head)| -> Returned {
        // The waiter is asleep by then.
        sleep(ms(100));
        assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "a plugin's bug");
        answer(&id_of(request), "Success")
    });
    let client = client.build().unwrap();
    assert!(soon(|| waiting(&client).next()).unwrap().1.is_ok());
}

#[test]
fn a_wait_that_moves_to_another_thread_is_woken_there() {
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    let client = client(move |request: &Request<'_>, _: &mut dyn FnMut(&Head)| -> Returned {
        gone.lock().unwrap().recv().expect("the test goes on");
        answer(&id_of(request), "Success")
    });
    let client = client.build().unwrap();
    let mut all = waiting(&client);
    assert!(all.next_within(ms(50)).is_err());
    soon(|| {
        let other = std::thread::spawn(move || assert!(all.next().unwrap().1.is_ok()));
        // The other is asleep by then.
        sleep(ms(200));
        go.send(()).unwrap();
        other.join().unwrap();
    });
}

#[test]
fn no_wake_up_is_lost() {
    let client = client(|request: &Request<'_>, _: &mut dyn FnMut(&Head)| -> Returned {
        let id = id_of(request);
        sleep(Duration::from_micros(id.parse::<u64>().unwrap() % 7 * 40));
        answer(&id, "Success")
    });
    let client = client.limiter(Slots::new(Quota::new(8, ms(1))).unwrap()).build().unwrap();
    // Only the last answer of a round has nobody after it to make up for a wake-up that was lost.
    for _ in 0..200 {
        let mut tracker = client.tracker_by(Eager::default(), &LONG);
        jobs(10).into_iter().for_each(|job| assert!(tracker.add(job)));
        assert_eq!(soon(|| WaitAll::from(tracker).count()), 10);
    }
}

#[test]
fn a_cancellation_at_whatever_moment_ends_the_wait_at_once() {
    let client = client(|_: &Request<'_>, _: &mut dyn FnMut(&Head)| -> Returned { http_status(500) });
    let client = client.build().unwrap();
    for n in 0..300 {
        let mut tracker = client.tracker_by(Patient::default(), &LONG);
        tracker.add(job("a"));
        let mut all = WaitAll::from(tracker);
        let canceller = all.canceller();
        let other = std::thread::spawn(move || {
            sleep(Duration::from_micros(n));
            canceller.cancel();
        });
        assert!(soon(|| all.next()).is_none());
        other.join().unwrap();
    }
}

/// The machine's clock; it counts how often somebody parks, and the threads that have not ended.
#[derive(Clone, Default)]
struct Counting {
    parks: Arc<AtomicUsize>,
    threads: Arc<AtomicUsize>,
}

impl Clock for Counting {
    fn now(&self) -> Duration {
        SystemClock::new().now()
    }
    fn wall(&self) -> Duration {
        SystemClock::new().wall()
    }
    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        SystemClock::new().sleep(duration)
    }
    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        self.parks.fetch_add(1, Ordering::SeqCst);
        SystemClock::new().park(duration)
    }
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        let threads = self.threads.clone();
        threads.fetch_add(1, Ordering::SeqCst);
        SystemClock::new().spawn(Box::new(move || {
            work();
            threads.fetch_sub(1, Ordering::SeqCst);
        }))
    }
}

#[test]
fn over_sockets_each_job_ends_the_waiter_sleeps_in_between_and_every_thread_ends() {
    let asked = Mutex::new(Vec::new());
    let server = RawServer::start(move |request| {
        sleep(ms(100));
        let text = String::from_utf8_lossy(request);
        let (_, id) = text.split_once("RequestID=").expect("a question about a job");
        let id = id.split_once(' ').expect("the version follows").0.to_owned();
        let mut asked = asked.lock().unwrap();
        let state = if asked.contains(&id) { "Success" } else { "In-Queue" };
        let body = format!(r#"{{"RequestId":"{id}","TaskStatus":{{"Status":"{state}"}}}}"#);
        asked.push(id);
        Answer::Bytes(http(200, "application/json", body.as_bytes()))
    });
    let clock = Counting::default();
    let client = Client::builder(Endpoint::url(server.url()).unwrap(), credentials())
        .quota(Quota::new(50, ms(1000)))
        .clock(clock.clone());
    let client = client.build().unwrap();
    let mut all = client.wait_all(jobs(20), &LONG);
    let ended = std::iter::from_fn(|| soon(|| all.next())).map(|(_, outcome)| outcome.unwrap().outcome());
    assert_eq!(ended.collect::<Vec<_>>(), [Outcome::Succeeded; 20]);
    let have_ended = |_| {
        sleep(ms(10));
        clock.threads.load(Ordering::SeqCst) == 0
    };
    assert!((0..3000).any(have_ended), "a thread goes on");
    let (calls, parks) = (server.requests().len(), clock.parks.load(Ordering::SeqCst));
    assert!(calls >= 40 && parks < 100 * calls, "{calls} calls, and parked {parks} times");
}

/// Virtual time, but whoever waits is slow on the way to the park.
#[derive(Clone)]
struct Dawdling(VirtualClock, Arc<AtomicBool>);

impl Clock for Dawdling {
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
        self.1.store(true, Ordering::SeqCst);
        sleep(ms(100));
        self.0.park(duration)
    }
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        self.0.spawn(work)
    }
}

#[test]
fn virtual_time_outside_a_run_does_not_leap_over_an_answer() {
    let (clock, parking) = (VirtualClock::new(), Arc::new(AtomicBool::new(false)));
    let begun = parking.clone();
    let client = client_of(&clock, move |id, _| {
        // The answer comes when the waiter has looked, and before it sleeps.
        while !begun.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        answer(id, "Success")
    });
    let client = client.clock(Dawdling(clock.clone(), parking)).build().unwrap();
    assert!(waiting(&client).next().unwrap().1.is_ok());
    assert!(clock.now() < ms(1000), "the answer came after 80 ms, and was known after {:?}", clock.now());
}
