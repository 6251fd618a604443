//! JSON as Python reads and writes it, and the texts that are read as answers.

use std::borrow::Cow;
use std::str;

use activity_status as core;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::errors;
use crate::operation::Operation;

/// What the core reads from a text: an answer of the vendor's, or a line that `to_json` wrote, which names its operation.
pub(crate) fn answer<T>(
    given: &Bound<'_, PyAny>,
    operation: Option<&Bound<'_, PyAny>>,
    from_json: fn(&str) -> Result<T, core::Error>,
    from_line: fn(&str) -> Result<(T, String), core::Error>,
) -> PyResult<(T, core::Operation)> {
    let py = given.py();
    let text = text(given)?;
    let json = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let operation = operation.map(Operation::given).transpose()?;
    let read = match from_json(json) {
        Ok(answer) => Ok((answer, operation.unwrap_or(core::Operation::ACTIVITY_CREATE))),
        Err(error) => match from_line(json) {
            Ok((answer, name)) => operation.map_or_else(|| name.parse(), Ok).map(|of| (answer, of)),
            Err(_) => Err(error),
        },
    };
    read.map_err(|error| errors::raised(py, &error, None))
}

/// The text of a str, or of bytes in UTF-8.
pub(crate) fn text<'a>(given: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, str>> {
    let malformed = |what| errors::new(given.py(), core::ErrorKind::Malformed, what);
    if let Ok(bytes) = given.cast::<PyBytes>() {
        let text = str::from_utf8(bytes.as_bytes()).map_err(|_| malformed("the text is not UTF-8"))?;
        return Ok(Cow::Borrowed(text));
    }
    if !given.is_instance_of::<PyString>() {
        let class = given.get_type().name()?;
        return Err(PyTypeError::new_err(format!("a text is a str or bytes, not {class}")));
    }
    let text = given.extract().map_err(|_| malformed("the text holds half of a surrogate pair"))?;
    Ok(Cow::Owned(text))
}

/// Reads JSON; `what` names it for the MalformedError.
pub(crate) fn loads<'py>(text: &Bound<'py, PyString>, what: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = text.py();
    py.import("json")?.call_method1("loads", (text,)).map_err(|error| {
        let raised = errors::new(py, core::ErrorKind::Malformed, &format!("{what} is not JSON"));
        raised.set_cause(py, Some(error));
        raised
    })
}

/// Writes JSON as the core does: on one line, with no space between its tokens.
pub(crate) fn dumps<'py>(object: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let options = PyDict::new(py);
    options.set_item("ensure_ascii", false)?;
    options.set_item("separators", (",", ":"))?;
    py.import("json")?.call_method("dumps", (object,), Some(&options))
}
