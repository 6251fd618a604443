use activity_status as core;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;

/// One of the vendor's asynchronous calls: a name, and the three paths that belong to it.
///
/// Wherever one is asked for, the name of a known one does: activity.create, activity.createcustom, lead.capture,
/// lead.update, opportunity.capture, opportunity.update or telephony.logcall.
#[pyclass(frozen, eq, hash, module = "activity_status")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Operation(pub(crate) core::Operation);

#[pymethods]
impl Operation {
    #[new]
    pub(crate) fn new(py: Python<'_>, name: String) -> PyResult<Self> {
        name.parse().map(Operation).map_err(|error| errors::raised(py, &error, None))
    }

    /// An operation that is not among the known ones, or that has other paths for you. Unless you say otherwise, it
    /// is asked about at its path + /status and + /metrics.
    #[staticmethod]
    #[pyo3(signature = (name, path, status_path=None, metrics_path=None))]
    pub(crate) fn custom(
        py: Python<'_>,
        name: String,
        path: String,
        status_path: Option<String>,
        metrics_path: Option<String>,
    ) -> PyResult<Self> {
        let made = || {
            let mut made = core::Operation::custom(&name, &path)?;
            if let Some(path) = &status_path {
                made = made.with_status_path(path)?;
            }
            if let Some(path) = &metrics_path {
                made = made.with_metrics_path(path)?;
            }
            Ok(Operation(made))
        };
        made().map_err(|error: core::Error| errors::raised(py, &error, None))
    }

    /// The name, the same in every language and on the command line.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// Where a job is submitted, below the base URL.
    #[getter]
    fn submit_path(&self) -> &str {
        self.0.submit_path()
    }

    /// Where its status is asked.
    #[getter]
    fn status_path(&self) -> &str {
        self.0.status_path()
    }

    /// Where the queue's metrics are asked.
    #[getter]
    fn metrics_path(&self) -> &str {
        self.0.metrics_path()
    }

    fn __str__(&self) -> &str {
        self.0.name()
    }

    fn __repr__(&self) -> String {
        if self.is_known() {
            format!("Operation('{}')", self.0)
        } else {
            let it = &self.0;
            let paths = [it.submit_path(), it.status_path(), it.metrics_path()];
            format!("Operation.custom('{it}', '{}')", paths.join("', '"))
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let class = py.get_type::<Operation>();
        if self.is_known() {
            return Ok((class, (self.name(),)).into_pyobject(py)?.into_any());
        }
        let all = (self.name(), self.submit_path(), self.status_path(), self.metrics_path());
        Ok((class.getattr("custom")?, all).into_pyobject(py)?.into_any())
    }
}

impl Operation {
    fn is_known(&self) -> bool {
        core::Operation::ALL.contains(&self.0)
    }

    /// The operation that an argument names.
    pub(crate) fn given(argument: &Bound<'_, PyAny>) -> PyResult<core::Operation> {
        if let Ok(operation) = argument.cast::<Operation>() {
            return Ok(operation.get().0.clone());
        }
        if !argument.is_instance_of::<PyString>() {
            let given = argument.get_type().name()?;
            return Err(PyTypeError::new_err(format!("an operation is a name or an Operation, not {given}")));
        }
        Operation::new(argument.py(), argument.extract()?).map(|operation| operation.0)
    }
}
