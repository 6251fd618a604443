//! Schedules that are written in Python: the values that they speak in, and the object as the core's `Schedule`.

use std::time::Duration;

use activity_status::plugin::{self, Eta, JobKey, Next, Observed, Schedule};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::signals::leave_with;
use crate::tracker::Done;

/// A schedule's answer: ask about the job with this key.
#[pyclass(frozen, get_all, module = "activity_status")]
pub(crate) struct Poll {
    /// The key that add gave it.
    key: u64,
}

#[pymethods]
impl Poll {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("key",);

    #[new]
    fn new(key: u64) -> Self {
        Poll { key }
    }

    fn __repr__(&self) -> String {
        format!("Poll({})", self.key)
    }
}

/// A schedule's answer: ask nothing for so many seconds, unless something is observed or added sooner.
#[pyclass(frozen, get_all, module = "activity_status")]
pub(crate) struct Wait {
    /// How long; more than zero.
    seconds: f64,
}

#[pymethods]
impl Wait {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("seconds",);

    #[new]
    fn new(seconds: f64) -> PyResult<Self> {
        match Duration::try_from_secs_f64(seconds) {
            Ok(time) if !time.is_zero() => Ok(Wait { seconds }),
            _ => Err(PyValueError::new_err(format!("a wait is more than 0 seconds, not {seconds}"))),
        }
    }

    fn __repr__(&self) -> String {
        format!("Wait({:?})", self.seconds)
    }
}

/// A Python object as a schedule. What it raises leaves the wait, on the thread that takes its steps; a question that it did
/// not answer is answered with a pause.
pub(crate) struct PySchedule {
    object: Py<PyAny>,
    added: u64,
}

/// While a schedule gives no answer.
const PAUSE: Duration = Duration::from_millis(10);

impl PySchedule {
    pub(crate) fn new(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        for method in ["add", "next", "observe", "__len__"] {
            if !given.getattr_opt(method)?.is_some_and(|method| method.is_callable()) {
                let given = given.get_type().name()?;
                let what = format!("a schedule has add, next, observe and __len__; {given} has no {method}");
                return Err(PyTypeError::new_err(what));
            }
        }
        Ok(PySchedule { object: given.clone().unbind(), added: 0 })
    }

    fn called<T>(&self, call: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Option<T> {
        Python::try_attach(|py| call(self.object.bind(py)))?.map_err(leave_with).ok()
    }

    /// What a method that need not be there answers.
    fn asked<T>(&self, method: &str, read: impl FnOnce(Bound<'_, PyAny>) -> PyResult<T>) -> Option<T> {
        self.called(|schedule| schedule.getattr_opt(method)?.map(read).transpose()).flatten()
    }
}

impl Schedule for PySchedule {
    fn add(&mut self, lane: u16, submitted_at: Option<Duration>) -> JobKey {
        self.added += 1;
        let submitted_at = submitted_at.map(|at| at.as_secs_f64());
        let key = self.called(|schedule| schedule.call_method1("add", (lane, submitted_at))?.extract());
        // It has raised, and so will be left: any key that it has not given does.
        JobKey(key.unwrap_or(u64::MAX - self.added))
    }

    fn next(&mut self, now: Duration) -> Next {
        let next = self.called(|schedule| {
            let answer = schedule.call_method1("next", (now.as_secs_f64(),))?;
            if let Ok(poll) = answer.cast::<Poll>() {
                return Ok(Next::Poll(JobKey(poll.get().key)));
            }
            if let Ok(wait) = answer.cast::<Wait>() {
                return Ok(Next::Wait(Duration::try_from_secs_f64(wait.get().seconds).unwrap_or(PAUSE)));
            }
            match answer.is_instance_of::<Done>() {
                true => Ok(Next::Done),
                false => {
                    let given = answer.get_type().name()?;
                    Err(PyTypeError::new_err(format!("next answers Poll, Wait or Done, not {given}")))
                }
            }
        });
        next.unwrap_or(Next::Wait(PAUSE))
    }

    fn observe(&mut self, job: JobKey, what: Observed, sent_at: Duration, answered_at: Duration) {
        let what = match what {
            Observed::Pending => "pending",
            Observed::Settled => "settled",
            Observed::Refused => "refused",
            Observed::Failed => "failed",
            Observed::Unsent => "unsent",
        };
        let times = (sent_at.as_secs_f64(), answered_at.as_secs_f64());
        self.called(|schedule| schedule.call_method1("observe", (job.0, what, times.0, times.1)).map(drop));
    }

    fn forget(&mut self, job: JobKey) {
        self.asked("forget", |forget| forget.call1((job.0,)).map(drop));
    }

    fn len(&self) -> usize {
        self.called(|schedule| schedule.len()).unwrap_or_default()
    }

    fn eta(&self, now: Duration) -> Option<plugin::Eta> {
        self.asked("eta", |eta| read_eta(&eta.call1((now.as_secs_f64(),))?)).flatten()
    }

    fn eta_of(&self, job: JobKey, now: Duration) -> Option<plugin::Eta> {
        self.asked("eta_of", |eta| read_eta(&eta.call1((job.0, now.as_secs_f64()))?)).flatten()
    }

    fn overdue(&self, now: Duration) -> Vec<JobKey> {
        let keys: Option<Vec<u64>> = self.asked("overdue", |it| it.call1((now.as_secs_f64(),))?.extract());
        keys.unwrap_or_default().into_iter().map(JobKey).collect()
    }

    fn hint(&mut self, lane: u16, ahead: u64, per_second: f64, now: Duration) {
        self.asked("hint", |hint| hint.call1((lane, ahead, per_second, now.as_secs_f64())).map(drop));
    }
}

/// Seconds, and one standard deviation of them.
fn read_eta(answer: &Bound<'_, PyAny>) -> PyResult<Option<Eta>> {
    let time = |seconds: f64| {
        Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))
    };
    let Some((remaining, uncertainty)) = answer.extract::<Option<(f64, f64)>>()? else { return Ok(None) };
    Ok(Some(Eta { remaining: time(remaining)?, uncertainty: time(uncertainty)? }))
}
