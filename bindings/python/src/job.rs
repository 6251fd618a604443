use std::hash::{Hash, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

use activity_status as core;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;
use crate::operation::Operation;

/// A job that was submitted: the id that the vendor gave it, and the operation that it belongs to.
///
/// It holds no key and no connection: keep it, pickle it, and ask about it from anywhere. Two are equal if both id and
/// operation are.
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
    fn request_id(&self) -> &str {
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
