//! Checks for parts of the program's own: those of the core, run so that a part which hangs or raises is told of.

mod clock;
mod limiter;
mod transport;

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::conformance::Failed;
use activity_status::plugin::Clock as _;
use pyo3::exceptions::PyAssertionError;
use pyo3::prelude::*;

use crate::signals::{SLICE, arrived, detached};
use crate::text;

pub(crate) use clock::check_clock;
pub(crate) use limiter::check_limiter;
pub(crate) use transport::check_transport;

fn or_seconds(py: Python<'_>, given: Option<text::Time>, default: u64) -> PyResult<Duration> {
    given.map_or(Ok(Duration::from_secs(default)), |time| time.read(py))
}

/// What the checks of a part and the part itself know of each other.
#[derive(Default)]
struct Trial {
    /// Why nothing is asked of the part any more.
    stopped: OnceLock<String>,
    raised: Mutex<Option<Raised>>,
}

/// The first exception.
struct Raised {
    error: PyErr,
    /// It is what the checks end with, and not the cause of that.
    is_the_end: bool,
}

impl Trial {
    /// Runs the checks on a thread of their own, so that this one can look for signals whatever the part does.
    fn run(
        self: &Arc<Self>,
        py: Python<'_>,
        timeout: Duration,
        checks: impl FnOnce() -> Result<(), Failed> + Send + 'static,
    ) -> PyResult<()> {
        let (result, interrupted) = detached(py, || self.wait(timeout, checks))?;
        if let Some(interrupted) = interrupted {
            return Err(interrupted);
        }
        let Err(what) = result else { return Ok(()) };
        let raised = self.raised().take();
        Err(match raised {
            Some(Raised { error, is_the_end: true }) => error,
            raised => {
                let failed = PyAssertionError::new_err(what);
                failed.set_cause(py, raised.map(|raised| raised.error));
                failed
            }
        })
    }

    fn wait(
        self: &Arc<Self>,
        timeout: Duration,
        checks: impl FnOnce() -> Result<(), Failed> + Send + 'static,
    ) -> Result<(), String> {
        let (tell, told) = channel();
        let trial = Arc::clone(self);
        let checks = move || {
            let result = checks();
            let result = match trial.stopped.get() {
                Some(why) => Err(why.clone()),
                None => result.map_err(|failed| failed.to_string()),
            };
            // Who gave up does not listen any more.
            let _ = tell.send(result);
        };
        let thread = thread::Builder::new().name("activity-status".to_owned());
        thread.spawn(checks).map_err(|error| format!("there is no thread for the checks: {error}"))?;
        let clock = SystemClock::new();
        let until = clock.now().saturating_add(timeout);
        loop {
            match told.recv_timeout(SLICE) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) if arrived() => {
                    return Err(self.stop("it was interrupted".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) if clock.now() >= until => {
                    return Err(self.stop(format!(
                        "{timeout:?} were not enough for the checks: a method blocks, or tells waits far too short"
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err("the checks ended by a bug of ours".to_owned());
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// Asks nothing more of the part. The first reason stays.
    fn stop(&self, why: String) -> String {
        self.stopped.get_or_init(|| why).clone()
    }

    /// The part has raised this: the cause if it fails.
    fn heard(&self, error: PyErr) {
        self.raised().get_or_insert(Raised { error, is_the_end: false });
    }

    /// There is nothing to check: this was raised.
    fn end_with(&self, error: PyErr) {
        self.stop(error.to_string());
        self.raised().get_or_insert(Raised { error, is_the_end: true });
    }

    fn raised(&self) -> MutexGuard<'_, Option<Raised>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
