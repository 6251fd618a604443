use std::time::Duration;

use activity_status as core;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors;

/// How long the vendor's queue is.
#[pyclass(frozen, eq, module = "activity_status")]
#[derive(PartialEq)]
pub(crate) struct Metrics(pub(crate) core::QueueMetrics);

/// Python's longest time is a little longer.
const LONGEST: Duration = Duration::from_secs(999_999_999 * 86_400);

#[pymethods]
impl Metrics {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str) =
        ("pending", "max_delay", "rate_per_minute");

    /// About how many jobs are queued; None if the vendor did not say.
    #[getter]
    fn pending(&self) -> Option<u64> {
        self.0.pending()
    }

    /// The longest that it takes to process all of the queue; None if the vendor did not say.
    #[getter]
    fn max_delay(&self) -> Option<Duration> {
        self.0.max_delay().map(|delay| delay.min(LONGEST))
    }

    /// Jobs a minute over the last ten minutes; None if the vendor did not say.
    #[getter]
    fn rate_per_minute(&self) -> Option<f64> {
        self.0.rate_per_minute()
    }

    /// The whole answer, as it came.
    #[getter]
    fn raw(&self) -> &str {
        self.0.raw()
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        pyo3::types::PyString::new(py, self.raw()).hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |value: Bound<'_, PyAny>| value.repr().map(|repr| repr.to_string());
        let pending = shown(self.pending().into_pyobject(py)?)?;
        let max_delay = shown(self.max_delay().into_pyobject(py)?)?;
        let rate = shown(self.rate_per_minute().into_pyobject(py)?)?;
        Ok(format!("<Metrics pending={pending} max_delay={max_delay} rate_per_minute={rate}>"))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let restore = py.import("activity_status._native")?.getattr("_restore_metrics")?;
        (restore, (self.raw(),)).into_pyobject(py)
    }
}

/// What pickled Metrics become again.
#[pyfunction]
#[pyo3(name = "_restore_metrics")]
pub(crate) fn restore_metrics(py: Python<'_>, raw: String) -> PyResult<Metrics> {
    core::QueueMetrics::from_json(&raw).map(Metrics).map_err(|error| errors::raised(py, &error, None))
}
