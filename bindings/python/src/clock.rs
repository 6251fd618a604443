use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::{self, Interrupted};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::signals::{arrived, detached, leave_with, slice};

/// The time by which a client goes.
#[pyclass(frozen, subclass, module = "activity_status")]
pub(crate) struct Clock(pub(crate) Arc<dyn plugin::Clock>);

#[pymethods]
impl Clock {
    /// Seconds since a fixed, arbitrary moment. It never goes back; a float tells nanoseconds for a hundred days.
    fn now(&self, py: Python<'_>) -> PyResult<f64> {
        told(py, || self.0.now())
    }

    /// Seconds since 1970 (UTC).
    fn wall(&self, py: Python<'_>) -> PyResult<f64> {
        told(py, || self.0.wall())
    }

    /// Sleeps for so many seconds of this clock. Ctrl-C ends it at once.
    fn sleep(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let time = time(seconds)?;
        match detached(py, || self.0.sleep(time))? {
            (_, Some(raised)) => Err(raised),
            (Err(Interrupted), None) => {
                Err(pyo3::exceptions::PyInterruptedError::new_err("the sleep was interrupted"))
            }
            (Ok(()), None) => Ok(()),
        }
    }
}

fn told(py: Python<'_>, ask: impl FnOnce() -> Duration + Send) -> PyResult<f64> {
    let (time, raised) = detached(py, ask)?;
    raised.map_or(Ok(time.as_secs_f64()), Err)
}

/// The machine's clock, whose sleeps end when a signal's handler raises.
pub(crate) struct SignalClock(pub(crate) SystemClock);

impl SignalClock {
    pub(crate) fn new() -> Self {
        SignalClock(SystemClock::new())
    }
}

impl plugin::Clock for SignalClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn wall(&self) -> Duration {
        self.0.wall()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        let until = self.now().saturating_add(duration);
        loop {
            if arrived() {
                return Err(Interrupted);
            }
            match until.saturating_sub(self.now()) {
                Duration::ZERO => return Ok(()),
                left => self.0.sleep(left.min(slice()))?,
            }
        }
    }

    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        let until = self.now().saturating_add(duration);
        loop {
            if arrived() {
                return Err(Interrupted);
            }
            let end = until.min(self.now().saturating_add(slice()));
            self.0.park(end.saturating_sub(self.now()))?;
            let was_unparked = self.now() < end;
            if was_unparked || end == until {
                return Ok(());
            }
        }
    }
}

/// A Python object as a clock. What it raises leaves the call; as long as it cannot be asked, its time stands still.
pub(crate) struct PyClock {
    pub(crate) object: Py<PyAny>,
    last: Mutex<(Duration, Duration)>,
}

impl PyClock {
    pub(crate) fn new(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        for method in ["now", "wall", "sleep"] {
            if !given.getattr_opt(method)?.is_some_and(|method| method.is_callable()) {
                let given = given.get_type().name()?;
                return Err(PyTypeError::new_err(format!(
                    "a clock has now, wall and sleep; {given} has no {method}"
                )));
            }
        }
        Ok(PyClock { object: given.clone().unbind(), last: Mutex::default() })
    }

    fn asked(&self, method: &str) -> Option<Duration> {
        let ask = |py: Python<'_>| time(self.object.call_method0(py, method)?.extract(py)?);
        Python::try_attach(ask)?.map_err(leave_with).ok()
    }
}

impl plugin::Clock for PyClock {
    fn now(&self) -> Duration {
        let now = self.asked("now");
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.0 = now.unwrap_or(last.0);
        last.0
    }

    fn wall(&self) -> Duration {
        let wall = self.asked("wall");
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.1 = wall.unwrap_or(last.1);
        last.1
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        if arrived() {
            return Err(Interrupted);
        }
        let sleep =
            |py: Python<'_>| self.object.call_method1(py, "sleep", (duration.as_secs_f64(),)).map(drop);
        Python::try_attach(sleep).unwrap_or(Ok(())).map_err(leave_with).map_err(|()| Interrupted)?;
        if arrived() { Err(Interrupted) } else { Ok(()) }
    }

    /// Whoever is woken is so at the end of a sleep, and its time goes as it will.
    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        self.sleep(duration)
    }
}

fn time(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        PyValueError::new_err(format!("a clock's time is in seconds, and not negative: {seconds}"))
    })
}
