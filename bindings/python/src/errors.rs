//! How an error of the core becomes an exception. The classes are in Python, in `errors.py`.

use std::error::Error as _;
use std::time::UNIX_EPOCH;

use activity_status::plugin::LimiterError;
use activity_status::{Error, ErrorKind, Job, Operation, RequestId};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::status::Status;

/// What to raise for an error; `operation` is what a last status in it belongs to.
pub(crate) fn raised(py: Python<'_>, error: &Error, operation: Option<&Operation>) -> PyErr {
    exception(py, error, operation).unwrap_or_else(|instead| instead)
}

/// The exception for an error; or the one that kept it from being made: making it runs code of Python's, and so Ctrl-C
/// may come in between.
pub(crate) fn exception(py: Python<'_>, error: &Error, operation: Option<&Operation>) -> PyResult<PyErr> {
    let details = || -> PyResult<_> {
        let vendor = error.vendor();
        let last_status = error.last_status().cloned().zip(operation);
        let details = PyDict::new(py);
        details.set_item("resend", error.resend().as_str())?;
        details.set_item("http_status", error.http_status())?;
        details.set_item("vendor_type", vendor.and_then(|v| v.exception_type.as_deref()))?;
        details.set_item("vendor_message", vendor.and_then(|v| v.exception_message.as_deref()))?;
        details.set_item("vendor_body", vendor.map(|v| v.body.as_str()))?;
        details.set_item("request_id", error.request_id().map(RequestId::as_str))?;
        details.set_item("operation", error.operation())?;
        details.set_item("attempts", error.attempts())?;
        details.set_item("elapsed", error.elapsed().map(|time| time.as_secs_f64()))?;
        if let Some(lost) = error.lost() {
            details.set_item("sent_at", UNIX_EPOCH.checked_add(lost.sent_at))?;
            details.set_item("delivery", lost.delivery.as_str())?;
            details.set_item("failure", lost.failure.as_str())?;
        }
        details.set_item("last_status", last_status.map(|(status, op)| Status::new(status, op.clone())))?;
        Ok(details)
    };
    let made = made(py, error.kind(), &error.to_string(), Some(&details()?))?;
    Ok(caused(py, made, error.source()))
}

/// What is known of a submit that was accepted, where an exception keeps its job from being handed out.
pub(crate) fn accepted(py: Python<'_>, job: &Job) -> PyErr {
    let told = || -> PyResult<PyErr> {
        let details = PyDict::new(py);
        details.set_item("resend", "may_duplicate")?;
        details.set_item("request_id", job.request_id().as_str())?;
        details.set_item("operation", job.operation().name())?;
        // One at least: how many it were is not told of a call that went well.
        details.set_item("attempts", 1)?;
        let message = format!(
            "the vendor has accepted the job as {}, and then the call was interrupted: ask about it, and do not send it again",
            job.request_id().as_str()
        );
        made(py, ErrorKind::Interrupted, &message, Some(&details))
    };
    told().unwrap_or_else(|instead| instead)
}

/// The exception for what a limiter has failed to do while a call went on.
pub(crate) fn of_limiter(py: Python<'_>, error: &LimiterError) -> PyErr {
    caused(py, new(py, ErrorKind::Limiter, &error.message), error.source())
}

/// The exception for what the binding itself found wrong.
pub(crate) fn new(py: Python<'_>, kind: ErrorKind, message: &str) -> PyErr {
    made(py, kind, message, None).unwrap_or_else(|instead| instead)
}

/// What is raised for a job that failed.
pub(crate) fn job_failed(status: &Bound<'_, Status>) -> PyErr {
    instance(status.py(), "JobFailedError", status.as_any(), None).unwrap_or_else(|instead| instead)
}

/// An exception that some Python code of the program's own has raised is the cause of ours.
fn caused(py: Python<'_>, error: PyErr, source: Option<&(dyn std::error::Error + 'static)>) -> PyErr {
    if let Some(cause) = source.and_then(|source| source.downcast_ref::<PyErr>()) {
        error.set_cause(py, Some(cause.clone_ref(py)));
    }
    error
}

fn made(
    py: Python<'_>,
    kind: ErrorKind,
    message: &str,
    details: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyErr> {
    instance(py, &class_name(kind), &message.into_bound_py_any(py)?, details)
}

fn instance(
    py: Python<'_>,
    class: &str,
    about: &Bound<'_, PyAny>,
    details: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyErr> {
    let class = py.import("activity_status.errors")?.getattr(class)?;
    class.call((about,), details).map(PyErr::from_value)
}

/// The rule: `in_doubt` is `InDoubtError`.
fn class_name(kind: ErrorKind) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    kind.as_str().split('_').map(capital).chain(["Error".to_owned()]).collect()
}
