//! What the tests of `wait_all` and of trackers share: jobs, answers of a vendor, and parts that are easy to foresee.

use std::collections::BTreeMap;
use std::time::Duration;

use activity_status::builtin::VirtualClock;
use activity_status::plugin::{
    Acquired, CallClass, Clock, Delivery, Eta, Failure, Head, JobKey, Limiter, LimiterError, Next, Observed,
    Permit, Request, Response, Schedule, Settlement, TransportError,
};
use activity_status::{Client, ClientBuilder, Endpoint, Job, Operation, RequestId, WaitOptions};

use crate::credentials;
use crate::world::ms;

/// The operation of all these jobs.
pub const OPERATION: Operation = Operation::ACTIVITY_CREATE;

/// Time enough for whatever a test is about.
pub const LONG: WaitOptions = WaitOptions::new().deadline(Duration::from_secs(24 * 3600));

/// The job with this id.
pub fn job(id: &str) -> Job {
    Job::new(OPERATION, RequestId::new(id).expect("a valid id"))
}

/// So many jobs: 000000, 000001 and so on.
pub fn jobs(count: usize) -> Vec<Job> {
    (0..count).map(|n| job(&format!("{n:06}"))).collect()
}

/// What a transport returns.
pub type Returned = Result<Response, TransportError>;

/// The vendor's answer that this job is in this state.
pub fn answer(id: &str, state: &str) -> Returned {
    let body = format!(r#"{{"RequestId":"{id}","TaskStatus":{{"Status":"{state}"}}}}"#);
    Ok(Response { head: Head { status: 200, headers: vec![] }, body: body.into_bytes() })
}

/// An empty answer with this HTTP status.
pub fn http_status(status: u16) -> Returned {
    Ok(Response { head: Head { status, headers: vec![] }, body: vec![] })
}

/// What went wrong in place of an answer.
pub fn trouble(delivery: Delivery, failure: Failure) -> TransportError {
    TransportError { delivery, failure, message: "nobody there".to_owned(), source: None }
}

/// The job that is asked about; empty if the question is another one.
pub fn id_of(request: &Request<'_>) -> String {
    request.url.split_once("RequestID=").map(|(_, id)| id.to_owned()).unwrap_or_default()
}

/// A client in virtual time; its vendor is 40 ms away each way, and returns `what(id, now)`.
pub fn client_of(
    clock: &VirtualClock,
    what: impl Fn(&str, Duration) -> Returned + Send + Sync + 'static,
) -> ClientBuilder {
    let time = clock.clone();
    client_with(clock, move |request| what(&id_of(request), time.now()))
}

/// The same, whose vendor sees the whole request.
pub fn client_with(
    clock: &VirtualClock,
    what: impl Fn(&Request<'_>) -> Returned + Send + Sync + 'static,
) -> ClientBuilder {
    let time = clock.clone();
    let transport = move |request: &Request<'_>, _: &mut dyn FnMut(&Head)| {
        time.sleep(ms(40)).expect("virtual time is not interrupted");
        let returned = what(request);
        time.sleep(ms(40)).expect("virtual time is not interrupted");
        returned
    };
    Client::builder(Endpoint::INDIA, credentials()).clock(clock.clone()).transport(transport)
}

/// A schedule that asks about every job of which no question is on its way, and in between waits for a minute: whoever is
/// not woken by an answer sleeps that long.
#[derive(Debug, Default)]
pub struct Eager {
    added: u64,
    /// The open jobs, and whether a question about each is on its way.
    open: BTreeMap<JobKey, bool>,
}

impl Schedule for Eager {
    fn add(&mut self, _: u16, _: Option<Duration>) -> JobKey {
        self.added += 1;
        self.open.insert(JobKey(self.added), false);
        JobKey(self.added)
    }
    fn next(&mut self, _: Duration) -> Next {
        match self.open.iter_mut().find(|(_, asked)| !**asked) {
            Some((key, asked)) => {
                *asked = true;
                Next::Poll(*key)
            }
            None => Next::Wait(ms(60_000)),
        }
    }
    fn observe(&mut self, job: JobKey, what: Observed, _: Duration, _: Duration) {
        match what {
            Observed::Settled => self.open.remove(&job),
            _ => self.open.insert(job, false),
        };
    }
    fn len(&self) -> usize {
        self.open.len()
    }
    fn eta(&self, _: Duration) -> Option<Eta> {
        None
    }
}

/// A schedule of one job that asks at once, and again a minute after each answer.
#[derive(Debug, Default)]
pub struct Patient {
    again_at: Duration,
}

impl Schedule for Patient {
    fn add(&mut self, _: u16, _: Option<Duration>) -> JobKey {
        JobKey(0)
    }
    fn next(&mut self, now: Duration) -> Next {
        if now < self.again_at {
            return Next::Wait(ms(60_000).min(self.again_at - now));
        }
        self.again_at = Duration::MAX;
        Next::Poll(JobKey(0))
    }
    fn observe(&mut self, _: JobKey, _: Observed, _: Duration, answered_at: Duration) {
        self.again_at = answered_at + ms(60_000);
    }
    fn len(&self) -> usize {
        1
    }
    fn eta(&self, _: Duration) -> Option<Eta> {
        None
    }
}

/// A limiter that grants whatever is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

impl Limiter for Unlimited {
    fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
        Ok(Acquired::Granted(Permit(0)))
    }
    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        Ok(())
    }
}
