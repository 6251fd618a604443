//! Ctrl-C, and every other signal that Python has a handler for, during a call that blocks.
//!
//! Python runs its handlers on the main thread alone, when that thread asks for them. So a call that blocks the main
//! thread asks every [`SLICE`]; a call on another thread never needs to. No handler is installed: what a signal does
//! is the program's affair, and only if its handler raises does the call end. The same goes for what Python code of the
//! program's own, called within a call, raises to end the program or the thread.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use activity_status::{Error, Operation};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::errors;

/// How long a signal waits to be seen. Asking costs some 100 ns.
pub(crate) const SLICE: Duration = Duration::from_millis(25);

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Runs a call of the core with the interpreter detached. If a signal's handler raises meanwhile, that exception is
/// the one to leave with, and what the core knew by then is its cause.
pub(crate) fn blocking<T: Send>(
    py: Python<'_>,
    operation: Option<&Operation>,
    call: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let (result, raised) = detached(py, call)?;
    let result = result.map_err(|error| errors::raised(py, &error, operation));
    match raised {
        None => result,
        Some(raised) => Err(because(py, raised, result.err())),
    }
}

/// The exception to leave with, and what the core knew by then as its cause.
pub(crate) fn because(py: Python<'_>, raised: PyErr, known: Option<PyErr>) -> PyErr {
    raised.set_cause(py, known);
    raised
}

/// Runs what may block with the interpreter detached. Besides its result, the exception of a signal's handler.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    call: impl FnOnce() -> T + Send,
) -> PyResult<(T, Option<PyErr>)> {
    let watch = Watch::begin(py)?;
    let result = py.detach(call);
    Ok((result, watch.end()))
}

/// Is this thread the one that has to look for signals, and in such a call?
pub(crate) fn watched() -> bool {
    WATCHED.get()
}

/// How long this thread may wait before it has to look for signals.
pub(crate) fn slice() -> Duration {
    if watched() { SLICE } else { Duration::MAX }
}

/// Looks for signals, if this thread has to. True once there is an exception to leave the call with.
pub(crate) fn arrived() -> bool {
    if watched()
        && !raised()
        && let Err(error) = Python::attach(|py| py.check_signals())
    {
        leave_with(error);
    }
    raised()
}

/// Is there an exception to leave the call with?
pub(crate) fn raised() -> bool {
    RAISED.with(|it: &RefCell<Option<PyErr>>| it.borrow().is_some())
}

/// The call that this thread is in is left with this exception, as soon as it can be. Its next sleep ends at once.
pub(crate) fn leave_with(error: PyErr) {
    RAISED.set(Some(error));
}

/// What the call is to be left with, for whoever tells of it in another way.
pub(crate) fn take_raised() -> Option<PyErr> {
    RAISED.take()
}

/// What there is no call to leave with, as on a thread of ours, goes where Python sends such exceptions.
pub(crate) fn report_unheard() {
    if let Some(error) = take_raised() {
        let _ = Python::try_attach(|py| error.write_unraisable(py, None));
    }
}

/// The time in which this thread looks for signals. A handler may itself make a call, so there can be one within
/// another, which leaves alone what the outer one is to be left with.
struct Watch {
    outer: bool,
    outer_raised: Option<PyErr>,
}

impl Watch {
    fn begin(py: Python<'_>) -> PyResult<Self> {
        // The main thread is another one after a fork, so it is asked for each time.
        static THREADING: PyOnceLock<[Py<PyAny>; 2]> = PyOnceLock::new();
        let [main_thread, get_ident] = THREADING.get_or_try_init(py, || {
            let threading = py.import("threading")?;
            Ok::<_, PyErr>(
                [threading.getattr("main_thread")?, threading.getattr("get_ident")?].map(Bound::unbind),
            )
        })?;
        let main = main_thread.bind(py).call0()?.getattr(intern!(py, "ident"))?;
        let here = get_ident.bind(py).call0()?;
        let is_main = here.eq(main)?;
        Ok(Watch { outer: WATCHED.replace(is_main), outer_raised: RAISED.take() })
    }

    fn end(self) -> Option<PyErr> {
        RAISED.take()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHED.set(self.outer);
        RAISED.set(self.outer_raised.take());
    }
}
