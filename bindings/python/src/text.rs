//! Settings and times as Python gives them: the core reads both as text.

use std::time::Duration;

use activity_status::parse_duration;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyString};

use crate::errors;

/// A time: seconds, a timedelta, or a text such as "90s".
pub(crate) struct Time(pub(crate) String);

impl Time {
    /// The time, or the ConfigError that names the argument.
    pub(crate) fn read(&self, py: Python<'_>) -> PyResult<Duration> {
        parse_duration(&self.0).map_err(|error| errors::raised(py, &error, None))
    }
}

impl<'py> FromPyObject<'_, 'py> for Time {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if given.is_instance_of::<PyString>() {
            return Ok(Time(given.extract()?));
        }
        if given.is_instance_of::<PyDelta>() {
            let seconds: f64 = given.call_method0("total_seconds")?.extract()?;
            return Ok(Time(seconds.to_string()));
        }
        match given.extract::<f64>() {
            Ok(seconds) if !given.is_instance_of::<PyBool>() => Ok(Time(seconds.to_string())),
            _ => {
                let given = given.get_type().name()?;
                let what = format!("a time is seconds, a timedelta or a text such as '90s', not {given}");
                Err(PyTypeError::new_err(what))
            }
        }
    }
}

/// So many seconds: the time that an argument names, for what waits by a clock of Python's.
#[pyfunction]
#[pyo3(name = "_seconds")]
pub(crate) fn seconds(py: Python<'_>, time: Time) -> PyResult<f64> {
    Ok(time.read(py)?.as_secs_f64())
}

/// A quota: a text such as "25/5s", or the calls and the time.
pub(crate) struct Quota(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for Quota {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if given.is_instance_of::<PyString>() {
            return Ok(Quota(given.extract()?));
        }
        match given.extract::<(i64, Time)>() {
            Ok((calls, Time(window))) => Ok(Quota(format!("{calls}/{window}"))),
            Err(_) => {
                let what = "a quota is a text such as '25/5s', or calls and seconds such as (25, 5.0)";
                Err(PyTypeError::new_err(what))
            }
        }
    }
}
