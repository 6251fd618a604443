use std::hash::{Hash, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

use activity_status as core;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use crate::operation::Operation;
use crate::{errors, json};

/// A job that was submitted: the id that the vendor gave it, and the operation that it belongs to.
///
/// It holds no key and no connection: keep it, pickle it, write its to_token down, and ask about it from anywhere, with
/// Job(request_id, operation) too. Two are equal if both id and operation are.
#[pyclass(frozen, eq, hash, module = "activity_status")]
#[derive(Clone)]
pub(crate) struct Job(pub(crate) core::Job);

#[pymethods]
impl Job {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("request_id", "operation");

    #[new]
    #[pyo3(
        signature = (request_id, operation=None, submitted_at=None),
        text_signature = "(request_id, operation='activity.create', submitted_at=None)"
    )]
    fn new(
        py: Python<'_>,
        request_id: String,
        operation: Option<&Bound<'_, PyAny>>,
        submitted_at: Option<SystemTime>,
    ) -> PyResult<Self> {
        let id = core::RequestId::new(&request_id).map_err(|error| errors::raised(py, &error, None))?;
        let operation = operation.map_or(Ok(core::Operation::ACTIVITY_CREATE), Operation::given)?;
        let since_epoch = submitted_at.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default());
        let job = core::Job::new(operation, id);
        Ok(Job(since_epoch.map_or(job.clone(), |at| job.submitted_at(at))))
    }

    /// The id that the vendor gave it; also str(job).
    #[getter]
    pub(crate) fn request_id(&self) -> &str {
        self.0.request_id().as_str()
    }

    /// The name of the operation that it belongs to.
    #[getter]
    fn operation(&self) -> &str {
        self.0.operation().name()
    }

    /// When it was submitted, as a datetime in UTC; None if nobody said. From one that was submitted a moment ago
    /// wait_all learns how long the queue before it is.
    #[getter]
    fn submitted_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(self.0.submitted()?)
    }

    /// The job as one line of text, from which from_token makes it again, in another program too: JSON, which the command
    /// line reads as well (activity-status wait --file).
    fn to_token<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::dumps(&self.to_dict(py)?)
    }

    /// The job of a token: what to_token wrote, or any line of JSON that has its request_id and operation, such as that of
    /// a Status, or one that activity-status submit --json has printed.
    ///
    /// Raises MalformedError if the text is no such line; ConfigError if it names an operation that is not known.
    #[classmethod]
    fn from_token(cls: &Bound<'_, PyType>, text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = cls.py();
        // What it holds instead is not repeated: it may be anything.
        let malformed = |_| errors::new(py, core::ErrorKind::Malformed, "the token names no job");
        let token = json::loads(&PyString::new(py, &json::text(text)?), "the token")?;
        let token: Token = token.extract().map_err(malformed)?;
        let submitted_at = token.submitted_at.map(|text| time(py, &text)).transpose().map_err(malformed)?;
        let operation = match token.submit_path {
            Some(path) => Operation::custom(py, token.operation, path, token.status_path, token.metrics_path),
            None => Operation::new(py, token.operation),
        };
        let operation = Bound::new(py, operation?)?.into_any();
        Job::new(py, token.request_id, Some(&operation), submitted_at)
    }

    /// The job as the object that to_token writes: request_id, operation, submitted_at as ISO 8601 text or None; and
    /// the three paths of an operation that is not among the known ones.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let submitted_at = self.submitted_at().map(|at| at.into_pyobject(py)?.call_method0("isoformat"));
        let token = PyDict::new(py);
        token.set_item("request_id", self.request_id())?;
        token.set_item("operation", self.operation())?;
        token.set_item("submitted_at", submitted_at.transpose()?)?;
        let operation = self.0.operation();
        if !core::Operation::ALL.contains(operation) {
            token.set_item("submit_path", operation.submit_path())?;
            token.set_item("status_path", operation.status_path())?;
            token.set_item("metrics_path", operation.metrics_path())?;
        }
        Ok(token)
    }

    fn __str__(&self) -> &str {
        self.request_id()
    }

    fn __repr__(&self) -> String {
        format!("Job('{}', '{}')", self.request_id(), self.operation())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let parts = (self.request_id(), Operation(self.0.operation().clone()), self.submitted_at());
        Ok((py.get_type::<Job>(), parts).into_pyobject(py)?.into_any())
    }
}

impl Job {
    /// The job that an argument names: a Job, or a request id; `operation` goes before that of the job.
    pub(crate) fn given(
        argument: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<core::Job> {
        if let Ok(job) = argument.cast::<Job>() {
            let job = job.get().0.clone();
            let Some(operation) = operation else { return Ok(job) };
            let other = core::Job::new(Operation::given(operation)?, job.request_id().clone());
            return Ok(job.submitted().map_or(other.clone(), |at| other.submitted_at(at)));
        }
        if !argument.is_instance_of::<PyString>() {
            let given = argument.get_type().name()?;
            return Err(PyTypeError::new_err(format!("a job is a request id or a Job, not {given}")));
        }
        Ok(Job::new(argument.py(), argument.extract()?, operation, None)?.0)
    }
}

/// What a line of JSON says of a job.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Token {
    request_id: String,
    operation: String,
    #[pyo3(default)]
    submitted_at: Option<String>,
    #[pyo3(default)]
    submit_path: Option<String>,
    #[pyo3(default)]
    status_path: Option<String>,
    #[pyo3(default)]
    metrics_path: Option<String>,
}

fn time(py: Python<'_>, text: &str) -> PyResult<SystemTime> {
    let datetime = py.import("datetime")?.getattr("datetime")?;
    datetime.call_method1("fromisoformat", (text,))?.extract()
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        (self.0.request_id(), self.0.operation()) == (other.0.request_id(), other.0.operation())
    }
}

impl Eq for Job {}

impl Hash for Job {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0.request_id(), self.0.operation()).hash(state);
    }
}
