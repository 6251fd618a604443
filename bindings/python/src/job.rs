use activity_status as core;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;
use crate::operation::Operation;

/// A job that was submitted: the id that the vendor gave it, and the operation that it belongs to.
///
/// It holds no key and no connection: keep it, pickle it, and ask about it from anywhere.
#[pyclass(frozen, eq, hash, module = "activity_status")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) id: core::RequestId,
    pub(crate) operation: core::Operation,
}

#[pymethods]
impl Job {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("request_id", "operation");

    #[new]
    #[pyo3(signature = (request_id, operation=None), text_signature = "(request_id, operation='activity.create')")]
    fn new(py: Python<'_>, request_id: String, operation: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let id = core::RequestId::new(&request_id).map_err(|error| errors::raised(py, &error, None))?;
        Ok(Job { id, operation: operation.map_or(Ok(core::Operation::ACTIVITY_CREATE), Operation::given)? })
    }

    /// The id that the vendor gave it; also str(job).
    #[getter]
    fn request_id(&self) -> &str {
        self.id.as_str()
    }

    /// The name of the operation that it belongs to.
    #[getter]
    fn operation(&self) -> &str {
        self.operation.name()
    }

    fn __str__(&self) -> &str {
        self.id.as_str()
    }

    fn __repr__(&self) -> String {
        format!("Job('{}', '{}')", self.id, self.operation)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let parts = (self.request_id(), Operation(self.operation.clone()));
        Ok((py.get_type::<Job>(), parts).into_pyobject(py)?.into_any())
    }
}

impl Job {
    /// The job that an argument names: a Job, or a request id; `operation` goes before that of the job.
    pub(crate) fn given(argument: &Bound<'_, PyAny>, operation: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        if let Ok(job) = argument.cast::<Job>() {
            let job = job.get().clone();
            return match operation {
                Some(operation) => Ok(Job { operation: Operation::given(operation)?, ..job }),
                None => Ok(job),
            };
        }
        if !argument.is_instance_of::<PyString>() {
            let given = argument.get_type().name()?;
            return Err(PyTypeError::new_err(format!("a job is a request id or a Job, not {given}")));
        }
        Job::new(argument.py(), argument.extract()?, operation)
    }
}
