use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::{self, Clock as _, Transport};
use activity_status::{Ended, Look, NotYet, Step};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::cancel::CancelToken;
use crate::flights::Flights;
use crate::followed::{self, Followed};
use crate::job::Job;
use crate::parts::Manner;
use crate::progress::Progress;
use crate::signals::{arrived, detached, raised, report_unheard, slice};
use crate::status::Status;

/// Jobs as they end: an iterator of pairs, each job once with its Status, or with the ActivityStatusError that says why
/// there is none. That error is not raised, so that one job does not end the wait for the others.
///
/// Make one with Client.wait_all. All goes on only while somebody waits in it. Ctrl-C leaves the loop and loses nothing:
/// open has the rest, and a further loop over the same WaitAll goes on. All of its methods may be called from any thread,
/// and several threads may take jobs from it. As a context manager it is cancelled at the end.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct WaitAll {
    followed: Followed,
    asking: Asking,
    flights: Flights,
    on_progress: Option<Py<PyAny>>,
    token: Option<Py<CancelToken>>,
    bell: Arc<Bell>,
    cancelled: AtomicBool,
}

/// How the questions are asked.
pub(crate) struct Asking {
    pub(crate) manner: Manner,
    pub(crate) transport: Arc<dyn Transport>,
    /// The client's, if it has another one than the machine's.
    pub(crate) own_clock: Option<Arc<dyn plugin::Clock>>,
}

/// While nothing ends, progress is told so often.
const TELL: Duration = Duration::from_secs(1);

#[pymethods]
impl WaitAll {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<(Job, Py<PyAny>)>> {
        self.followed.check(py)?;
        loop {
            if let Some(kept) = py.detach(|| self.kept()) {
                return self.followed.hand_out(py, kept).map(Some);
            }
            let (next, raised) = detached(py, || self.next_within(TELL))?;
            let told = match raised {
                Some(raised) => Err(raised),
                None if matches!(next, Ok(None)) => Ok(()),
                None => self.tell(py),
            };
            match (next, told) {
                (Ok(Some(ended)), Ok(())) => return self.followed.hand_out(py, ended).map(Some),
                (Ok(Some(ended)), Err(raised)) => {
                    py.detach(|| self.followed.keep(ended));
                    return Err(raised);
                }
                (Ok(None), told) => return told.map(|()| None),
                (Err(NotYet), told) => told?,
            }
        }
    }

    /// Waits for one more job, a request id or a Job; False if it is waited for already. operation is that of a plain id.
    #[pyo3(
        signature = (job, *, operation=None),
        text_signature = "($self, job, *, operation='activity.create')"
    )]
    fn add(&self, job: &Bound<'_, PyAny>, operation: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let is_new = self.followed.add(job.py(), followed::one(job, operation)?)?;
        self.bell.ring();
        Ok(is_new)
    }

    /// Stops waiting for a job, a request id or a Job: the loop does not yield it any more. False if it is not waited for.
    fn forget(&self, job: &Bound<'_, PyAny>) -> PyResult<bool> {
        let was_there = self.followed.forget(job)?;
        self.bell.ring();
        Ok(was_there)
    }

    /// Ends the wait, from any thread: a loop over it ends at once. What is on its way is left to itself, and counts against
    /// the quota. open has the jobs that were not handed out.
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.bell.ring();
    }

    /// How far it is.
    #[getter]
    fn progress(&self, py: Python<'_>) -> PyResult<Progress> {
        self.followed.progress(py)
    }

    /// The jobs that were not handed out yet: after Ctrl-C, or when it was cancelled, those to go on with. It makes a list
    /// of them all.
    #[getter]
    fn open(&self, py: Python<'_>) -> PyResult<Vec<Job>> {
        self.followed.open(py)
    }

    /// In how many seconds this job, a request id or a Job, will probably be known, and one standard deviation of that; None
    /// if nothing tells.
    fn eta_of(&self, job: &Bound<'_, PyAny>) -> PyResult<Option<(f64, f64)>> {
        self.followed.eta_of(job)
    }

    /// What the vendor last said of an open job, a request id or a Job; None if it has not been asked.
    fn last_status(&self, job: &Bound<'_, PyAny>) -> PyResult<Option<Status>> {
        self.followed.last_status(job)
    }

    /// Open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
    /// asked about now and then, until the time is over.
    #[getter]
    fn overdue(&self, py: Python<'_>) -> PyResult<Vec<Job>> {
        self.followed.overdue(py)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc_value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) {
        let _ = (exc_type, exc_value, traceback);
        self.cancel();
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let cancelled = if self.is_cancelled() { " (cancelled)" } else { "" };
        Ok(format!("<WaitAll {}{cancelled}>", self.followed.progress(py)?.in_words()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.followed.client)?;
        visit.call(&self.on_progress)?;
        visit.call(&self.token)
    }
}

impl WaitAll {
    pub(crate) fn new(
        followed: Followed,
        asking: Asking,
        on_progress: Option<Py<PyAny>>,
        token: Option<Py<CancelToken>>,
    ) -> Self {
        let (bell, flights) = (Arc::default(), Flights::new(Arc::clone(&asking.transport)));
        if let Some(token) = &token {
            token.get().rings(&bell);
        }
        WaitAll { followed, asking, flights, on_progress, token, bell, cancelled: AtomicBool::new(false) }
    }

    fn is_cancelled(&self) -> bool {
        let by_token = || self.token.as_ref().is_some_and(|token| token.get().canceller().is_cancelled());
        self.cancelled.load(Ordering::SeqCst) || by_token()
    }

    /// An end that an exception kept from being handed out.
    fn kept(&self) -> Option<Ended> {
        if self.is_cancelled() { None } else { self.followed.kept() }
    }

    /// As [`activity_status::WaitAll::next_within`], but for several threads: whoever waits holds no lock.
    fn next_within(&self, time: Duration) -> Result<Option<Ended>, NotYet> {
        let until = self.now().saturating_add(time);
        loop {
            let rung = self.bell.rung();
            if self.is_cancelled() {
                return Ok(None);
            }
            self.flights.hear();
            let step = self.followed.step();
            if let Step::Ended(job, result) = step {
                return Ok(Some((job, result)));
            }
            // Python code has raised, on this thread.
            if raised() {
                return Err(NotYet);
            }
            match step {
                Step::Ended(..) | Step::Done => return Ok(None),
                Step::Look(look) => match self.asking.manner {
                    Manner::Threads => self.send(look),
                    Manner::Flights => self.flights.send(look, &self.bell),
                    Manner::Inline => look.send(),
                },
                Step::Sleep(pause) => {
                    let left = until.saturating_sub(self.now());
                    let pause = pause.min(left);
                    let is_interrupted = match &self.asking.own_clock {
                        Some(clock) => clock.sleep(pause).is_err(),
                        None => {
                            self.bell.wait(rung, pause);
                            false
                        }
                    };
                    if left.is_zero() || is_interrupted || arrived() {
                        return Err(NotYet);
                    }
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.asking.own_clock.as_ref().map_or_else(|| SystemClock::new().now(), |clock| clock.now())
    }

    /// Sends on a thread of its own, so that this one can go on.
    fn send(&self, look: Look) {
        let (look, bell) = (Arc::new(Mutex::new(Some(look))), Arc::clone(&self.bell));
        let taken = Arc::clone(&look);
        let work = move || {
            send(&taken);
            report_unheard();
            bell.ring();
        };
        // A machine without a thread to spare.
        if thread::Builder::new().name("activity-status".to_owned()).spawn(work).is_err() {
            send(&look);
        }
    }

    fn tell(&self, py: Python<'_>) -> PyResult<()> {
        let Some(on_progress) = &self.on_progress else { return Ok(()) };
        on_progress.call1(py, (self.followed.progress(py)?,)).map(drop)
    }
}

fn send(look: &Mutex<Option<Look>>) {
    let look = look.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(look) = look {
        look.send();
    }
}

/// Wakes those who wait. Whoever asks how often it has rung before he looks around misses no ring.
#[derive(Default)]
pub(crate) struct Bell {
    count: Mutex<u64>,
    heard: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.count() += 1;
        self.heard.notify_all();
    }

    fn rung(&self) -> u64 {
        *self.count()
    }

    /// Waits until it has rung more often than `known`, a signal's handler has raised, or so long.
    fn wait(&self, known: u64, time: Duration) {
        let clock = SystemClock::new();
        let until = clock.now().saturating_add(time);
        while !arrived() {
            let left = until.saturating_sub(clock.now());
            let count = self.count();
            if left.is_zero() || *count != known {
                return;
            }
            drop(self.heard.wait_timeout(count, left.min(slice())));
        }
    }

    fn count(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
