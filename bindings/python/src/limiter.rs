//! Limiters that are written in Python: the values that they speak in, and the object as the core's `Limiter`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use activity_status::plugin::{self, Acquired, CallClass, Limiter, LimiterError, Permit};
use pyo3::exceptions::{PyException, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::clock::Clock;
use crate::errors;
use crate::observer::class_word;
use crate::signals::{arrived, leave_with, raised};

/// A limiter's answer: send now, and settle this permit afterwards.
///
/// The permit is a number of the limiter's own, from 0 to 2**64 - 1, that settle is given.
#[pyclass(frozen, eq, hash, module = "activity_status")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Granted {
    /// The limiter's own number for this call.
    #[pyo3(get)]
    permit: u64,
}

#[pymethods]
impl Granted {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("permit",);

    #[new]
    fn new(permit: u64) -> Self {
        Granted { permit }
    }

    fn __repr__(&self) -> String {
        format!("Granted({})", self.permit)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (py.get_type::<Granted>(), (self.permit,)).into_pyobject(py)
    }
}

/// A limiter's answer: not before so many seconds have passed; the caller then asks again.
///
/// More than zero, or ValueError. It is rounded up to a nanosecond, so that whoever has waited is not early.
#[pyclass(frozen, eq, hash, module = "activity_status")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct RetryAfter(Duration);

#[pymethods]
impl RetryAfter {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("seconds",);

    #[new]
    fn new(seconds: f64) -> PyResult<Self> {
        let nearest = time(seconds).filter(|_| seconds > 0.0);
        let Some(nearest) = nearest else {
            let what =
                format!("a wait is more than 0 seconds, not {seconds}; if there is none, answer Granted");
            return Err(PyValueError::new_err(what));
        };
        let below = nearest.as_secs_f64() < seconds;
        Ok(RetryAfter(if below { nearest.saturating_add(Duration::from_nanos(1)) } else { nearest }))
    }

    /// How long to wait.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.as_secs_f64()
    }

    fn __repr__(&self) -> String {
        format!("RetryAfter({:?})", self.seconds())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (py.get_type::<RetryAfter>(), (self.seconds(),)).into_pyobject(py)
    }
}

/// What became of a call that had a permit.
///
/// - answered: the head of an answer has just arrived.
/// - refused: it was a refusal (429); retry_after is the server's advice in seconds, if it gave any.
/// - not_sent: the call certainly never left, and does not count.
/// - in_doubt: no answer came; the call may still arrive.
#[pyclass(frozen, eq, hash, module = "activity_status")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Settlement {
    /// One of the four words.
    #[pyo3(get)]
    how: &'static str,
    retry_after: Option<Duration>,
}

#[pymethods]
impl Settlement {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("how", "retry_after");

    #[new]
    #[pyo3(signature = (how, retry_after=None))]
    pub(crate) fn new(how: &str, retry_after: Option<f64>) -> PyResult<Self> {
        let words = ["answered", "refused", "not_sent", "in_doubt"];
        let Some(how) = words.into_iter().find(|word| *word == how) else {
            return Err(PyValueError::new_err(format!("a call ends as one of {}", words.join(", "))));
        };
        let advice = retry_after.map(|seconds| time(seconds).ok_or(seconds)).transpose();
        match advice {
            Ok(None) => Ok(Settlement { how, retry_after: None }),
            Ok(advice) if how == "refused" => Ok(Settlement { how, retry_after: advice }),
            Ok(_) => Err(PyValueError::new_err("a retry_after comes with a refusal alone")),
            Err(seconds) => Err(PyValueError::new_err(format!("{seconds} is no time in seconds"))),
        }
    }

    /// The server's advice in seconds when to come back, if it refused the call and gave any.
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        self.retry_after.map(|advice| advice.as_secs_f64())
    }

    fn __repr__(&self) -> String {
        match self.retry_after {
            Some(advice) => format!("Settlement('{}', {:?})", self.how, advice.as_secs_f64()),
            None => format!("Settlement('{}')", self.how),
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (py.get_type::<Settlement>(), (self.how, self.retry_after())).into_pyobject(py)
    }
}

impl From<Permit> for Granted {
    fn from(permit: Permit) -> Self {
        Granted { permit: permit.0 }
    }
}

impl From<Duration> for RetryAfter {
    fn from(wait: Duration) -> Self {
        RetryAfter(wait)
    }
}

impl Settlement {
    pub(crate) fn plain(&self) -> plugin::Settlement {
        match self.how {
            "answered" => plugin::Settlement::Answered,
            "refused" => plugin::Settlement::Refused { retry_after: self.retry_after },
            "not_sent" => plugin::Settlement::NotSent,
            _ => plugin::Settlement::InDoubt,
        }
    }
}

impl From<plugin::Settlement> for Settlement {
    fn from(how: plugin::Settlement) -> Self {
        let plain = |how| Settlement { how, retry_after: None };
        match how {
            plugin::Settlement::Answered | plugin::Settlement::AnsweredOnNewConnection => plain("answered"),
            plugin::Settlement::Refused { retry_after } => Settlement { how: "refused", retry_after },
            plugin::Settlement::NotSent => plain("not_sent"),
            _ => plain("in_doubt"),
        }
    }
}

/// How a quota stands, for all who share it.
#[pyclass(frozen, eq, hash, module = "activity_status")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    /// Slots of calls that count at this moment: in flight, or answered less than a window ago.
    #[pyo3(get)]
    used: u32,
    /// Slots that are free. Some may be kept for those who wait.
    #[pyo3(get)]
    free: u32,
    next_free_in: Duration,
    /// How many callers wait.
    #[pyo3(get)]
    waiting: u32,
    /// How many calls the vendor has refused (429) so far.
    #[pyo3(get)]
    refused: u64,
}

#[pymethods]
impl Snapshot {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str, &'static str, &'static str) =
        ("used", "free", "next_free_in", "waiting", "refused");

    #[new]
    #[pyo3(signature = (used, free, next_free_in, waiting=0, refused=0))]
    fn new(used: u32, free: u32, next_free_in: f64, waiting: u32, refused: u64) -> PyResult<Self> {
        let next_free_in = time(next_free_in)
            .ok_or_else(|| PyValueError::new_err(format!("{next_free_in} is no time in seconds")))?;
        Ok(Snapshot { used, free, next_free_in, waiting, refused })
    }

    /// The least seconds that a call which came now would have to wait: 0.0 if it could go at once.
    #[getter]
    fn next_free_in(&self) -> f64 {
        self.next_free_in.as_secs_f64()
    }

    fn __repr__(&self) -> String {
        let Snapshot { used, free, waiting, refused, .. } = self;
        let next = self.next_free_in();
        format!(
            "Snapshot(used={used}, free={free}, next_free_in={next:?}, waiting={waiting}, refused={refused})"
        )
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let fields = (self.used, self.free, self.next_free_in(), self.waiting, self.refused);
        (py.get_type::<Snapshot>(), fields).into_pyobject(py)
    }
}

impl From<plugin::Snapshot> for Snapshot {
    fn from(it: plugin::Snapshot) -> Self {
        let plugin::Snapshot { used, free, next_free_in, waiting, refused } = it;
        Snapshot { used, free, next_free_in, waiting, refused }
    }
}

impl Snapshot {
    fn plain(&self) -> plugin::Snapshot {
        let Snapshot { used, free, next_free_in, waiting, refused } = *self;
        plugin::Snapshot { used, free, next_free_in, waiting, refused }
    }
}

/// A Python object as a limiter. Its methods run on the thread that makes the call, and the interpreter is attached
/// while they do and no longer.
pub(crate) struct PyLimiter {
    pub(crate) object: Py<PyAny>,
    /// That of every call: a Python object cannot borrow the one that comes with each.
    clock: Py<Clock>,
}

impl PyLimiter {
    pub(crate) fn new(object: &Bound<'_, PyAny>, clock: Arc<dyn plugin::Clock>) -> PyResult<Self> {
        for method in ["try_acquire", "settle"] {
            if !object.getattr_opt(method)?.is_some_and(|method| method.is_callable()) {
                let given = object.get_type().name()?;
                let what = format!(
                    "a limiter is 'process', 'file:PATH', 'redis://HOST:PORT' or an object with try_acquire and \
                     settle; {given} has no {method}"
                );
                return Err(PyTypeError::new_err(what));
            }
        }
        let clock = Py::new(object.py(), Clock(clock))?;
        Ok(PyLimiter { object: object.clone().unbind(), clock })
    }

    /// What the garbage collector has to see.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)?;
        visit.call(&self.clock)
    }

    /// As [`Limiter::leave`], with what went wrong.
    pub(crate) fn try_leave(&self) -> Result<(), LimiterError> {
        self.called("leave", |limiter| match limiter.getattr_opt("leave")? {
            Some(leave) => leave.call0().map(drop),
            None => Ok(()),
        })
    }

    fn called<T>(
        &self,
        method: &str,
        call: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>,
    ) -> Result<T, LimiterError> {
        Python::try_attach(|py| call(self.object.bind(py)).map_err(|error| trouble(py, method, error)))
            .unwrap_or_else(|| {
                let message = format!("its {method} cannot run any more: the interpreter ends");
                Err(LimiterError { message, source: None })
            })
    }
}

impl Limiter for PyLimiter {
    fn try_acquire(&self, class: CallClass, _: &dyn plugin::Clock) -> Result<Acquired, LimiterError> {
        let class = class_word(class);
        let was_raised = raised();
        let answer = self.called("try_acquire", |limiter| {
            let answer = limiter.call_method1("try_acquire", (class, &self.clock))?;
            if let Ok(granted) = answer.cast::<Granted>() {
                return Ok(Acquired::Granted(Permit(granted.get().permit)));
            }
            match answer.cast::<RetryAfter>() {
                Ok(later) => Ok(Acquired::RetryAfter(later.get().0)),
                Err(_) => Err(no_answer("try_acquire answers Granted or RetryAfter", &answer)),
            }
        });
        // What ends the program is no answer of the limiter's, and loses no job: whoever waits is left in that wait.
        match answer {
            Err(_) if raised() && !was_raised => Ok(Acquired::RetryAfter(Duration::from_millis(1))),
            answer => answer,
        }
    }

    fn leave(&self) {
        if let Err(trouble) = self.try_leave() {
            report(&trouble);
        }
    }

    fn settle(
        &self,
        permit: Permit,
        how: plugin::Settlement,
        _: &dyn plugin::Clock,
    ) -> Result<(), LimiterError> {
        self.called("settle", |limiter| {
            limiter.call_method1("settle", (permit.0, Settlement::from(how), &self.clock)).map(drop)
        })
    }

    fn snapshot(&self, _: &dyn plugin::Clock) -> Result<Option<plugin::Snapshot>, LimiterError> {
        self.called("snapshot", |limiter| {
            let Some(snapshot) = limiter.getattr_opt("snapshot")? else { return Ok(None) };
            let answer = snapshot.call1((&self.clock,))?;
            if answer.is_none() {
                return Ok(None);
            }
            match answer.cast::<Snapshot>() {
                Ok(it) => Ok(Some(it.get().plain())),
                Err(_) => Err(no_answer("snapshot answers a Snapshot or None", &answer)),
            }
        })
    }
}

/// What a limiter could not do while the call went on: there is nobody to raise it to, so it goes where Python sends
/// such exceptions, to `sys.unraisablehook`; unless the call is left with an exception anyway.
pub(crate) fn report(trouble: &LimiterError) {
    if !arrived() {
        // A program whose modules are gone already has no limiter that could work, and nobody to hear of it.
        let modules = |py: Python<'_>| py.import("sys")?.getattr("meta_path")?.is_truthy();
        let _ = Python::try_attach(|py| {
            if modules(py).unwrap_or(false) {
                errors::of_limiter(py, trouble).write_unraisable(py, None);
            }
        });
    }
}

/// The error for what a method raised. What ends the program or the thread, as Ctrl-C does, leaves the call as itself.
fn trouble(py: Python<'_>, method: &str, error: PyErr) -> LimiterError {
    let said: String = error.to_string().chars().take(500).collect();
    let message = format!("its {method} raised {said}");
    let source: Option<Box<dyn Error + Send + Sync>> = match error.is_instance_of::<PyException>(py) {
        true => Some(Box::new(error)),
        false => {
            leave_with(error);
            None
        }
    };
    LimiterError { message, source }
}

fn no_answer(rule: &str, answer: &Bound<'_, PyAny>) -> PyErr {
    match answer.get_type().name() {
        Ok(name) => PyTypeError::new_err(format!("{rule}, not {name}")),
        Err(error) => error,
    }
}

/// A time in seconds, unless it is negative, too long or none at all.
fn time(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
