use std::ffi::OsString;
use std::iter::once;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use activity_status_cli::Stop;
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;

use crate::signals::{SLICE, arrived, detached, watched};

/// How long a command that was interrupted may take to print what is still open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The exit code of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Runs one command of the command line, without the program's name before it, and gives its exit code.
#[pyfunction]
pub(crate) fn cli_main(py: Python<'_>, argv: Vec<OsString>) -> PyResult<u8> {
    let args: Vec<OsString> = once(OsString::from("activity-status")).chain(argv).collect();
    let stop = Stop::new();
    let (tell, told) = channel();
    let (command, stopped) = (stop.clone(), move || stop.trigger());
    // On a thread of its own, so that this one can look for signals whatever the command does.
    let running = move || {
        // Who was interrupted does not listen any more.
        let _ = tell.send(activity_status_cli::main(args, &command));
    };
    thread::Builder::new().name("activity-status".to_owned()).spawn(running)?;
    let (code, raised) = detached(py, move || ended(&told, stopped))?;
    match raised {
        Some(raised) if raised.is_instance_of::<PyKeyboardInterrupt>(py) => Ok(INTERRUPTED),
        Some(raised) => Err(raised),
        None => code.ok_or_else(|| PyRuntimeError::new_err("the command ended by a bug of ours")),
    }
}

/// The exit code once there is one; none if there never will be.
fn ended(told: &Receiver<u8>, stop: impl FnOnce()) -> Option<u8> {
    loop {
        match told.recv_timeout(SLICE) {
            Ok(code) => return Some(code),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if watched() && arrived() => {
                stop();
                return told.recv_timeout(LAST_WORDS).ok();
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
