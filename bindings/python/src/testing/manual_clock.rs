use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use activity_status::plugin::{self, Interrupted};
use pyo3::prelude::*;

use crate::clock::Clock;
use crate::signals::arrived;
use crate::text::Time;

/// Time that passes only when somebody waits or a test says so: a wait of hours is over at once.
///
/// A sleep returns at once, and the time has moved on by as much. So a program that goes by this clock waits for nothing,
/// and finds its deadlines, its quota and its pauses as they would be. Give it to a Client as its clock.
///
/// start is what now() begins with, in seconds; wall is what the time of day is then, a datetime with a zone: the
/// beginning of 2026 (UTC) by default. All of its methods may be called from any thread, but each thread's sleep moves the
/// time of all: it is for programs that wait on one thread.
#[pyclass(frozen, extends = Clock, module = "activity_status.testing")]
pub(crate) struct ManualClock(pub(crate) Arc<Manual>);

#[pymethods]
impl ManualClock {
    #[new]
    #[pyo3(signature = (start=None, *, wall=None), text_signature = "(start=0.0, *, wall=None)")]
    fn new(
        py: Python<'_>,
        start: Option<Time>,
        wall: Option<SystemTime>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let start = start.map_or(Ok(Duration::ZERO), |start| start.read(py))?;
        let wall = wall.map_or(NEW_YEAR_2026, |wall| wall.duration_since(UNIX_EPOCH).unwrap_or_default());
        Ok(ManualClock::at(start, wall))
    }

    /// Moves the time on by so many seconds.
    fn advance(&self, py: Python<'_>, seconds: Time) -> PyResult<()> {
        self.0.advance(seconds.read(py)?);
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!("<ManualClock at {:?} s>", plugin::Clock::now(&*self.0).as_secs_f64())
    }
}

const NEW_YEAR_2026: Duration = Duration::from_secs(1_767_225_600);

impl ManualClock {
    pub(crate) fn at(start: Duration, wall: Duration) -> PyClassInitializer<Self> {
        let manual = Arc::new(Manual { now: Mutex::new(start), start, wall });
        PyClassInitializer::from(Clock(Arc::clone(&manual) as _)).add_subclass(ManualClock(manual))
    }

    /// One that begins at zero.
    pub(crate) fn fresh(py: Python<'_>) -> PyResult<Py<Self>> {
        Py::new(py, ManualClock::at(Duration::ZERO, NEW_YEAR_2026))
    }
}

/// The clock itself.
pub(crate) struct Manual {
    now: Mutex<Duration>,
    start: Duration,
    wall: Duration,
}

impl Manual {
    fn advance(&self, duration: Duration) {
        let mut now = self.lock();
        *now = now.saturating_add(duration);
    }

    fn lock(&self) -> MutexGuard<'_, Duration> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl plugin::Clock for Manual {
    fn now(&self) -> Duration {
        *self.lock()
    }

    fn wall(&self) -> Duration {
        self.wall.saturating_add(self.now() - self.start)
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        if arrived() {
            return Err(Interrupted);
        }
        self.advance(duration);
        Ok(())
    }

    /// Nobody has anything to wake it for: whatever was handed over is done.
    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        self.sleep(duration)
    }

    /// At once and on this thread: time would run away from another.
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        work();
        Ok(())
    }
}
