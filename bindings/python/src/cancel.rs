use std::sync::{Arc, Mutex, PoisonError, Weak};

use activity_status::Canceller;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::wait_all::Bell;

/// Ends calls and waits from another thread: give it to them as cancel=, and call cancel.
///
/// What waits ends at once, with InterruptedError; a loop over wait_all just ends, and its open has the rest. A call that
/// is on its way is given up: it may arrive all the same, and counts against the quota. There is no way back, and one
/// token may be given to many calls. A fork copies it: what is cancelled afterwards is cancelled in one process.
#[pyclass(frozen, module = "activity_status")]
#[derive(Default)]
pub(crate) struct CancelToken {
    canceller: Canceller,
    /// Of those who wait for many jobs.
    bells: Mutex<Vec<Weak<Bell>>>,
}

#[pymethods]
impl CancelToken {
    #[new]
    fn new() -> Self {
        CancelToken::default()
    }

    /// Ends what has this token, now and later. From any thread, and from a signal's handler.
    fn cancel(&self, py: Python<'_>) {
        self.canceller.cancel();
        py.detach(|| self.ring());
    }

    /// Was it cancelled?
    #[getter]
    fn cancelled(&self) -> bool {
        self.canceller.is_cancelled()
    }

    fn __repr__(&self) -> &'static str {
        if self.cancelled() { "<CancelToken cancelled>" } else { "<CancelToken>" }
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a CancelToken ends calls of its own process: it is neither pickled nor copied",
        ))
    }
}

impl CancelToken {
    pub(crate) fn canceller(&self) -> &Canceller {
        &self.canceller
    }

    /// From now on this bell rings when it is cancelled.
    pub(crate) fn rings(&self, bell: &Arc<Bell>) {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|bell| bell.strong_count() > 0);
        bells.push(Arc::downgrade(bell));
        drop(bells);
        if self.canceller.is_cancelled() {
            bell.ring();
        }
    }

    fn ring(&self) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner).clone();
        bells.iter().filter_map(Weak::upgrade).for_each(|bell| bell.ring());
    }
}
