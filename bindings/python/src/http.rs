use std::time::Duration;

use activity_status as core;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMappingProxy, PyTuple};

use crate::look;

/// How an answer came: beside what it says, for logs and for whoever looks for a cause.
///
/// Two are equal if all is. A header may hold what is not for everybody, such as a cookie: a repr shows none, a pickle has
/// them all.
#[pyclass(frozen, eq, module = "activity_status")]
#[derive(PartialEq)]
pub(crate) struct Http {
    status: u16,
    headers: Vec<(String, String)>,
    attempts: u32,
    waited: f64,
    elapsed: f64,
}

#[pymethods]
impl Http {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("status", "headers");

    /// headers: a mapping, or pairs; their names count in lower case.
    #[new]
    #[pyo3(signature = (status, headers=None, attempts=1, waited=0.0, elapsed=0.0))]
    fn new(
        status: u16,
        headers: Option<&Bound<'_, PyAny>>,
        attempts: u32,
        waited: f64,
        elapsed: f64,
    ) -> PyResult<Self> {
        let headers = headers.map_or_else(|| Ok(Vec::new()), look::headers)?;
        Ok(Http { status, headers, attempts, waited, elapsed })
    }

    /// The HTTP status.
    #[getter]
    fn status(&self) -> u16 {
        self.status
    }

    /// The headers by their names in lower case, as a mapping that cannot be changed; of one that came more than once the
    /// last.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMappingProxy>> {
        let headers = PyDict::new(py);
        self.headers.iter().try_for_each(|(name, value)| headers.set_item(name, value))?;
        Ok(PyMappingProxy::new(py, headers.as_mapping()))
    }

    /// How many HTTP calls it took; of a job that was waited for, how often it had been asked about.
    #[getter]
    fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How many seconds the call had to wait for the quota; of a job that was waited for, the last question about it.
    #[getter]
    fn waited(&self) -> f64 {
        self.waited
    }

    /// How many seconds the last exchange took, from sending to the whole answer.
    #[getter]
    fn elapsed(&self) -> f64 {
        self.elapsed
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        (self.status, self.attempts, self.waited, self.elapsed).into_pyobject(py)?.hash()
    }

    fn __repr__(&self) -> String {
        let Http { status, headers, attempts, waited, elapsed } = self;
        let count = headers.len();
        format!(
            "<Http {status}: headers={count} attempts={attempts} waited={waited:.3}s elapsed={elapsed:.3}s>"
        )
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let Http { status, attempts, waited, elapsed, .. } = *self;
        let fields = (status, self.headers.clone(), attempts, waited, elapsed);
        (py.get_type::<Http>(), fields).into_pyobject(py)
    }
}

impl From<&core::Http> for Http {
    fn from(it: &core::Http) -> Self {
        let seconds = |time: Duration| time.as_secs_f64();
        Http {
            status: it.status,
            headers: it.headers.clone(),
            attempts: it.attempts,
            waited: seconds(it.waited),
            elapsed: seconds(it.elapsed),
        }
    }
}
