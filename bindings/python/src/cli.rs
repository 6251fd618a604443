use std::ffi::OsString;
use std::io;
use std::iter::once;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use activity_status_cli::Stop;
use pyo3::prelude::*;

use crate::signals::{SLICE, arrived, detached};

/// How long a command that was interrupted may take to print what is still open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs one command of the command line, without the program's name before it, and gives its exit code.
///
/// When a signal's handler raises, as that of Ctrl-C does, the command prints its last words and the exception is
/// raised.
#[pyfunction]
pub(crate) fn cli_main(py: Python<'_>, argv: Vec<OsString>) -> PyResult<u8> {
    let args = once(OsString::from("activity-status")).chain(argv).collect();
    let (code, raised) = detached(py, || run(args))?;
    match raised {
        Some(raised) => Err(raised),
        None => Ok(code?),
    }
}

/// Runs the command on a thread of its own, so that this one can look for signals whatever it does.
fn run(args: Vec<OsString>) -> io::Result<u8> {
    let stop = Stop::new();
    let (tell, told) = channel();
    let stopped = stop.clone();
    let command = move || {
        // Who was interrupted may not listen any more.
        let _ = tell.send(activity_status_cli::main(args, &stopped));
    };
    thread::Builder::new().name("activity-status".to_owned()).spawn(command)?;
    let mut patience = SLICE;
    loop {
        match told.recv_timeout(patience) {
            Ok(code) => return Ok(code),
            Err(RecvTimeoutError::Timeout) if patience == SLICE => {
                if arrived() {
                    stop.trigger();
                    patience = LAST_WORDS;
                }
            }
            Err(_) => return Err(io::Error::other("the command gave no exit code")),
        }
    }
}
