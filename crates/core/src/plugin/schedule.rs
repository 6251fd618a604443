use std::time::Duration;

/// Decides which job to ask about next: it is told what was seen, and answers with a job, a wait, or that it is done.
///
/// A pure state machine: it has no clock, no thread and no I/O, and `now` is an argument (time since any fixed moment, as
/// from [`Clock::now`](super::Clock::now)). So it runs in virtual time as well, and anything can drive it:
///
/// ```
/// use activity_status::builtin::{Frontier, Quota};
/// use activity_status::plugin::{Next, Observed, Schedule};
/// use std::time::Duration;
///
/// let mut schedule = Frontier::new(Quota::default());
/// let (mut now, trip) = (Duration::from_secs(100), Duration::from_millis(80));
/// let jobs: Vec<_> = (0..3).map(|_| schedule.add(0, Some(now))).collect();
/// loop {
///     match schedule.next(now) {
///         Next::Poll(job) => {
///             // Here the vendor is asked; in this example every job is done after a minute.
///             let done = now > Duration::from_secs(160);
///             let what = if done { Observed::Settled } else { Observed::Pending };
///             schedule.observe(job, what, now, now + trip);
///             now += trip;
///         }
///         Next::Wait(wait) => now += wait,
///         Next::Done => break,
///     }
/// }
/// assert!(schedule.is_empty() && jobs.len() == 3);
/// ```
///
/// The contract:
/// - After [`Next::Poll`] the job is *in flight*, and is not named again until it was observed. Other jobs may be: many
///   questions may be in flight at once. Whoever was told to poll, observes, whatever happened.
/// - No job is given up: one that was not observed to be [settled](Observed::Settled), nor [forgotten](Schedule::forget), will be named again.
/// - A call that makes no sense (a job that is unknown, settled or forgotten, a time that goes back) changes nothing and harms nothing.
///
/// The schedule does not keep the quota; a [`Limiter`](super::Limiter) does.
pub trait Schedule: Send {
    /// A new job, and its key. Jobs are added in the order in which they were submitted, if anybody knows it.
    ///
    /// Jobs of one `lane` may wait for each other at the vendor (one operation, one queue); of different lanes nothing is
    /// known. `submitted_at` is on the clock of `now`; `None` if unknown, or from before that clock began.
    fn add(&mut self, lane: u16, submitted_at: Option<Duration>) -> JobKey;

    /// What to do now. The caller has leave of the limiter, or soon will.
    fn next(&mut self, now: Duration) -> Next;

    /// Tells what became of the look at a job: sent at `sent_at`, answered (or given up) at `answered_at`.
    fn observe(&mut self, job: JobKey, what: Observed, sent_at: Duration, answered_at: Duration);

    /// Nobody wants to know of this job any more: it is not named again, and counts no longer. It may be in flight; what is observed of it
    /// after this means nothing. A schedule without this method names it some day, and is then told that it is settled.
    fn forget(&mut self, _job: JobKey) {}

    /// How many jobs are not settled.
    fn len(&self) -> usize;

    /// Is every job settled?
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When will all be known, from what was seen so far? `None` if nothing tells.
    fn eta(&self, now: Duration) -> Option<Eta>;

    /// When will this job be known? `None` if nothing tells, or it is settled.
    fn eta_of(&self, _job: JobKey, _now: Duration) -> Option<Eta> {
        None
    }

    /// Jobs that the vendor's own retries cannot account for any more. They are still asked about, though seldom.
    fn overdue(&self, _now: Duration) -> Vec<JobKey> {
        Vec::new()
    }

    /// What the vendor's metrics told at `now`: `ahead` jobs in front of the first one of this lane, done at `per_second`. It pays to
    /// ask for that before the first look, and never again.
    fn hint(&mut self, _lane: u16, _ahead: u64, _per_second: f64, _now: Duration) {}
}

/// The schedule's own number for a job; it means nothing to anyone else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey(pub u64);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Ask about this job, and [observe](Schedule::observe) what became of it.
    Poll(JobKey),
    /// Ask again after this time, or as soon as something was observed or added. Never zero.
    Wait(Duration),
    /// No job is left.
    Done,
}

/// What became of a look at a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// It was not settled when the vendor looked.
    Pending,
    /// It is settled: succeeded or failed. It is not asked about again.
    Settled,
    /// The vendor refused the call (429): nothing was learned of the job, and there were too many calls.
    Refused,
    /// No answer, or one that is none: nothing was learned.
    Failed,
    /// The look was not made: the quota had no free call. All is as if the job had not been named.
    Unsent,
}

/// A guess at how long something will take yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eta {
    /// The likely time from now.
    pub remaining: Duration,
    /// One standard deviation of it, as far as that can be told.
    pub uncertainty: Duration,
}
