use std::hash::{Hash, Hasher};

use activity_status as core;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyMappingProxy, PyString, PyTuple, PyType};

use crate::http::Http;
use crate::operation::Operation;
use crate::{errors, json};

/// All that the vendor said of one job.
///
/// Every text is exactly as it came; raw is the whole answer, unknown fields included. A job that failed is data like
/// any other: see raise_for_outcome.
#[pyclass(frozen, eq, hash, module = "activity_status")]
pub(crate) struct Status {
    status: core::JobStatus,
    operation: core::Operation,
    /// Each text, once it was asked for.
    texts: [PyOnceLock<Py<PyString>>; Text::Raw as usize + 1],
}

/// The places of the texts.
#[derive(Clone, Copy)]
enum Text {
    RequestId,
    Operation,
    State,
    TaskType,
    Reason,
    CurrentStep,
    LastStep,
    RequestBody,
    Message,
    CreatedId,
    RelatedId,
    Raw,
}

#[pymethods]
impl Status {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("outcome", "request_id");

    /// Reads a stored answer of the status call, such as raw, or what to_json wrote: that names its operation, and the
    /// outcome that it had. Unless operation is given, a plain answer is of activity.create.
    ///
    /// Raises MalformedError if the text is neither; ConfigError if the operation that it names is not known: give it.
    #[classmethod]
    #[pyo3(signature = (text, operation=None))]
    fn from_json(
        cls: &Bound<'_, PyType>,
        text: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let _ = cls;
        let (status, operation) =
            json::answer(text, operation, core::JobStatus::from_json, core::JobStatus::from_line)?;
        Ok(Status::new(status, operation))
    }

    /// The job.
    #[getter]
    fn request_id<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.text(py, Text::RequestId, self.status.request_id().as_str())
    }

    /// The name of the operation that it belongs to.
    #[getter]
    fn operation<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.text(py, Text::Operation, self.operation.name())
    }

    /// What the state means: pending, succeeded or failed.
    #[getter]
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        static OUTCOMES: PyOnceLock<[Py<PyAny>; 3]> = PyOnceLock::new();
        let [pending, succeeded, failed] = OUTCOMES.get_or_try_init(py, || {
            let class = py.import("activity_status._outcome")?.getattr("Outcome")?;
            let member = |name| class.getattr(name).map(Bound::unbind);
            Ok::<_, PyErr>([member("PENDING")?, member("SUCCEEDED")?, member("FAILED")?])
        })?;
        let member = match self.status.outcome() {
            core::Outcome::Pending => pending,
            core::Outcome::Succeeded => succeeded,
            core::Outcome::Failed => failed,
        };
        Ok(member.bind(py))
    }

    /// The vendor's word for how it stands, exactly: In-Queue, Success, FAILURE, ERROR, or another.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.text(py, Text::State, self.status.state().as_str())
    }

    /// What kind of task it is, such as Activity Create: an open set. Empty if the vendor did not say.
    #[getter]
    fn task_type<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.text(py, Text::TaskType, self.status.task_type())
    }

    /// Why, in the vendor's words. Empty if it did not say.
    #[getter]
    fn reason<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.text(py, Text::Reason, self.status.reason())
    }

    /// The step that it is in; None once it is over.
    #[getter]
    fn current_step<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.status.current_step().map(|text| self.text(py, Text::CurrentStep, text))
    }

    /// The step that it was in before.
    #[getter]
    fn last_step<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.status.last_step().map(|text| self.text(py, Text::LastStep, text))
    }

    /// The body that was submitted, character for character.
    #[getter]
    fn request_body<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.status.request_body().map(|text| self.text(py, Text::RequestBody, text))
    }

    /// What the original call answered, as JSON; None unless it succeeded.
    #[getter]
    fn message<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.status.message().map(|text| self.text(py, Text::Message, text))
    }

    /// The id of what was created, such as the new activity's.
    #[getter]
    fn created_id<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.status.created_id().map(|text| self.text(py, Text::CreatedId, text))
    }

    /// The id that it belongs to, such as the lead's.
    #[getter]
    fn related_id<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.status.related_id().map(|text| self.text(py, Text::RelatedId, text))
    }

    /// The whole answer, as it came.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.text(py, Text::Raw, self.status.raw())
    }

    /// The vendor's fields that have no name here, of the answer and of the TaskStatus in it, by their own names and read
    /// as JSON: a mapping that cannot be changed. Each time it is asked for, it is read anew from raw.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMappingProxy>> {
        let read = json::loads(&PyString::new(py, &self.status.extra()), "the answer")?;
        Ok(PyMappingProxy::new(py, read.cast()?))
    }

    /// How the answer came; None of a status that was read from text, or from a pickle.
    #[getter]
    fn http(&self) -> Option<Http> {
        self.status.http().map(Http::from)
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
        self.request_body(py).map(|text| json::loads(text, "the request body")).transpose()
    }

    /// The message, read as JSON; None if there is none. Raises MalformedError if it is not JSON.
    fn message_json<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.message(py).map(|text| json::loads(text, "the message")).transpose()
    }

    /// The status as the object that to_json writes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::loads(&PyString::new(py, &self.to_json()), "the answer")
    }

    /// The status as one line of JSON, the same in every language and on the command line: request_id, operation,
    /// outcome, state, reason, created_id, related_id, raw. from_json reads it.
    fn to_json(&self) -> String {
        self.status.to_json(self.operation.name())
    }

    /// What a notebook shows: a small table of the fields that say anything, each escaped and cut short.
    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("activity_status._html")?.call_method1("of_status", (slf,))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let quoted = |text: &str| {
            let start: String = text.chars().take(200).collect();
            PyString::new(py, &start).repr().map(|repr| repr.to_string())
        };
        let (id, outcome) = (self.status.request_id(), self.status.outcome());
        let (state, reason) = (quoted(self.status.state().as_str())?, quoted(self.status.reason())?);
        Ok(format!("<Status {id} {outcome}: state={state} reason={reason}>"))
    }

    // It does not change, and a copy that was read anew would not know how the answer came.
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, memo: &Bound<'_, PyAny>) -> Py<Self> {
        let _ = memo;
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let restore = py.import("activity_status._native")?.getattr("_restore_status")?;
        let (status, operation) = (&self.status, Operation(self.operation.clone()));
        let parts = (status.raw(), operation, status.request_id().as_str(), status.outcome().as_str());
        (restore, parts).into_pyobject(py)
    }
}

impl Status {
    pub(crate) fn new(status: core::JobStatus, operation: core::Operation) -> Self {
        Status { status, operation, texts: [const { PyOnceLock::new() }; _] }
    }

    fn text<'py>(&self, py: Python<'py>, place: Text, text: &str) -> &Bound<'py, PyString> {
        self.texts[place as usize].get_or_init(py, || PyString::new(py, text).unbind()).bind(py)
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
    let restored = || core::JobStatus::restore(&raw, &core::RequestId::new(&request_id)?, outcome.parse()?);
    let status = restored().map_err(|error| errors::raised(py, &error, None))?;
    Ok(Status::new(status, operation.get().0.clone()))
}
