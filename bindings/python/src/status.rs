use std::hash::{Hash, Hasher};

use activity_status as core;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString, PyTuple, PyType};

use crate::errors;
use crate::operation::Operation;

/// All that the vendor said of one job.
///
/// Every text is exactly as it came; raw is the whole answer, unknown fields included. A job that failed is data like
/// any other: see raise_for_outcome.
#[pyclass(frozen, eq, hash, module = "activity_status")]
pub(crate) struct Status {
    status: core::JobStatus,
    operation: core::Operation,
    // The texts that can be long are made once.
    request_body: PyOnceLock<Py<PyString>>,
    message: PyOnceLock<Py<PyString>>,
    raw: PyOnceLock<Py<PyString>>,
}

#[pymethods]
impl Status {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("outcome", "request_id");

    /// Reads a stored answer of the status call, such as raw.
    #[classmethod]
    #[pyo3(signature = (text, operation=None), text_signature = "($cls, text, operation='activity.create')")]
    fn from_json(
        cls: &Bound<'_, PyType>,
        text: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = cls.py();
        let text = match text.cast::<PyBytes>() {
            Ok(bytes) => String::from_utf8(bytes.as_bytes().to_vec())
                .map_err(|_| errors::new(py, core::ErrorKind::Malformed, "the text is not UTF-8"))?,
            Err(_) if text.is_instance_of::<PyString>() => text.extract()?,
            Err(_) => {
                let given = text.get_type().name()?;
                return Err(PyTypeError::new_err(format!("an answer is a str or bytes, not {given}")));
            }
        };
        let json = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let status = core::JobStatus::from_json(json).map_err(|error| errors::raised(py, &error, None))?;
        let operation = operation.map_or(Ok(core::Operation::ACTIVITY_CREATE), Operation::given)?;
        Ok(Status::new(status, operation))
    }

    /// The job.
    #[getter]
    fn request_id(&self) -> &str {
        self.status.request_id().as_str()
    }

    /// The name of the operation that it belongs to.
    #[getter]
    fn operation(&self) -> &str {
        self.operation.name()
    }

    /// What the state means: pending, succeeded or failed.
    #[getter]
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static OUTCOME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        OUTCOME.import(py, "activity_status", "Outcome")?.call1((self.status.outcome().as_str(),))
    }

    /// The vendor's word for how it stands, exactly: In-Queue, Success, FAILURE, ERROR, or another.
    #[getter]
    fn state(&self) -> &str {
        self.status.state().as_str()
    }

    /// What kind of task it is, such as Activity Create: an open set. Empty if the vendor did not say.
    #[getter]
    fn task_type(&self) -> &str {
        self.status.task_type()
    }

    /// Why, in the vendor's words. Empty if it did not say.
    #[getter]
    fn reason(&self) -> &str {
        self.status.reason()
    }

    /// The step that it is in; None once it is over.
    #[getter]
    fn current_step(&self) -> Option<&str> {
        self.status.current_step()
    }

    /// The step that it was in before.
    #[getter]
    fn last_step(&self) -> Option<&str> {
        self.status.last_step()
    }

    /// The body that was submitted, character for character.
    #[getter]
    fn request_body<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.status.request_body().map(|text| kept(py, &self.request_body, text))
    }

    /// What the original call answered, as JSON; None unless it succeeded.
    #[getter]
    fn message<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.status.message().map(|text| kept(py, &self.message, text))
    }

    /// The id of what was created, such as the new activity's.
    #[getter]
    fn created_id(&self) -> Option<&str> {
        self.status.created_id()
    }

    /// The id that it belongs to, such as the lead's.
    #[getter]
    fn related_id(&self) -> Option<&str> {
        self.status.related_id()
    }

    /// The whole answer, as it came.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        kept(py, &self.raw, self.status.raw())
    }

    /// Is no further change expected?
    #[getter]
    fn settled(&self) -> bool {
        self.status.outcome().is_settled()
    }

    /// Was it carried out?
    #[getter]
    fn succeeded(&self) -> bool {
        self.status.outcome() == core::Outcome::Succeeded
    }

    /// Is it settled that it was not?
    #[getter]
    fn failed(&self) -> bool {
        self.status.outcome() == core::Outcome::Failed
    }

    /// Raises JobFailedError if the job failed; else gives the status itself.
    fn raise_for_outcome(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        if slf.get().failed() { Err(errors::job_failed(&slf)) } else { Ok(slf) }
    }

    /// The body that was submitted, read as JSON; None if there is none. Raises MalformedError if it is not JSON.
    fn request_json<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.request_body(py).map(|text| read(text, "the request body")).transpose()
    }

    /// The message, read as JSON; None if there is none. Raises MalformedError if it is not JSON.
    fn message_json<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.message(py).map(|text| read(text, "the message")).transpose()
    }

    /// The status as the object that to_json writes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        read(&PyString::new(py, &self.to_json()), "the answer")
    }

    /// The status as one line of JSON, the same in every language and on the command line: request_id, operation,
    /// outcome, state, reason, created_id, related_id, raw.
    fn to_json(&self) -> String {
        self.status.to_json(self.operation.name())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let reason: String = self.reason().chars().take(200).collect();
        let quoted = |text: &str| PyString::new(py, text).repr().map(|repr| repr.to_string());
        let (id, outcome) = (self.request_id(), self.status.outcome());
        let (state, reason) = (quoted(self.state())?, quoted(&reason)?);
        Ok(format!("<Status {id} {outcome}: state={state} reason={reason}>"))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let restore = py.import("activity_status._native")?.getattr("_restore_status")?;
        let outcome = self.status.outcome().as_str();
        let parts = (self.status.raw(), Operation(self.operation.clone()), self.request_id(), outcome);
        (restore, parts).into_pyobject(py)
    }
}

impl Status {
    pub(crate) fn new(status: core::JobStatus, operation: core::Operation) -> Self {
        Status {
            status,
            operation,
            request_body: PyOnceLock::new(),
            message: PyOnceLock::new(),
            raw: PyOnceLock::new(),
        }
    }
}

impl PartialEq for Status {
    fn eq(&self, other: &Self) -> bool {
        self.status == other.status && self.operation == other.operation
    }
}

impl Hash for Status {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.status.request_id(), self.status.raw()).hash(state);
    }
}

/// What a pickled Status becomes again.
#[pyfunction]
#[pyo3(name = "_restore_status")]
pub(crate) fn restore_status(
    py: Python<'_>,
    raw: String,
    operation: &Bound<'_, Operation>,
    request_id: String,
    outcome: String,
) -> PyResult<Status> {
    let operation = operation.get().0.clone();
    let outcome = match outcome.as_str() {
        "succeeded" => core::Outcome::Succeeded,
        "failed" => core::Outcome::Failed,
        _ => core::Outcome::Pending,
    };
    let status = core::RequestId::new(&request_id)
        .and_then(|id| core::JobStatus::restore(&raw, &id, outcome))
        .map_err(|error| errors::raised(py, &error, None))?;
    Ok(Status::new(status, operation))
}

fn kept<'a, 'py>(
    py: Python<'py>,
    place: &'a PyOnceLock<Py<PyString>>,
    text: &str,
) -> &'a Bound<'py, PyString> {
    place.get_or_init(py, || PyString::new(py, text).unbind()).bind(py)
}

fn read<'py>(text: &Bound<'py, PyString>, what: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = text.py();
    py.import("json")?.call_method1("loads", (text,)).map_err(|error| {
        let raised = errors::new(py, core::ErrorKind::Malformed, &format!("{what} is not JSON"));
        raised.set_cause(py, Some(error));
        raised
    })
}
