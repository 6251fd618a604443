//! Jobs that are followed: what a WaitAll and a Tracker have in common.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;
use std::{mem, process};

use activity_status as core;
use activity_status::{Ended, Step, WaitOptions};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFrozenSet, PySet, PyString};

use crate::client::Client;
use crate::errors;
use crate::job::Job;
use crate::progress::{Progress, seconds};
use crate::schedule::PySchedule;
use crate::signals;
use crate::status::Status;
use crate::text::Time;

/// The core's tracker for several threads: it is locked for a step, never while anybody waits.
pub(crate) struct Followed {
    jobs: Mutex<Option<Jobs>>,
    /// The thread that has the lock.
    inside: Mutex<Option<ThreadId>>,
    process: u32,
    /// A limiter of the program's own may hold that client, and the garbage collector has to see who uses both.
    pub(crate) client: Py<Client>,
}

struct Jobs {
    tracker: core::Tracker,
    /// Ends that were told, but that an exception kept from being handed out.
    kept: VecDeque<Ended>,
}

impl Followed {
    pub(crate) fn new(tracker: core::Tracker, client: Py<Client>) -> Self {
        let jobs = Mutex::new(Some(Jobs { tracker, kept: VecDeque::new() }));
        Followed { jobs, inside: Mutex::default(), process: process::id(), client }
    }

    /// What to do now. Only where [`check`](Followed::check) went well, and detached.
    pub(crate) fn step(&self) -> Step {
        self.locked(|jobs| jobs.tracker.step())
    }

    /// Keeps the end of a job that could not be handed out.
    pub(crate) fn keep(&self, ended: Ended) {
        self.locked(|jobs| jobs.kept.push_back(ended));
    }

    /// Hands out how a job ended. If an exception comes in between, it is kept.
    pub(crate) fn hand_out(&self, py: Python<'_>, ended: Ended) -> PyResult<(Job, Py<PyAny>)> {
        let told = told(py, &ended);
        if told.is_err() {
            py.detach(|| self.keep(ended));
        }
        told
    }

    /// The first end that was kept: nobody keeps it any longer.
    pub(crate) fn kept(&self) -> Option<Ended> {
        self.locked(|jobs| jobs.kept.pop_front())
    }

    pub(crate) fn add(&self, py: Python<'_>, job: core::Job) -> PyResult<bool> {
        self.asked(py, |jobs| jobs.tracker.add(job))
    }

    pub(crate) fn forget(&self, job: &Bound<'_, PyAny>) -> PyResult<bool> {
        let unwanted = Job::given(job, None)?;
        self.asked(job.py(), |jobs| {
            let of_it = |(other, _): &Ended| {
                (other.operation(), other.request_id()) == (unwanted.operation(), unwanted.request_id())
            };
            let kept = jobs.kept.len();
            jobs.kept.retain(|ended| !of_it(ended));
            jobs.tracker.forget(&unwanted) || jobs.kept.len() < kept
        })
    }

    pub(crate) fn progress(&self, py: Python<'_>) -> PyResult<Progress> {
        self.asked(py, |jobs| jobs.tracker.progress().into())
    }

    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<Vec<Job>> {
        self.asked(py, |jobs| {
            let kept = jobs.kept.iter().map(|(job, _)| job.clone());
            kept.chain(jobs.tracker.open()).map(Job).collect()
        })
    }

    pub(crate) fn eta_of(&self, job: &Bound<'_, PyAny>) -> PyResult<Option<(f64, f64)>> {
        let wanted = Job::given(job, None)?;
        self.asked(job.py(), |jobs| jobs.tracker.eta_of(&wanted).map(seconds))
    }

    pub(crate) fn last_status(&self, job: &Bound<'_, PyAny>) -> PyResult<Option<Status>> {
        let wanted = Job::given(job, None)?;
        let status = self.asked(job.py(), |jobs| jobs.tracker.last_status(&wanted).cloned())?;
        Ok(status.map(|status| Status::new(status, wanted.operation().clone())))
    }

    pub(crate) fn deadline_error(
        &self,
        job: &Bound<'_, PyAny>,
        waited: Duration,
    ) -> PyResult<Option<Py<PyAny>>> {
        let (py, wanted) = (job.py(), Job::given(job, None)?);
        let error = self.asked(py, |jobs| jobs.tracker.deadline_error(&wanted, waited))?;
        Ok(error.map(|error| errors::raised(py, &error, Some(wanted.operation())).into_value(py).into_any()))
    }

    pub(crate) fn overdue(&self, py: Python<'_>) -> PyResult<Vec<Job>> {
        self.asked(py, |jobs| jobs.tracker.overdue().into_iter().map(Job).collect())
    }

    /// Refuses who would wait for this very thread, and who has forked since: the questions on their way, their
    /// connections and their threads belong to the other process.
    pub(crate) fn check(&self, py: Python<'_>) -> PyResult<()> {
        if *self.inside.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id()) {
            return Err(PyRuntimeError::new_err(
                "a limiter or a schedule must not ask the wait that is asking it",
            ));
        }
        of_this_process(py, self.process)
    }

    fn asked<T: Send>(&self, py: Python<'_>, question: impl FnOnce(&mut Jobs) -> T + Send) -> PyResult<T> {
        self.check(py)?;
        // Who has the lock may be waiting for the interpreter.
        let (answer, raised) = signals::detached(py, || self.locked(question))?;
        raised.map_or(Ok(answer), Err)
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Jobs) -> T) -> T {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let _inside = Inside::of(&self.inside);
        work(jobs.as_mut().expect("they are there until the end"))
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let jobs = self.jobs.get_mut().map(Option::take);
        if self.process == process::id() {
            drop(jobs);
            signals::report_unheard();
        } else {
            // As of a client: the connections are neither used nor closed here.
            mem::forget(jobs);
        }
    }
}

/// Marks the thread that has the lock.
struct Inside<'a>(&'a Mutex<Option<ThreadId>>);

impl<'a> Inside<'a> {
    fn of(place: &'a Mutex<Option<ThreadId>>) -> Self {
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        Inside(place)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How a job ended, as Python sees it: with its status, or with the exception that says why there is none.
fn told(py: Python<'_>, (job, result): &Ended) -> PyResult<(Job, Py<PyAny>)> {
    let operation = job.operation();
    let result = match result {
        Ok(status) => Py::new(py, Status::new(status.clone(), operation.clone()))?.into_any(),
        Err(error) => errors::exception(py, error, Some(operation))?.into_value(py).into_any(),
    };
    Ok((Job(job.clone()), result))
}

/// The jobs that an argument names. Nothing is asked about any before all are read.
pub(crate) fn jobs(
    given: &Bound<'_, PyAny>,
    operation: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<core::Job>> {
    let is_text = given.is_instance_of::<PyString>() || given.is_instance_of::<PyBytes>();
    if is_text || given.is_instance_of::<Job>() {
        let class = given.get_type().name()?;
        let what = format!("jobs are an iterable of request ids or Jobs, not one {class}: put it in a list");
        return Err(PyTypeError::new_err(what));
    }
    given.try_iter()?.map(|item| one(&item?, operation)).collect()
}

/// The job that an item names; `operation` is that of an id alone.
pub(crate) fn one(item: &Bound<'_, PyAny>, operation: Option<&Bound<'_, PyAny>>) -> PyResult<core::Job> {
    Job::given(item, operation.filter(|_| !item.is_instance_of::<Job>()))
}

/// How to wait, as the arguments say. `jobs` that have no order are taken so unless they say otherwise.
pub(crate) fn options(
    py: Python<'_>,
    timeout: Option<Time>,
    price: Option<Time>,
    order: Option<&str>,
    jobs: Option<&Bound<'_, PyAny>>,
) -> PyResult<WaitOptions> {
    let mut options = WaitOptions::new();
    if let Some(timeout) = timeout {
        options = options.deadline(timeout.read(py)?);
    }
    if let Some(price) = price {
        options = options.price(price.read(py)?);
    }
    let shuffled =
        jobs.is_some_and(|jobs| jobs.is_instance_of::<PySet>() || jobs.is_instance_of::<PyFrozenSet>());
    Ok(match order {
        Some("submitted") => options,
        Some("unknown") => options.order(core::Order::Unknown),
        None if shuffled => options.order(core::Order::Unknown),
        None => options,
        Some(other) => {
            let what = format!("an order is submitted or unknown, not {other:?}; nothing was sent");
            return Err(errors::new(py, core::ErrorKind::Config, &what));
        }
    })
}

/// A tracker of the client, by a schedule of the program's own if there is one.
pub(crate) fn tracker(
    client: &core::Client,
    options: &WaitOptions,
    schedule: Option<&Bound<'_, PyAny>>,
) -> PyResult<core::Tracker> {
    Ok(match schedule {
        Some(schedule) => client.tracker_by(PySchedule::new(schedule)?, options),
        None => client.tracker(options),
    })
}

/// Refuses what a fork has brought here.
pub(crate) fn of_this_process(py: Python<'_>, process: u32) -> PyResult<()> {
    if process == process::id() {
        return Ok(());
    }
    let what = "it belongs to the process that has forked; follow the jobs anew in this one";
    Err(errors::new(py, core::ErrorKind::Config, what))
}
