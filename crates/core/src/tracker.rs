use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use crate::cancel::{Bounds, interrupted};
use crate::exchange::Attempt;
use crate::followed::{Followed, Metrics, Open};
use crate::look::{About, Answer, Look, Reply};
use crate::pipeline::{Pipeline, no_leave, salt};
use crate::plugin::{Acquired, Eta, Event, JobKey, Next, Observed, Permit, Schedule};
use crate::progress::{Progress, Tally};
use crate::trouble::Trouble;
use crate::{
    Canceller, Credentials, Ended, Error, ErrorKind, Job, JobStatus, Operation, QueueMetrics, RequestId,
    Resend, WaitOptions,
};

/// Follows many jobs in steps, so that an event loop can drive it: it has no thread, and no step blocks.
///
/// [`step`](Tracker::step) says what to do now. Questions may be asked in any way and on any thread, several at a time: each
/// [`Look`] finds its own way back. Take the steps themselves on one thread, for a limiter knows by its thread who waits. A thread that may
/// block has it easier with [`Client::wait_all`](crate::Client::wait_all).
///
/// ```
/// # use activity_status::plugin::{Head, Request, Response, TransportError};
/// use activity_status::{Client, Credentials, Endpoint, Job, Operation, RequestId, Step, WaitOptions};
///
/// let client = Client::builder(Endpoint::INDIA, Credentials::new("your-api-key")?)
/// #   .transport(|_: &Request<'_>, _: &mut dyn FnMut(&Head)| {
/// #       let body = br#"{"RequestId":"72003d66","TaskStatus":{"Status":"Success"}}"#.to_vec();
/// #       Ok::<_, TransportError>(Response { head: Head { status: 200, headers: vec![] }, body })
/// #   })
///     .build()?;
/// let mut tracker = client.tracker(&WaitOptions::new());
/// tracker.add(Job::new(Operation::ACTIVITY_CREATE, RequestId::new("72003d66")?));
/// loop {
///     match tracker.step() {
///         Step::Look(look) => look.send(), // or on another thread, or by a client of your own
///         Step::Sleep(time) => std::thread::sleep(time), // or until an answer comes
///         Step::Ended(job, outcome) => println!("{}: {}", job.request_id(), outcome?.outcome()),
///         Step::Done => break,
///     }
/// }
/// # Ok::<(), activity_status::Error>(())
/// ```
pub struct Tracker {
    pipeline: Arc<Pipeline>,
    bounds: Bounds,
    schedule: Box<dyn Schedule>,
    answers: (Sender<Answer>, Receiver<Answer>),
    jobs: Followed,
    /// Not told yet.
    ended: VecDeque<Ended>,
    tally: Tally,
    options: WaitOptions,
    began: Duration,
    /// Looks on their way.
    in_flight: usize,
    trouble: Trouble,
    limiter: Leave,
    /// No job can be followed any further, and why.
    over: Option<Error>,
    pub(crate) interrupted: bool,
}

/// What to do now.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Ask this; go on with the next step meanwhile.
    Look(Look),
    /// Do nothing for so long, unless an answer comes sooner or a job is added. Never zero.
    Sleep(Duration),
    /// Nothing more will be asked about this job: it is settled, or the error says why it cannot be followed any further.
    /// Each job that was added ends once, unless it was [forgotten](Tracker::forget).
    Ended(Job, Result<JobStatus, Error>),
    /// Every job has ended.
    Done,
}

/// How it stands with the limiter.
#[derive(Default)]
struct Leave {
    /// It keeps a place for us, since then.
    waits: Option<Duration>,
    /// It has given leave at least once.
    granted: bool,
    /// It is not asked before this moment.
    until: Duration,
    /// Why it gave no answer when it was asked last.
    away: Option<Error>,
}

/// A job that was submitted less than this long ago stands behind all that the metrics tell of.
const YOUNG: Duration = Duration::from_secs(10);

/// Jobs a minute, in the vendor's own example of the metrics \[docs\].
const USUAL_RATE: f64 = 25.0;

/// A limiter that cannot tell is asked again after this time.
const LIMITER_PAUSE: Duration = Duration::from_secs(1);

impl Tracker {
    pub(crate) fn new(
        pipeline: Arc<Pipeline>,
        bounds: Bounds,
        schedule: Box<dyn Schedule>,
        options: &WaitOptions,
    ) -> Self {
        Tracker {
            began: pipeline.clock.now(),
            pipeline,
            bounds,
            schedule,
            answers: mpsc::channel(),
            jobs: Followed::default(),
            ended: VecDeque::new(),
            tally: Tally::default(),
            options: options.clone(),
            in_flight: 0,
            trouble: Trouble::default(),
            limiter: Leave::default(),
            over: None,
            interrupted: false,
        }
    }

    /// Follows one more job; `false` if it is followed already. Add jobs in the order in which they were submitted, unless the
    /// options say that [nobody knows it](crate::Order::Unknown). Past the deadline, or if no job can be followed, it ends at once.
    pub fn add(&mut self, job: Job) -> bool {
        if self.jobs.find(&job).is_some() {
            return false;
        }
        let lane = self.jobs.lane(&job.operation);
        let (now, wall) = (self.pipeline.clock.now(), self.pipeline.clock.wall());
        let submitted_at = job.submitted_at.and_then(|at| now.checked_sub(wall.saturating_sub(at)));
        let key = self.schedule.add(schedule_lane(lane), submitted_at);
        self.tally.total += 1;
        if !self.jobs.add(key, lane, &job, now) {
            let error =
                Error::config("the schedule gave one key to two jobs").about(&job.operation, Some(&job.id));
            self.ended.push_back((job, Err(error)));
        }
        true
    }

    /// Stops following a job: no step tells its end any more, nor is it counted in [`progress`](Tracker::progress). `false` if it is not
    /// followed. An answer that is still on its way is of no account, even if the job is added again meanwhile; the quota counts the call.
    pub fn forget(&mut self, job: &Job) -> bool {
        let known = self.tally.total;
        self.ended.retain(|(other, _)| {
            let stays = (&other.operation, &other.id) != (&job.operation, &job.id);
            self.tally.total -= u64::from(!stays);
            stays
        });
        if let Some(key) = self.jobs.key_of(job) {
            self.jobs.remove(key);
            self.schedule.forget(key);
            self.tally.total -= 1;
        }
        self.tally.total < known
    }

    /// What to do now. Answers that have come are taken in first. It sends nothing and does not wait; a limiter in a file or on a
    /// server takes the time that it takes.
    pub fn step(&mut self) -> Step {
        while let Ok(answer) = self.answers.1.try_recv() {
            self.hear(answer);
        }
        let now = self.pipeline.clock.now();
        if self.bounds.is_cancelled() && self.over.is_none() {
            self.over = Some(interrupted("the wait was cancelled"));
        }
        if self.ended.is_empty() {
            self.end_next(now);
        }
        if let Some((job, outcome)) = self.ended.pop_front() {
            self.tally.end(now, &outcome);
            return Step::Ended(job, outcome);
        }
        if self.jobs.open.is_empty() {
            self.leave();
            return Step::Done;
        }
        if let Some(pause) = self.trouble.rest(now, self.in_flight) {
            return self.sleep(now, pause);
        }
        if now < self.limiter.until {
            return self.sleep(now, self.limiter.until - now);
        }
        match self.wanted(now) {
            Wanted::Nothing(pause) => {
                self.leave();
                self.sleep(now, pause)
            }
            Wanted::Ask(about) => self.ask(about, now),
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let now = self.pipeline.clock.now();
        self.tally.progress(now, self.schedule.eta(now))
    }

    /// When this job will be known, as far as anything tells.
    pub fn eta_of(&self, job: &Job) -> Option<Eta> {
        self.schedule.eta_of(self.jobs.key_of(job)?, self.pipeline.clock.now())
    }

    /// The jobs whose end was not told yet, in the order of adding but for those that the next steps will tell of.
    pub fn open(&self) -> impl Iterator<Item = Job> + '_ {
        self.ended
            .iter()
            .map(|(job, _)| job.clone())
            .chain(self.jobs.open.values().map(|open| self.jobs.job(open)))
    }

    /// What the vendor last said of an open job, if it has been asked.
    pub fn last_status(&self, job: &Job) -> Option<&JobStatus> {
        self.jobs.find(job)?.last.as_deref()
    }

    /// Why the last look at an open job failed, if it did.
    pub fn last_trouble(&self, job: &Job) -> Option<&Error> {
        self.jobs.find(job)?.trouble.as_ref()
    }

    /// What to say of an open job to somebody who has waited for it so long and gives up, while others may still wait: an error of kind
    /// [`Deadline`](ErrorKind::Deadline), with the [last status](Error::last_status).
    pub fn deadline_error(&self, job: &Job, waited: Duration) -> Option<Error> {
        let open = self.jobs.find(job)?;
        let last_status = open.last.as_deref().cloned();
        let error = self.too_late(open, waited).about(&job.operation, Some(&job.id));
        Some(error.with_attempts(open.looks).with_last_status(last_status))
    }

    /// Open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still asked
    /// about now and then, until the deadline.
    pub fn overdue(&self) -> Vec<Job> {
        let overdue = self.schedule.overdue(self.pipeline.clock.now());
        overdue.iter().filter_map(|key| Some(self.jobs.job(self.jobs.open.get(key)?))).collect()
    }

    /// The clock was interrupted: what to say of the first open job.
    pub(crate) fn interruption(mut self) -> Error {
        let interrupted = interrupted("the wait was interrupted");
        if let Some((key, _)) = self.jobs.open.first_key_value() {
            self.end(*key, Err(interrupted.copy()));
        }
        match self.ended.pop_front() {
            Some((_, Err(error))) => error,
            _ => interrupted,
        }
    }

    /// Whoever may cancel the client's calls, besides.
    pub(crate) fn canceller(&self) -> Option<&Canceller> {
        self.bounds.canceller.as_ref()
    }

    pub(crate) fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    fn deadline(&self) -> Duration {
        self.began.saturating_add(self.options.deadline)
    }

    /// From here on the schedule is left, and each job asked once more as far as the quota allows, so that what is settled by
    /// the deadline is not reported as open.
    fn last_round(&self) -> Duration {
        self.deadline().saturating_sub(Duration::from_secs(1).min(self.options.deadline / 10))
    }

    fn sleep(&self, now: Duration, pause: Duration) -> Step {
        let next_mark = if now < self.last_round() { self.last_round() } else { self.deadline() };
        Step::Sleep(pause.min(next_mark.saturating_sub(now)).max(Duration::from_micros(1)))
    }

    /// What is best asked at `now`, or how long nothing is.
    fn wanted(&mut self, now: Duration) -> Wanted {
        if let Some(lane) = self.jobs.lanes.iter().position(|lane| lane.metrics == Metrics::Due) {
            return Wanted::Ask(About::Queue { lane });
        }
        if now >= self.last_round() {
            let unasked = |open: &Open| !open.in_flight && open.asked_at < self.last_round();
            let may_go = self.in_flight < self.pipeline.quota.calls() as usize;
            let next = self.jobs.open.iter().find(|(_, open)| may_go && unasked(open));
            return next.map_or(Wanted::Nothing(self.options.deadline), |(key, open)| {
                Wanted::Ask(About::Job { key: *key, number: open.number })
            });
        }
        match self.schedule.next(now) {
            Next::Poll(key) => match self.jobs.open.get(&key) {
                Some(open) if !open.in_flight => Wanted::Ask(About::Job { key, number: open.number }),
                // Such a schedule is at fault; that must not become a job that is asked about twice at a time.
                Some(_) => Wanted::Nothing(Duration::from_millis(10)),
                None => {
                    self.schedule.observe(key, Observed::Settled, now, now);
                    Wanted::Nothing(Duration::from_millis(10))
                }
            },
            Next::Wait(pause) => Wanted::Nothing(pause.max(Duration::from_millis(1))),
            // Answers that are on their way may be other ones than the schedule was told of.
            Next::Done => Wanted::Nothing(Duration::from_secs(1)),
        }
    }

    /// Asks, if there are keys and the limiter gives leave.
    fn ask(&mut self, about: About, now: Duration) -> Step {
        let class = about.class();
        let keys = match self.pipeline.keys() {
            Ok(keys) => keys,
            Err(error) => return self.away(&about, error, now),
        };
        let acquired = self.pipeline.limiter.try_acquire(class, &*self.pipeline.clock);
        match acquired {
            Ok(Acquired::Granted(permit)) => {
                (self.limiter.granted, self.limiter.away) = (true, None);
                let since = self.limiter.waits.take().unwrap_or(now);
                Step::Look(self.look(about, keys, permit, now, now.saturating_sub(since)))
            }
            Ok(Acquired::RetryAfter(wait)) => {
                self.limiter.waits.get_or_insert(now);
                // Who is best asked may be another one then.
                self.put_back(&about, now);
                let wait = wait.max(Duration::from_millis(1));
                (self.limiter.until, self.limiter.away) = (now.saturating_add(wait), None);
                let (operation, request_id) = self.named(&about);
                let operation = operation.name();
                self.pipeline.observe(&Event::WaitingForPermit { operation, request_id, class, wait });
                self.sleep(now, wait)
            }
            Err(trouble) => {
                self.limiter.waits = None;
                self.away(&about, no_leave(trouble, Some(&keys), None), now)
            }
        }
    }

    /// The limiter cannot tell, or there are no keys: at first that is the end, later it may pass.
    fn away(&mut self, about: &About, error: Error, now: Duration) -> Step {
        self.put_back(about, now);
        if !self.limiter.granted {
            self.over = Some(error);
            return self.step();
        }
        (self.limiter.until, self.limiter.away) = (now.saturating_add(LIMITER_PAUSE), Some(error));
        self.sleep(now, LIMITER_PAUSE)
    }

    fn put_back(&mut self, about: &About, now: Duration) {
        if let About::Job { key, .. } = about {
            self.schedule.observe(*key, Observed::Unsent, now, now);
        }
    }

    fn look(
        &mut self,
        about: About,
        keys: Arc<Credentials>,
        permit: Permit,
        now: Duration,
        waited: Duration,
    ) -> Look {
        let (operation, id, number) = match &about {
            About::Job { key, .. } => {
                let open = self.jobs.open.get_mut(key).expect("only open jobs are asked about");
                (open.in_flight, open.asked_at) = (true, now);
                open.looks = open.looks.saturating_add(1);
                (self.jobs.lanes[open.lane].operation.clone(), Some(open.id.clone()), open.looks)
            }
            About::Queue { lane } => {
                self.jobs.lanes[*lane].metrics = Metrics::Asked;
                (self.jobs.lanes[*lane].operation.clone(), None, 1)
            }
        };
        self.in_flight += 1;
        self.trouble.asked(now);
        let deadline = now.saturating_add(self.bounds.deadline).min(self.deadline());
        let attempt = Attempt::new(number, waited);
        let (canceller, answers) = (self.bounds.canceller.clone(), self.answers.0.clone());
        let pipeline = self.pipeline.clone();
        Look::new(pipeline, about, operation, id, keys, canceller, attempt, permit, deadline, answers)
    }

    /// The operation and the job of a question.
    fn named(&self, about: &About) -> (&Operation, Option<&RequestId>) {
        match about {
            About::Queue { lane } => (&self.jobs.lanes[*lane].operation, None),
            About::Job { key, .. } => {
                let open = &self.jobs.open[key];
                (&self.jobs.lanes[open.lane].operation, Some(&open.id))
            }
        }
    }

    fn salt(&self, about: &About) -> u64 {
        match about {
            About::Job { key, .. } if !self.jobs.open.contains_key(key) => 0,
            about => {
                let (operation, id) = self.named(about);
                salt(operation, id)
            }
        }
    }

    /// What became of a look.
    fn hear(&mut self, answer: Answer) {
        let Answer { about, sent_at, answered_at, result } = answer;
        self.in_flight = self.in_flight.saturating_sub(1);
        let salt = self.salt(&about);
        let error = result.as_ref().err();
        self.trouble.weigh(error, sent_at, answered_at, |failures| self.pipeline.retry.delay(failures, salt));
        match (about, result) {
            (About::Job { key, number }, result) => {
                if self.jobs.open.get(&key).is_some_and(|open| open.number != number) {
                    // The job was forgotten, and the schedule gave its key to another one.
                    return;
                }
                let seen = observed(&result);
                self.hear_of(key, result);
                let seen = if self.jobs.open.contains_key(&key) { seen } else { Observed::Settled };
                self.schedule.observe(key, seen, sent_at, answered_at);
            }
            (About::Queue { lane }, Ok(Reply::Metrics(metrics))) => self.hint(lane, &metrics, answered_at),
            (About::Queue { .. }, _) => {}
        }
    }

    fn hear_of(&mut self, key: JobKey, result: Result<Reply, Error>) {
        let is_in_vain = result.as_ref().is_err_and(|error| self.trouble.is_in_vain(error));
        // It may have run out of time meanwhile, or was forgotten.
        let Some(open) = self.jobs.open.get_mut(&key) else { return };
        open.in_flight = false;
        match result {
            Ok(Reply::Status(status)) if status.outcome().is_settled() => {
                self.jobs.lanes[open.lane].metrics = Metrics::Asked;
                self.end(key, Ok(status));
            }
            Ok(Reply::Status(status)) => {
                (open.last, open.trouble) = (Some(Box::new(status)), None);
                self.consider_metrics(key);
            }
            Ok(Reply::Metrics(_)) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.interrupted = true,
            Err(error) if passes(&error, open) && !is_in_vain => {
                let kind = error.kind();
                open.trouble = Some(error);
                let wait = self.trouble.rest(self.pipeline.clock.now(), 0).unwrap_or_default();
                let open = &self.jobs.open[&key];
                let (operation, request_id) = (self.jobs.lanes[open.lane].operation.name(), Some(&open.id));
                self.pipeline.observe(&Event::Retrying { operation, request_id, kind, wait });
            }
            Err(error) if is_in_vain => self.over = Some(error),
            Err(error) => self.end(key, Err(error)),
        }
    }

    /// The queue's metrics are worth a call if they tell how many jobs stand before ours, and none of ours has been done yet.
    fn consider_metrics(&mut self, key: JobKey) {
        let wall = self.pipeline.clock.wall();
        let is_young = |open: &Open| open.submitted_at.is_some_and(|at| wall.saturating_sub(at) <= YOUNG);
        let open = &self.jobs.open[&key];
        if self.jobs.lanes[open.lane].metrics != Metrics::Idle || open.looks > 1 || !is_young(open) {
            return;
        }
        let first = self.jobs.open.values().find(|other| other.lane == open.lane);
        let quota = self.pipeline.quota;
        let is_cheap = quota.window() <= Duration::from_secs(1).saturating_mul(quota.calls());
        if first.is_some_and(is_young) && is_cheap {
            self.jobs.lanes[open.lane].metrics = Metrics::Due;
        }
    }

    fn hint(&mut self, lane: usize, metrics: &QueueMetrics, now: Duration) {
        let ours = self.jobs.open.values().filter(|open| open.lane == lane).count() as u64;
        if let Some((pending, rate)) = metrics.pending().zip(metrics.rate_per_minute()) {
            // A rate of the last ten minutes says little of a queue that was idle. The fastest is believed: a look in vain costs less
            // than an outcome that nobody looks for.
            let all_of_it = metrics.max_delay().map_or(0.0, |delay| pending as f64 / delay.as_secs_f64());
            let all_of_it = if all_of_it.is_finite() { all_of_it } else { 0.0 };
            let per_second = (rate.max(USUAL_RATE) / 60.0).max(all_of_it);
            self.schedule.hint(schedule_lane(lane), pending.saturating_sub(ours), per_second, now);
        }
    }

    fn end(&mut self, key: JobKey, outcome: Result<JobStatus, Error>) {
        let Some(open) = self.jobs.remove(key) else { return };
        let job = self.jobs.job(&open);
        let outcome = outcome.map_err(|error| {
            error
                .with_elapsed(self.pipeline.clock.now().saturating_sub(open.added_at))
                .about(&job.operation, Some(&job.id))
                .with_attempts(open.looks)
                .with_last_status(open.last.map(|status| *status))
        });
        self.ended.push_back((job, outcome));
    }

    /// Ends the next open job if none can be followed any further: one a step, so that a million do not take a breath's time.
    fn end_next(&mut self, now: Duration) {
        let Some((key, open)) = self.jobs.open.first_key_value() else { return };
        let key = *key;
        if let Some(error) = self.over.take() {
            // What caused it can be told once.
            self.over = Some(error.copy());
            return self.end(key, Err(error));
        }
        if now >= self.deadline() {
            let error = self.too_late(open, self.options.deadline);
            self.end(key, Err(error));
        }
    }

    /// It was not settled in this time.
    fn too_late(&self, open: &Open, time: Duration) -> Error {
        let state = open.last.as_ref().map_or("unknown", |status| status.state().as_str());
        let trouble = self.limiter.away.as_ref().or(open.trouble.as_ref()).map(Error::copy);
        let looked =
            trouble.as_ref().map(|t| format!("; the last look failed: {}", t.message())).unwrap_or_default();
        let message = format!(
            "not settled within {time:?}, and the job goes on at the vendor's: its last state is {state}{looked}",
        );
        let error = Error::new(ErrorKind::Deadline, Resend::Safe, message);
        error.with_source(trouble.map(|trouble| Box::new(trouble) as _))
    }

    /// Gives up the place that the limiter keeps.
    pub(crate) fn leave(&mut self) {
        if self.limiter.waits.take().is_some() {
            self.pipeline.limiter.leave();
        }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        // A panic of a plugin would end the program here.
        let _ = catch_unwind(AssertUnwindSafe(|| self.leave()));
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

enum Wanted {
    Ask(About),
    Nothing(Duration),
}

fn observed(result: &Result<Reply, Error>) -> Observed {
    match result {
        Ok(Reply::Status(status)) if !status.outcome().is_settled() => Observed::Pending,
        Ok(_) => Observed::Settled,
        Err(error) if error.kind() == ErrorKind::Refused => Observed::Refused,
        Err(_) => Observed::Failed,
    }
}

fn schedule_lane(lane: usize) -> u16 {
    u16::try_from(lane).unwrap_or(u16::MAX)
}

/// Is it worth asking about this job again? One answer that the keys are wrong may have been a gateway's mood.
fn passes(error: &Error, open: &Open) -> bool {
    let refused_before = || open.trouble.as_ref().is_some_and(|it| it.kind() == ErrorKind::Unauthorized);
    error.resend() == Resend::Safe || error.kind() == ErrorKind::Unauthorized && !refused_before()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{Head, Request, Response, TransportError};
    use crate::{Client, Endpoint, Order};

    #[test]
    fn what_was_forgotten_takes_no_room() {
        let transport =
            |_: &Request<'_>, _: &mut dyn FnMut(&Head)| Ok::<_, TransportError>(Response::default());
        let client = Client::builder(Endpoint::INDIA, Credentials::new("key").unwrap());
        let client = client.transport(transport).build().unwrap();
        for order in [Order::Submitted, Order::Unknown] {
            let mut tracker = client.tracker(&WaitOptions::new().order(order));
            for n in 0..100_000 {
                let job = Job::new(Operation::LEAD_UPDATE, RequestId::new(&n.to_string()).unwrap());
                assert!(tracker.add(job.clone()) && tracker.forget(&job));
            }
            let followed = &tracker.jobs;
            assert!(followed.is_empty() && tracker.ended.is_empty() && tracker.schedule.is_empty());
        }
    }
}
