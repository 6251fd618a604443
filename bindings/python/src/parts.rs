//! The parts of a client that the program gives in place of ours.

use std::sync::Arc;

use activity_status::plugin::{self, Transport};
use activity_status::{ClientBuilder, JobStatus, KeyPlacement, Outcome, Settings};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::clock::{Clock, PyClock, SignalClock};
use crate::credentials::PyCredentials;
use crate::exchange::{NativeTransport, PyTransport, UnlessLeft};
use crate::observer::{self, Telling};
use crate::settings;
use crate::signals::arrived;
use crate::signals::leave_with;
use crate::status::Status;

/// Each object is held here once, whoever else uses it, so that the garbage collector counts it once.
#[pyclass(frozen)]
pub(crate) struct Parts {
    transport: Option<Part<PyTransport, dyn Transport>>,
    clock: Option<Part<PyClock, dyn plugin::Clock>>,
    observer: Arc<Telling>,
    outcome_rule: Option<Arc<Py<PyAny>>>,
    credentials: Option<Arc<PyCredentials>>,
}

enum Part<Own, Native: ?Sized> {
    Own(Arc<Own>),
    Native(Arc<Native>),
}

/// How the questions of a wait for many jobs are asked, so that Python code runs on the thread that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// On threads of ours: no Python code is called.
    Threads,
    /// The exchanges on threads of ours, all else on the thread that waits.
    Flights,
    /// On the thread that waits, one after the other.
    Inline,
}

/// The names of the parts, as a client takes them.
pub(crate) const NAMES: [&str; 5] = ["transport", "clock", "observer", "outcome_rule", "credentials"];

#[pymethods]
impl Parts {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(Part::Own(transport)) = &self.transport {
            visit.call(&transport.object)?;
        }
        if let Some(Part::Own(clock)) = &self.clock {
            visit.call(&clock.object)?;
        }
        visit.call(&self.observer.observer)?;
        visit.call(self.outcome_rule.as_deref())?;
        self.credentials.as_ref().map_or(Ok(()), |credentials| visit.call(&credentials.object))
    }
}

impl Parts {
    /// Those that are given, each by its name; None is ours.
    pub(crate) fn new(py: Python<'_>, given: &Bound<'_, PyDict>, settings: &Settings) -> PyResult<Self> {
        let part = |name: &str| Ok::<_, PyErr>(given.get_item(name)?.filter(|part| !part.is_none()));
        let transport = part("transport")?.map(|it| match it.cast::<NativeTransport>() {
            Ok(native) => Ok(Part::Native(Arc::clone(&native.get().0))),
            Err(_) => PyTransport::new(&it).map(|own| Part::Own(Arc::new(own))),
        });
        let clock = part("clock")?.map(|it| match it.cast::<Clock>() {
            Ok(native) => Ok(Part::Native(Arc::clone(&native.get().0))),
            Err(_) => PyClock::new(&it).map(|own| Part::Own(Arc::new(own))),
        });
        let observer = part("observer")?;
        observer.as_ref().map_or(Ok(()), observer::check)?;
        let outcome_rule = part("outcome_rule")?;
        if let Some(rule) = outcome_rule.as_ref().filter(|rule| !rule.is_callable()) {
            let given = rule.get_type().name()?;
            return Err(PyTypeError::new_err(format!("outcome_rule is called, and {given} cannot be")));
        }
        let placement = match settings.get("key_placement") {
            Some("query") => KeyPlacement::Query,
            _ => KeyPlacement::Headers,
        };
        let credentials = part("credentials")?.map(|it| PyCredentials::new(&it, placement)).transpose()?;
        if transport.is_some() {
            settings::refuse(py, settings, &settings::OF_THE_TRANSPORT, "the built-in transport")?;
        }
        Ok(Parts {
            transport: transport.transpose()?,
            clock: clock.transpose()?,
            observer: Arc::new(Telling { observer: observer.map(Bound::unbind) }),
            outcome_rule: outcome_rule.map(|rule| Arc::new(rule.unbind())),
            credentials: credentials.map(Arc::new),
        })
    }

    /// Those of another client, as they were given.
    pub(crate) fn given<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let given = PyDict::new(py);
        match &self.transport {
            Some(Part::Own(own)) => given.set_item("transport", &own.object)?,
            Some(Part::Native(it)) => {
                given.set_item("transport", Py::new(py, NativeTransport(Arc::clone(it)))?)?
            }
            None => {}
        }
        match &self.clock {
            Some(Part::Own(own)) => given.set_item("clock", &own.object)?,
            Some(Part::Native(it)) => given.set_item("clock", Py::new(py, Clock(Arc::clone(it)))?)?,
            None => {}
        }
        given.set_item("observer", &self.observer.observer)?;
        given.set_item("outcome_rule", self.outcome_rule.as_deref())?;
        given.set_item("credentials", self.credentials.as_ref().map(|it| &it.object))?;
        Ok(given)
    }

    /// The time by which the client goes.
    pub(crate) fn clock(&self) -> Arc<dyn plugin::Clock> {
        match &self.clock {
            Some(Part::Own(own)) => own.clone(),
            Some(Part::Native(native)) => Arc::clone(native),
            None => Arc::new(SignalClock::new()),
        }
    }

    /// Two have the same time if they have the same of these; 0 is the machine's.
    pub(crate) fn clock_id(&self) -> usize {
        match &self.clock {
            Some(Part::Own(own)) => own.object.as_ptr() as usize,
            Some(Part::Native(native)) => Arc::as_ptr(native).cast::<()>() as usize,
            None => 0,
        }
    }

    /// Is the time another than the machine's?
    pub(crate) fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// What sends the requests, where the settings do not say.
    pub(crate) fn transport(
        &self,
        settings: &Settings,
    ) -> Result<Arc<dyn Transport>, activity_status::Error> {
        Ok(match &self.transport {
            Some(Part::Own(own)) => Arc::new(UnlessLeft(Arc::clone(own))),
            Some(Part::Native(native)) => Arc::new(UnlessLeft(Arc::clone(native))),
            None => Arc::new(settings.transport()?.interruptible(arrived)),
        })
    }

    /// The settings, with the present keys if the program has a source of them.
    pub(crate) fn keys(&self, py: Python<'_>, settings: &Settings) -> PyResult<Settings> {
        match &self.credentials {
            None => Ok(settings.clone()),
            Some(source) => {
                settings::refuse(
                    py,
                    settings,
                    &settings::OF_THE_CREDENTIALS,
                    "a client without credentials",
                )?;
                source.settings(py, settings)
            }
        }
    }

    pub(crate) fn put_into(&self, mut builder: ClientBuilder) -> ClientBuilder {
        builder = builder.observer(Arc::clone(&self.observer)).clock(self.clock());
        if let Some(rule) = &self.outcome_rule {
            let rule = Arc::clone(rule);
            builder = builder.outcome_rule(move |status| outcome(&rule, status));
        }
        if let Some(credentials) = &self.credentials {
            builder = builder.credentials_provider(Provider(Arc::clone(credentials)));
        }
        builder
    }

    pub(crate) fn manner(&self, has_own_limiter: bool) -> Manner {
        let is_told =
            self.observer.observer.is_some() || self.outcome_rule.is_some() || self.credentials.is_some();
        match self.transport.is_some() || self.clock.is_some() {
            true => Manner::Inline,
            false if has_own_limiter || is_told => Manner::Flights,
            false => Manner::Threads,
        }
    }
}

/// The core wants an owner.
struct Provider(Arc<PyCredentials>);

impl plugin::CredentialsProvider for Provider {
    fn credentials(&self) -> Result<Arc<activity_status::Credentials>, plugin::CredentialsError> {
        self.0.credentials()
    }
    fn refused(&self, http_status: u16) {
        self.0.refused(http_status);
    }
}

/// What a rule of the program's own says of a status. What it raises leaves the call.
fn outcome(rule: &Py<PyAny>, status: &JobStatus) -> Outcome {
    let ask = |py: Python<'_>| -> PyResult<Outcome> {
        let status = Status::new(status.clone(), activity_status::Operation::ACTIVITY_CREATE);
        let answer = rule.call1(py, (status,))?;
        let word: String = answer.extract(py).unwrap_or_default();
        match word.as_str() {
            "pending" => Ok(Outcome::Pending),
            "succeeded" => Ok(Outcome::Succeeded),
            "failed" => Ok(Outcome::Failed),
            _ => {
                let given = answer.bind(py).repr()?;
                let what =
                    format!("outcome_rule answers an Outcome: pending, succeeded or failed, not {given}");
                Err(PyTypeError::new_err(what))
            }
        }
    };
    let answer = Python::try_attach(ask).map(|answer| answer.map_err(leave_with));
    answer.and_then(Result::ok).unwrap_or(Outcome::Pending)
}
