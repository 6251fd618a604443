use std::time::Duration;

use activity_status as core;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::http::Http;
use crate::operation::Operation;
use crate::{errors, json};

/// How long the vendor's queue is.
#[pyclass(frozen, eq, module = "activity_status")]
#[derive(PartialEq)]
pub(crate) struct Metrics {
    metrics: core::QueueMetrics,
    operation: core::Operation,
}

/// Python's longest time is a little longer.
const LONGEST: Duration = Duration::from_secs(999_999_999 * 86_400);

#[pymethods]
impl Metrics {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str) =
        ("pending", "max_delay", "rate_per_minute");

    /// Reads a stored answer of the metrics call, such as raw, or what to_json wrote: that names its operation. Unless
    /// operation is given, a plain answer is of activity.create.
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
        let (metrics, operation) =
            json::answer(text, operation, core::QueueMetrics::from_json, core::QueueMetrics::from_line)?;
        Ok(Metrics::new(metrics, operation))
    }

    /// The name of the operation whose queue it is.
    #[getter]
    fn operation(&self) -> &str {
        self.operation.name()
    }

    /// About how many jobs are queued; None if the vendor did not say.
    #[getter]
    fn pending(&self) -> Option<u64> {
        self.metrics.pending()
    }

    /// The longest that it takes to process all of the queue; None if the vendor did not say.
    #[getter]
    fn max_delay(&self) -> Option<Duration> {
        self.metrics.max_delay().map(|delay| delay.min(LONGEST))
    }

    /// Jobs a minute over the last ten minutes; None if the vendor did not say.
    #[getter]
    fn rate_per_minute(&self) -> Option<f64> {
        self.metrics.rate_per_minute()
    }

    /// The whole answer, as it came.
    #[getter]
    fn raw(&self) -> &str {
        self.metrics.raw()
    }

    /// How the answer came; None of metrics that were read from text, or from a pickle.
    #[getter]
    fn http(&self) -> Option<Http> {
        self.metrics.http().map(Http::from)
    }

    /// The metrics as the object that to_json writes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::loads(&PyString::new(py, &self.to_json()), "the answer")
    }

    /// The metrics as one line of JSON, the same on the command line: operation, pending, max_delay_seconds,
    /// rate_per_minute, raw. from_json reads it.
    fn to_json(&self) -> String {
        self.metrics.to_json(self.operation.name())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyString::new(py, self.raw()).hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |value: Bound<'_, PyAny>| value.repr().map(|repr| repr.to_string());
        let pending = shown(self.pending().into_pyobject(py)?)?;
        let max_delay = shown(self.max_delay().into_pyobject(py)?)?;
        let rate = shown(self.rate_per_minute().into_pyobject(py)?)?;
        Ok(format!("<Metrics pending={pending} max_delay={max_delay} rate_per_minute={rate}>"))
    }

    // As of a Status.
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, memo: &Bound<'_, PyAny>) -> Py<Self> {
        let _ = memo;
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let restore = py.import("activity_status._native")?.getattr("_restore_metrics")?;
        (restore, (self.raw(), Operation(self.operation.clone()))).into_pyobject(py)
    }
}

impl Metrics {
    pub(crate) fn new(metrics: core::QueueMetrics, operation: core::Operation) -> Self {
        Metrics { metrics, operation }
    }
}

/// What pickled Metrics become again.
#[pyfunction]
#[pyo3(name = "_restore_metrics")]
pub(crate) fn restore_metrics(
    py: Python<'_>,
    raw: String,
    operation: &Bound<'_, Operation>,
) -> PyResult<Metrics> {
    let metrics = core::QueueMetrics::from_json(&raw).map_err(|error| errors::raised(py, &error, None))?;
    Ok(Metrics::new(metrics, operation.get().0.clone()))
}
