use activity_status as core;
use activity_status::plugin::Eta;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::json;

/// How far a wait for many jobs is.
#[pyclass(frozen, eq, get_all, module = "activity_status")]
#[derive(PartialEq)]
pub(crate) struct Progress {
    /// Jobs that were added.
    total: u64,
    /// Of these, the ones that are settled: succeeded or failed.
    settled: u64,
    /// Of the settled ones, those that failed.
    failed: u64,
    /// Jobs that ended with an exception in place of a status: they cannot be followed, or the time ran out.
    errors: u64,
    /// Jobs that settled in a second of late; 0.0 as long as fewer than two have.
    rate: f64,
    /// In so many seconds all will probably be known; None as long as nothing tells.
    eta: Option<f64>,
    /// One standard deviation of the eta in seconds, as far as that can be told; None without an eta.
    eta_uncertainty: Option<f64>,
}

#[pymethods]
impl Progress {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str, &'static str) =
        ("total", "settled", "failed", "errors");

    #[new]
    #[pyo3(signature = (total, settled=0, failed=0, errors=0, rate=0.0, eta=None, eta_uncertainty=None))]
    fn new(
        total: u64,
        settled: u64,
        failed: u64,
        errors: u64,
        rate: f64,
        eta: Option<f64>,
        eta_uncertainty: Option<f64>,
    ) -> PyResult<Self> {
        if failed > settled || settled.checked_add(errors).is_none_or(|ended| ended > total) {
            return Err(PyValueError::new_err(
                "failed jobs are settled, and no more have ended than there are",
            ));
        }
        Ok(Progress { total, settled, failed, errors, rate, eta, eta_uncertainty })
    }

    /// Jobs that have not ended.
    #[getter]
    fn open(&self) -> u64 {
        self.total - self.settled - self.errors
    }

    /// All of it by name, open too.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        all.set_item("total", self.total)?;
        all.set_item("settled", self.settled)?;
        all.set_item("failed", self.failed)?;
        all.set_item("errors", self.errors)?;
        all.set_item("open", self.open())?;
        all.set_item("rate", self.rate)?;
        all.set_item("eta", self.eta)?;
        all.set_item("eta_uncertainty", self.eta_uncertainty)?;
        Ok(all)
    }

    /// The same as one line of JSON.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::dumps(&self.to_dict(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.fields().into_pyobject(py)?.hash()
    }

    fn __repr__(&self) -> String {
        format!("<Progress {}>", self.in_words())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (py.get_type::<Progress>(), self.fields()).into_pyobject(py)
    }
}

type Fields = (u64, u64, u64, u64, f64, Option<f64>, Option<f64>);

impl Progress {
    pub(crate) fn in_words(&self) -> String {
        let Progress { total, settled, failed, errors, rate, .. } = self;
        let eta = match (self.eta, self.eta_uncertainty) {
            (Some(eta), Some(uncertainty)) => format!(" eta={eta:.1}s±{uncertainty:.1}s"),
            (Some(eta), None) => format!(" eta={eta:.1}s"),
            _ => String::new(),
        };
        format!("{settled} of {total} settled: failed={failed} errors={errors} rate={rate:.2}/s{eta}")
    }

    fn fields(&self) -> Fields {
        let Progress { total, settled, failed, errors, rate, eta, eta_uncertainty } = *self;
        (total, settled, failed, errors, rate, eta, eta_uncertainty)
    }
}

impl From<core::Progress> for Progress {
    fn from(it: core::Progress) -> Self {
        let eta = it.eta.map(seconds);
        Progress {
            total: it.total,
            settled: it.settled,
            failed: it.failed,
            errors: it.errors,
            rate: it.rate,
            eta: eta.map(|(remaining, _)| remaining),
            eta_uncertainty: eta.map(|(_, uncertainty)| uncertainty),
        }
    }
}

/// A guess as Python sees it.
pub(crate) fn seconds(eta: Eta) -> (f64, f64) {
    (eta.remaining.as_secs_f64(), eta.uncertainty.as_secs_f64())
}
