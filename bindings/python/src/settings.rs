//! The settings of a client as Python gives them: the core reads them as text.

use activity_status::{ErrorKind, Settings};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors;
use crate::text::{Quota, Time};

/// Gives one setting. None takes it back, so that its default holds.
pub(crate) fn give(settings: &mut Settings, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_none() {
        settings.unset(name);
        return Ok(());
    }
    let text = match name {
        "quota" | "limiter_away" => value.extract::<Quota>()?.0,
        "strict" | "accept_duplicates" => typed::<bool>(name, value)?.to_string(),
        "submit_share" | "max_attempts" => typed::<i64>(name, value)?.to_string(),
        "call_deadline" => value.extract::<Time>()?.0,
        name if name.ends_with("_timeout") => value.extract::<Time>()?.0,
        _ => typed(name, value)?,
    };
    settings.set(name, &text).map(drop).map_err(|error| errors::raised(value.py(), &error, None))
}

/// Settings of a part that another one has replaced mean nothing.
pub(crate) fn refuse(py: Python<'_>, settings: &Settings, names: &[&str], part: &str) -> PyResult<()> {
    match names.iter().find(|name| settings.get(name).is_some()) {
        None => Ok(()),
        Some(name) => {
            let what = format!("{name} is for {part}, and another one is given; nothing was sent");
            Err(errors::new(py, ErrorKind::Config, &what))
        }
    }
}

/// What a limiter is made by, besides where it is.
pub(crate) const OF_THE_LIMITER: [&str; 4] = ["quota", "limiter_away", "strict", "submit_share"];

/// The keys, where the program has no source of them.
pub(crate) const OF_THE_CREDENTIALS: [&str; 3] = ["api_key", "access_key", "secret_key"];

/// What the built-in transport is made by.
pub(crate) const OF_THE_TRANSPORT: [&str; 6] =
    ["resolve_timeout", "connect_timeout", "send_timeout", "head_timeout", "body_timeout", "proxy"];

/// The value is not quoted if it is of a wrong type: it may be a key.
fn typed<'py, T: for<'a> FromPyObject<'a, 'py>>(name: &str, value: &Bound<'py, PyAny>) -> PyResult<T> {
    value.extract().map_err(|_| match value.get_type().name() {
        Ok(given) => PyTypeError::new_err(format!("{name} cannot be of type {given}")),
        Err(error) => error,
    })
}
