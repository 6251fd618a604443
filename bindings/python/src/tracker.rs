use activity_status as core;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::followed::{self, Followed};
use crate::job::Job;
use crate::look::Look;
use crate::progress::Progress;
use crate::signals::detached;
use crate::status::Status;
use crate::text::Time;

/// Follows many jobs in steps, for an event loop: it has no thread, and waits for nothing but its limiter's answers.
///
/// Make one with Client.tracker. step says what to do now. Looks may be asked in any way and on any thread, several at a
/// time: each finds its own way back. All of its methods may be called from any thread. Who may block has it easier with
/// Client.wait_all.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Tracker(pub(crate) Followed);

#[pymethods]
impl Tracker {
    /// Follows one more job, a request id or a Job; False if it is followed already. Add jobs in the order in which they
    /// were submitted, unless the tracker was made with order="unknown". operation is that of a plain id.
    #[pyo3(
        signature = (job, *, operation=None),
        text_signature = "($self, job, *, operation='activity.create')"
    )]
    fn add(&self, job: &Bound<'_, PyAny>, operation: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        self.0.add(job.py(), followed::one(job, operation)?)
    }

    /// Stops following a job, a request id or a Job: no step tells its end any more. False if it is not followed. An answer that is
    /// still on its way is of no account, even if the job is added again meanwhile.
    fn forget(&self, job: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.0.forget(job)
    }

    /// What to do now. Answers that have come are taken in first.
    ///
    /// - Look: ask this, and go on with the next step meanwhile.
    /// - Sleep: do nothing for so many seconds, unless an answer comes sooner or a job is added.
    /// - Ended: nothing more will be asked about this job. Each job that was added ends once.
    /// - Done: every job has ended.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.check(py)?;
        let kept = || self.0.kept().map(|(job, result)| core::Step::Ended(job, result));
        let (step, raised) = detached(py, || kept().unwrap_or_else(|| self.0.step()))?;
        match (step, raised) {
            (core::Step::Ended(job, result), Some(raised)) => {
                py.detach(|| self.0.keep((job, result)));
                Err(raised)
            }
            (_, Some(raised)) => Err(raised),
            (core::Step::Ended(job, result), None) => {
                let (job, result) = self.0.hand_out(py, (job, result))?;
                Ok(Bound::new(py, Ended { job: Py::new(py, job)?, result })?.into_any())
            }
            (core::Step::Look(look), None) => {
                Ok(Bound::new(py, Look::new(look, self.0.client.clone_ref(py)))?.into_any())
            }
            (core::Step::Sleep(time), None) => {
                Ok(Bound::new(py, Sleep { seconds: time.as_secs_f64() })?.into_any())
            }
            (core::Step::Done, None) => Ok(Bound::new(py, Done)?.into_any()),
        }
    }

    /// How far it is.
    #[getter]
    fn progress(&self, py: Python<'_>) -> PyResult<Progress> {
        self.0.progress(py)
    }

    /// The jobs that have not ended. It makes a list of them all.
    #[getter]
    fn open(&self, py: Python<'_>) -> PyResult<Vec<Job>> {
        self.0.open(py)
    }

    /// In how many seconds this job, a request id or a Job, will probably be known, and one standard deviation of that; None
    /// if nothing tells.
    fn eta_of(&self, job: &Bound<'_, PyAny>) -> PyResult<Option<(f64, f64)>> {
        self.0.eta_of(job)
    }

    /// What the vendor last said of an open job, a request id or a Job; None if it has not been asked.
    fn last_status(&self, job: &Bound<'_, PyAny>) -> PyResult<Option<Status>> {
        self.0.last_status(job)
    }

    /// The DeadlineError for somebody who has waited so long for an open job, a request id or a Job, and gives up while others
    /// may still wait. It is not raised. None if the job is not open.
    #[pyo3(text_signature = "($self, job, waited)")]
    fn deadline_error(&self, job: &Bound<'_, PyAny>, waited: Time) -> PyResult<Option<Py<PyAny>>> {
        self.0.deadline_error(job, waited.read(job.py())?)
    }

    /// Open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
    /// asked about now and then, until the time is over.
    #[getter]
    fn overdue(&self, py: Python<'_>) -> PyResult<Vec<Job>> {
        self.0.overdue(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let progress = self.0.progress(py)?;
        Ok(format!("<Tracker {}>", progress.in_words()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0.client)
    }
}

/// A tracker's step: do nothing for so long, unless an answer comes sooner or a job is added.
#[pyclass(frozen, get_all, module = "activity_status")]
pub(crate) struct Sleep {
    /// How long; more than zero.
    seconds: f64,
}

#[pymethods]
impl Sleep {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("seconds",);

    #[new]
    fn new(seconds: f64) -> Self {
        Sleep { seconds }
    }

    fn __repr__(&self) -> String {
        format!("Sleep({:?})", self.seconds)
    }
}

/// A tracker's step: nothing more will be asked about this job.
#[pyclass(frozen, get_all, module = "activity_status")]
pub(crate) struct Ended {
    /// The job, as it was added.
    job: Py<Job>,
    /// Its Status, if it is settled: it succeeded or failed. Else the ActivityStatusError that says why it cannot be
    /// followed any further; it is not raised.
    result: Py<PyAny>,
}

#[pymethods]
impl Ended {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("job", "result");

    #[new]
    fn new(job: Py<Job>, result: Py<PyAny>) -> Self {
        Ended { job, result }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Ended({}, {})", self.job.bind(py).repr()?, self.result.bind(py).repr()?))
    }
}

/// A tracker's step: every job has ended.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Done;

#[pymethods]
impl Done {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: () = ();

    #[new]
    fn new() -> Self {
        Done
    }

    fn __repr__(&self) -> &'static str {
        "Done()"
    }
}
