use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, SystemClock, VirtualClock};
use activity_status::conformance::{self, Failed, LimiterSubject, Time};
use activity_status::plugin::{
    self, Acquired, CallClass, Clock as _, Limiter, LimiterError, Permit, Settlement, Snapshot,
};
use pyo3::exceptions::PyAssertionError;
use pyo3::prelude::*;

use crate::limiter::PyLimiter;
use crate::signals::{SLICE, arrived, detached};
use crate::{errors, text};

/// Puts a limiter through the checks that ours go through, in virtual time: they take well under a second.
///
/// open(number, calls, window) gives a limiter that keeps this quota: calls in window seconds. Two that are given the
/// same number share it, as two processes would; one with another number has nothing to do with them and is unused. The
/// limiter must go by the clock that it is given. window is what to check with, in seconds; longest_call and a window
/// after a caller died its slot must be free.
///
/// AssertionError says which check failed and what the limiter did, and that the checks were not over within timeout
/// seconds; an exception that the limiter raised is its cause. What open raises is raised.
#[pyfunction]
#[pyo3(
    signature = (open, *, window=None, longest_call=None, timeout=None),
    text_signature = "(open, *, window=5.0, longest_call=60.0, timeout=60.0)"
)]
pub(crate) fn check_limiter(
    py: Python<'_>,
    open: Py<PyAny>,
    window: Option<text::Time>,
    longest_call: Option<text::Time>,
    timeout: Option<text::Time>,
) -> PyResult<()> {
    let read = |given: Option<text::Time>, default| {
        given.map_or(Ok(Duration::from_secs(default)), |time| time.read(py))
    };
    let (window, longest_call, timeout) = (read(window, 5)?, read(longest_call, 60)?, read(timeout, 60)?);
    SlotRules::new(Quota::new(1, window)).map_err(|error| errors::raised(py, &error, None))?;
    let bench =
        Arc::new(Bench { open, clock: Arc::default(), stopped: OnceLock::new(), raised: Mutex::default() });
    let (result, interrupted) = detached(py, || bench.run(window, longest_call, timeout))?;
    if let Some(interrupted) = interrupted {
        return Err(interrupted);
    }
    let Err(what) = result else { return Ok(()) };
    let raised = bench.raised().take();
    Err(match raised {
        Some(Raised { error, by_open: true }) => error,
        raised => {
            let failed = PyAssertionError::new_err(what);
            failed.set_cause(py, raised.map(|raised| raised.error));
            failed
        }
    })
}

/// A limiter under test.
struct Bench {
    open: Py<PyAny>,
    clock: Arc<VirtualClock>,
    /// Why nothing is asked any more.
    stopped: OnceLock<String>,
    raised: Mutex<Option<Raised>>,
}

/// The first exception.
struct Raised {
    error: PyErr,
    by_open: bool,
}

impl Bench {
    /// Runs the checks on a thread of their own, so that this one can look for signals whatever the limiter does.
    fn run(
        self: &Arc<Self>,
        window: Duration,
        longest_call: Duration,
        timeout: Duration,
    ) -> Result<(), String> {
        let (tell, told) = channel();
        let bench = Arc::clone(self);
        let checks = move || {
            // Who gave up does not listen any more.
            let _ = tell.send(bench.checked(window, longest_call));
        };
        let thread = thread::Builder::new().name("activity-status".to_owned());
        thread.spawn(checks).map_err(|error| format!("there is no thread for the checks: {error}"))?;
        let clock = SystemClock::new();
        let until = clock.now().saturating_add(timeout);
        loop {
            match told.recv_timeout(SLICE) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) if arrived() => {
                    return self.stop("it was interrupted".to_owned());
                }
                Err(RecvTimeoutError::Timeout) if clock.now() >= until => {
                    return self.stop(format!(
                        "{timeout:?} were not enough for the checks: a method blocks, or tells waits far too short"
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err("the checks ended by a bug of ours".to_owned());
                }
            }
        }
    }

    fn checked(self: &Arc<Self>, window: Duration, longest_call: Duration) -> Result<(), String> {
        let time = Time::Virtual(Arc::clone(&self.clock));
        let open = |number, quota| Box::new(self.handle(number, quota)) as Box<dyn Limiter>;
        let result = conformance::check_limiter(&LimiterSubject { open: &open, time, window, longest_call });
        match self.stopped.get() {
            Some(why) => Err(why.clone()),
            None => result.map_err(|failed: Failed| failed.to_string()),
        }
    }

    fn handle(self: &Arc<Self>, number: u32, quota: Quota) -> Handle {
        let opened = Python::attach(|py| {
            let given = (number, quota.calls(), quota.window().as_secs_f64());
            PyLimiter::new(&self.open.bind(py).call1(given)?, self.clock.clone())
        });
        let keep = |error| {
            self.raised().get_or_insert(Raised { error, by_open: true });
            let _ = self.stop("it could not be opened".to_owned());
        };
        Handle { bench: Arc::clone(self), limiter: opened.map_err(keep).ok() }
    }

    fn stop(&self, why: String) -> Result<(), String> {
        Err(self.stopped.get_or_init(|| why).clone())
    }

    fn raised(&self) -> MutexGuard<'_, Option<Raised>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A limiter that was opened, unless that failed.
struct Handle {
    bench: Arc<Bench>,
    limiter: Option<PyLimiter>,
}

impl Handle {
    fn asked<T>(&self, ask: impl FnOnce(&PyLimiter) -> Result<T, LimiterError>) -> Result<T, LimiterError> {
        let going_on = self.limiter.as_ref().filter(|_| self.bench.stopped.get().is_none());
        let Some(limiter) = going_on else {
            return Err(LimiterError { message: "the checks were stopped".to_owned(), source: None });
        };
        ask(limiter).map_err(|LimiterError { message, source }| {
            if let Some(Ok(error)) = source.map(|source| source.downcast::<PyErr>()) {
                self.bench.raised().get_or_insert(Raised { error: *error, by_open: false });
            }
            LimiterError { message, source: None }
        })
    }
}

impl Limiter for Handle {
    fn try_acquire(&self, class: CallClass, clock: &dyn plugin::Clock) -> Result<Acquired, LimiterError> {
        self.asked(|limiter| limiter.try_acquire(class, clock))
    }

    fn leave(&self) {
        if let Err(trouble) = self.asked(PyLimiter::try_leave) {
            let _ = self.bench.stop(trouble.message);
        }
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn plugin::Clock) -> Result<(), LimiterError> {
        self.asked(|limiter| limiter.settle(permit, how, clock))
    }

    fn snapshot(&self, clock: &dyn plugin::Clock) -> Result<Option<Snapshot>, LimiterError> {
        self.asked(|limiter| limiter.snapshot(clock))
    }
}
