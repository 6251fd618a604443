//! The native part of the Python package `activity_status`: the core with Python's manners.
//!
//! Each file stands for one thing that Python sees. What blocks goes through [`signals::blocking`], and so runs with
//! the interpreter detached and ends at Ctrl-C.

mod cancel;
mod cli;
mod client;
mod clock;
mod credentials;
mod errors;
mod exchange;
mod flights;
mod followed;
mod http;
mod job;
mod json;
mod limiter;
mod look;
mod metrics;
mod observer;
mod operation;
mod parts;
mod progress;
mod quota;
mod schedule;
mod settings;
mod signals;
mod status;
mod testing;
mod text;
mod tracker;
mod transport;
mod wait_all;

use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

/// The native part of activity_status. Use that package: what is here and not there may change.
#[pymodule(gil_used = true)]
mod _native {
    use super::*;

    #[pymodule_export]
    use super::{
        client::Client, http::Http, job::Job, metrics::Metrics, operation::Operation, status::Status,
    };

    #[pymodule_export]
    use super::tracker::{Done, Ended, Sleep, Tracker};
    #[pymodule_export]
    use super::{look::Look, progress::Progress, wait_all::WaitAll};

    #[pymodule_export]
    use super::clock::Clock;
    #[pymodule_export]
    use super::exchange::{NativeTransport, Request, Response};
    #[pymodule_export]
    use super::limiter::{Granted, RetryAfter, Settlement, Snapshot};
    #[pymodule_export]
    use super::schedule::{Poll, Wait};
    #[pymodule_export]
    use super::{
        cancel::CancelToken,
        observer::Event,
        quota::{Limiter, Permit},
    };

    #[pymodule_export]
    use super::testing::{
        Book, ManualClock, Sandbox, SandboxServer, check_clock, check_limiter, check_transport,
    };
    #[pymodule_export]
    use super::{cli::cli_main, metrics::restore_metrics, status::restore_status, text::seconds};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let kinds = activity_status::ErrorKind::ALL.iter().map(|kind| (kind.as_str(), kind.advice()));
        module.add("KINDS", kinds.collect::<Vec<_>>().into_py_dict(module.py())?)?;
        module.add("SETTINGS", activity_status::Settings::KEYS.to_vec())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
