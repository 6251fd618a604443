use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::builtin::{Frontier, RoundRobin};
use crate::look::Look;
use crate::plugin::Schedule;
use crate::{Canceller, Client, Error, Job, JobStatus, Operation, Progress, RequestId, Step, Tracker};

/// How long to wait for jobs, and how to ask about them.
///
/// ```
/// use activity_status::{Order, WaitOptions};
/// use std::time::Duration;
///
/// let patient = WaitOptions::new().deadline(Duration::from_secs(12 * 3600)).price(Duration::from_millis(100));
/// let shuffled = WaitOptions::new().order(Order::Unknown);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitOptions {
    pub(crate) deadline: Duration,
    price: Duration,
    order: Order,
}

/// What the order of the jobs means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Order {
    /// They were submitted in this order, more or less. Those asked about are the few that can have settled.
    #[default]
    Submitted,
    /// Nobody knows in which order they were submitted. Each is asked about in its turn.
    Unknown,
}

impl WaitOptions {
    /// An hour, a price of 5 ms, jobs in the order in which they were submitted. The vendor's own retries of a job last over
    /// nine hours \[docs\]: give more time where that matters.
    pub const fn new() -> Self {
        WaitOptions {
            deadline: Duration::from_secs(3600),
            price: Duration::from_millis(5),
            order: Order::Submitted,
        }
    }

    /// How long the whole wait may take: every call and pause in it. Of a [`Tracker`], from its making.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How much waiting one call must be expected to end: more is fewer calls and later news. 5 ms uses what the quota has; with
    /// 100 ms a third of the calls is made in a long queue, and an outcome is known 0.4 s after the fact in place of 0.2 s. At most an hour.
    pub const fn price(mut self, waiting: Duration) -> Self {
        self.price = waiting;
        self
    }

    /// What the order of the jobs means.
    pub const fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }
}

impl Default for WaitOptions {
    fn default() -> Self {
        WaitOptions::new()
    }
}

impl Client {
    /// Asks until the job is settled: succeeded or failed. A question that fails for a while loses nothing; only if the first
    /// seven never reach the vendor does the wait end, with the error of the last: after 10 to 20 s, or as long as their
    /// time-outs take.
    ///
    /// # Errors
    /// Kind [`Deadline`](crate::ErrorKind::Deadline) if it was not settled in time, [`Interrupted`](crate::ErrorKind::Interrupted) if the
    /// clock was; both carry the [last status](Error::last_status). Any kind that asking again would not mend. A job
    /// that failed is not an error.
    pub fn wait(
        &self,
        operation: &Operation,
        id: &RequestId,
        options: &WaitOptions,
    ) -> Result<JobStatus, Error> {
        let mut waiting = self.wait_all([Job::new(operation.clone(), id.clone())], options);
        waiting.is_alone = true;
        match waiting.next() {
            Some((_, outcome)) => outcome,
            None => Err(waiting.tracker.interruption()),
        }
    }

    /// Follows many jobs over the client's one quota, and yields each as soon as its end is known.
    ///
    /// Each job is yielded once: with its status when it has settled; or with an error, if asking again would not mend it or
    /// the deadline has passed. A question that fails for a while loses nothing; only if the first seven never reach the vendor do all
    /// jobs end with the error of the last. A job that is given twice is followed once.
    /// Several questions are on their way at a time where the quota allows it and the answers are slow, each on a thread of
    /// its own, but never two about one job.
    ///
    /// ```no_run
    /// use activity_status::{Client, Credentials, Endpoint, Job, Operation, RequestId, WaitOptions};
    ///
    /// let client = Client::builder(Endpoint::INDIA, Credentials::new("api-key")?).build()?;
    /// let ids = std::fs::read_to_string("ids.txt").expect("a list of ids");
    /// let jobs = ids.lines().map(|id| Ok(Job::new(Operation::ACTIVITY_CREATE, RequestId::new(id)?)));
    /// let jobs = jobs.collect::<Result<Vec<_>, activity_status::Error>>()?;
    /// for (job, outcome) in client.wait_all(jobs, &WaitOptions::new()) {
    ///     match outcome {
    ///         Ok(status) => println!("{}: {}", job.request_id(), status.outcome()),
    ///         Err(error) => println!("{error}"),
    ///     }
    /// }
    /// # Ok::<(), activity_status::Error>(())
    /// ```
    pub fn wait_all(&self, jobs: impl IntoIterator<Item = Job>, options: &WaitOptions) -> WaitAll {
        let mut tracker = self.tracker(options);
        for job in jobs {
            tracker.add(job);
        }
        WaitAll::from(tracker)
    }

    /// The same a step at a time, for an event loop. No jobs yet.
    pub fn tracker(&self, options: &WaitOptions) -> Tracker {
        let quota = self.pipeline.quota;
        match options.order {
            Order::Submitted => self.tracker_by(Frontier::new(quota).price(options.price), options),
            Order::Unknown => self.tracker_by(RoundRobin::new(quota), options),
        }
    }

    /// The same by a schedule of your own; the options' price and order mean nothing to it.
    pub fn tracker_by(&self, schedule: impl Schedule + 'static, options: &WaitOptions) -> Tracker {
        Tracker::new(self.pipeline.clone(), self.bounds.clone(), Box::new(schedule), options)
    }
}

/// Jobs as they end: see [`Client::wait_all`].
///
/// The iterator ends early if the wait is [cancelled](Canceller::cancel) or its clock interrupted. Nothing is lost by that:
/// the rest is [open](WaitAll::open), and after an interruption (not a cancellation) may be waited for further.
pub struct WaitAll {
    tracker: Tracker,
    cancel: Canceller,
    /// There is one job and nobody to cancel: its looks need no thread of their own.
    is_alone: bool,
}

impl WaitAll {
    /// Waits for one more job; `false` if it is waited for already.
    pub fn add(&mut self, job: Job) -> bool {
        self.tracker.add(job)
    }

    /// The next job that ends within so much time.
    ///
    /// # Errors
    /// [`NotYet`] if none has. All goes on only while somebody waits, so call it again soon.
    pub fn next_within(&mut self, time: Duration) -> Result<Option<Ended>, NotYet> {
        let clock = &*self.tracker.pipeline().clone().clock;
        let until = clock.now().saturating_add(time);
        let (ours, callers) = (self.cancel.clone(), self.tracker.canceller().cloned());
        let is_cancelled = || ours.is_cancelled() || callers.as_ref().is_some_and(Canceller::is_cancelled);
        let _waiting = (ours.waiting(), callers.as_ref().map(Canceller::waiting));
        loop {
            if is_cancelled() {
                self.tracker.leave();
                return Ok(None);
            }
            match self.tracker.step() {
                Step::Ended(job, outcome) => return Ok(Some((job, outcome))),
                Step::Done => return Ok(None),
                Step::Look(look) => self.send(look),
                Step::Sleep(_) if std::mem::take(&mut self.tracker.interrupted) => return Ok(None),
                Step::Sleep(pause) => {
                    let left = until.saturating_sub(clock.now());
                    if left.is_zero() {
                        return Err(NotYet);
                    }
                    // A plugin may have used up what was to wake this thread.
                    if !is_cancelled() && clock.park(pause.min(left)).is_err() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.tracker.progress()
    }

    /// The tracker that is driven: to ask it when [one job](Tracker::eta_of) will be known, and which are
    /// [overdue](Tracker::overdue).
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// The jobs that were not yielded yet.
    pub fn open(&self) -> impl Iterator<Item = Job> + '_ {
        self.tracker.open()
    }

    /// To cancel this wait alone at any moment, from any thread.
    pub fn canceller(&self) -> Canceller {
        self.cancel.clone()
    }

    /// Sends on a thread of its own, so that this one can go on.
    fn send(&self, look: Look) {
        if self.is_alone {
            return look.send();
        }
        let wake = Wake(self.cancel.clone());
        let look = Arc::new(Mutex::new(Some(look)));
        let taken = look.clone();
        let work = Box::new(move || {
            let _wake = wake;
            send(&taken);
        });
        // A machine without a thread to spare.
        if self.tracker.pipeline().clock.spawn(work).is_err() {
            send(&look);
        }
    }
}

impl Iterator for WaitAll {
    type Item = Ended;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Ok(next) = self.next_within(Duration::MAX) {
                return next;
            }
        }
    }
}

impl From<Tracker> for WaitAll {
    /// Drives a tracker with blocking calls.
    fn from(tracker: Tracker) -> Self {
        WaitAll { tracker, cancel: Canceller::new(), is_alone: false }
    }
}

impl fmt::Debug for WaitAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitAll").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

/// A job, and how it ended.
pub type Ended = (Job, Result<JobStatus, Error>);

/// No job has ended in the time given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotYet;

/// Wakes whoever waits by then, on whatever thread, even if a plugin has panicked.
struct Wake(Canceller);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.wake();
    }
}

fn send(look: &Mutex<Option<Look>>) {
    let look = look.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(look) = look {
        look.send();
    }
}
