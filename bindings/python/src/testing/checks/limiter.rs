use std::sync::Arc;

use activity_status::builtin::{Quota, SlotRules, VirtualClock};
use activity_status::conformance::{self, LimiterSubject, Time};
use activity_status::plugin::{
    self, Acquired, CallClass, Limiter, LimiterError, Permit, Settlement, Snapshot,
};
use pyo3::prelude::*;

use super::Trial;
use crate::limiter::PyLimiter;
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
    let (window, longest_call) =
        (super::or_seconds(py, window, 5)?, super::or_seconds(py, longest_call, 60)?);
    SlotRules::new(Quota::new(1, window)).map_err(|error| errors::raised(py, &error, None))?;
    let (trial, clock) = (Arc::<Trial>::default(), Arc::<VirtualClock>::default());
    let of_checks = Arc::clone(&trial);
    let checks = move || {
        let time = Time::Virtual(Arc::clone(&clock));
        let open =
            |number, quota| Box::new(opened(&of_checks, &open, number, quota, &clock)) as Box<dyn Limiter>;
        conformance::check_limiter(&LimiterSubject { open: &open, time, window, longest_call })
    };
    trial.run(py, super::or_seconds(py, timeout, 60)?, checks)
}

fn opened(
    trial: &Arc<Trial>,
    open: &Py<PyAny>,
    number: u32,
    quota: Quota,
    clock: &Arc<VirtualClock>,
) -> Handle {
    let opened = Python::attach(|py| {
        let given = (number, quota.calls(), quota.window().as_secs_f64());
        PyLimiter::new(&open.bind(py).call1(given)?, clock.clone())
    });
    let limiter = opened.map_err(|error| trial.end_with(error)).ok();
    Handle { trial: Arc::clone(trial), limiter }
}

/// A limiter that was opened, unless that failed.
struct Handle {
    trial: Arc<Trial>,
    limiter: Option<PyLimiter>,
}

impl Handle {
    fn asked<T>(&self, ask: impl FnOnce(&PyLimiter) -> Result<T, LimiterError>) -> Result<T, LimiterError> {
        let going_on = self.limiter.as_ref().filter(|_| !self.trial.is_over());
        let Some(limiter) = going_on else {
            return Err(LimiterError { message: "the checks were stopped".to_owned(), source: None });
        };
        ask(limiter).map_err(|LimiterError { message, source }| {
            if let Some(Ok(error)) = source.map(|source| source.downcast::<PyErr>()) {
                self.trial.heard(*error);
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
            self.trial.stop(trouble.message);
        }
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn plugin::Clock) -> Result<(), LimiterError> {
        self.asked(|limiter| limiter.settle(permit, how, clock))
    }

    fn snapshot(&self, clock: &dyn plugin::Clock) -> Result<Option<Snapshot>, LimiterError> {
        self.asked(|limiter| limiter.snapshot(clock))
    }
}
