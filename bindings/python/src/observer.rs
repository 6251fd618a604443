//! What happens in a call, told to the program: to its log, to an observer of its own, to whoever waits for updates.

use std::cell::RefCell;
use std::time::Duration;

use activity_status::Operation;
use activity_status::plugin::{self, CallClass};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::limiter;
use crate::signals::leave_with;
use crate::status::Status;

/// What happens in a call. Each kind is a class within this one, such as Event.Sending, to be told apart by isinstance or
/// match; name is its word, and str(event) one line without keys. Times are seconds.
#[pyclass(frozen, module = "activity_status")]
pub(crate) enum Event {
    /// A call waits so long for the quota, and then asks again.
    WaitingForPermit {
        operation: String,
        request_id: Option<String>,
        call_class: String,
        wait: f64,
        text: String,
    },
    /// A call goes out, for the attempt-th time.
    Sending { operation: String, request_id: Option<String>, call_class: String, attempt: u32, text: String },
    /// The whole answer has come.
    Answered {
        operation: String,
        request_id: Option<String>,
        call_class: String,
        http_status: u16,
        elapsed: f64,
        text: String,
    },
    /// The answer was a refusal (429): somebody has made more calls than the quota.
    Refused { operation: String, request_id: Option<String>, call_class: String, text: String },
    /// The call failed, with an error of this kind, and goes out again after so long.
    Retrying { operation: String, request_id: Option<String>, kind: String, wait: f64, text: String },
    /// The limiter could not note what became of a call; the call goes on.
    SettleFailed { text: String },
    /// The vendor has said how a job stands.
    StatusRead { operation: String, request_id: String, status: Py<Status>, text: String },
}

#[pymethods]
impl Event {
    /// The kind of event as one lower-case word, the same in every language.
    #[getter]
    fn name(&self) -> &'static str {
        match self {
            Event::WaitingForPermit { .. } => "waiting_for_permit",
            Event::Sending { .. } => "sending",
            Event::Answered { .. } => "answered",
            Event::Refused { .. } => "refused",
            Event::Retrying { .. } => "retrying",
            Event::SettleFailed { .. } => "settle_failed",
            Event::StatusRead { .. } => "status",
        }
    }

    fn __str__(&self) -> &str {
        let (Event::WaitingForPermit { text, .. }
        | Event::Sending { text, .. }
        | Event::Answered { text, .. }
        | Event::Refused { text, .. }
        | Event::Retrying { text, .. }
        | Event::SettleFailed { text }
        | Event::StatusRead { text, .. }) = self;
        text
    }

    fn __repr__(&self) -> String {
        format!("<Event {}: {}>", self.name(), self.__str__())
    }
}

impl Event {
    /// None for an event that this version of the core does not have yet.
    fn of(py: Python<'_>, event: &plugin::Event<'_>) -> PyResult<Option<Self>> {
        let text = event.to_string();
        let id = |id: &Option<&activity_status::RequestId>| id.map(|id| id.as_str().to_owned());
        Ok(Some(match event {
            plugin::Event::WaitingForPermit { operation, request_id, class, wait } => {
                Event::WaitingForPermit {
                    operation: (*operation).to_owned(),
                    request_id: id(request_id),
                    call_class: class_word(*class).to_owned(),
                    wait: wait.as_secs_f64(),
                    text,
                }
            }
            plugin::Event::Sending { operation, request_id, class, attempt } => Event::Sending {
                operation: (*operation).to_owned(),
                request_id: id(request_id),
                call_class: class_word(*class).to_owned(),
                attempt: *attempt,
                text,
            },
            plugin::Event::Answered { operation, request_id, class, http_status, elapsed } => {
                Event::Answered {
                    operation: (*operation).to_owned(),
                    request_id: id(request_id),
                    call_class: class_word(*class).to_owned(),
                    http_status: *http_status,
                    elapsed: elapsed.as_secs_f64(),
                    text,
                }
            }
            plugin::Event::Refused { operation, request_id, class } => Event::Refused {
                operation: (*operation).to_owned(),
                request_id: id(request_id),
                call_class: class_word(*class).to_owned(),
                text,
            },
            plugin::Event::Retrying { operation, request_id, kind, wait } => Event::Retrying {
                operation: (*operation).to_owned(),
                request_id: id(request_id),
                kind: kind.to_string(),
                wait: wait.as_secs_f64(),
                text,
            },
            plugin::Event::SettleFailed { .. } => Event::SettleFailed { text },
            plugin::Event::Status { operation, status } => Event::StatusRead {
                operation: (*operation).to_owned(),
                request_id: status.request_id().as_str().to_owned(),
                status: Py::new(py, Status::new((*status).clone(), named(operation)))?,
                text,
            },
            _ => return Ok(None),
        }))
    }
}

/// The observer of every client: it tells the log, and the observer of the program's own if there is one.
pub(crate) struct Telling {
    pub(crate) observer: Option<Py<PyAny>>,
}

impl plugin::Observer for Telling {
    fn on_event(&self, event: &plugin::Event<'_>) {
        if let plugin::Event::SettleFailed { error } = event {
            limiter::report(error);
        }
        Python::try_attach(|py| {
            log(py, event).unwrap_or_else(|error| unheard(py, error));
            if let Some(observer) = &self.observer {
                tell(py, observer, event).unwrap_or_else(|error| unheard(py, error));
            }
            update(py, event).unwrap_or_else(leave_with);
        });
    }
}

/// An observer is a function of an Event, or has on_event.
pub(crate) fn check(observer: &Bound<'_, PyAny>) -> PyResult<()> {
    let method = observer.getattr_opt("on_event")?;
    if method.is_some_and(|method| method.is_callable()) || observer.is_callable() {
        return Ok(());
    }
    let given = observer.get_type().name()?;
    let what =
        format!("an observer is a function of an Event, or an object with on_event; {given} is neither");
    Err(pyo3::exceptions::PyTypeError::new_err(what))
}

/// Gives `on_update` each status that this thread reads within the call.
pub(crate) fn updating<T>(on_update: Option<Update>, call: impl FnOnce() -> T) -> T {
    struct Restore(Option<Update>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ON_UPDATE.set(self.0.take());
        }
    }
    let _restore = Restore(ON_UPDATE.replace(on_update));
    call()
}

/// The function to call, and the operation of the job.
pub(crate) type Update = (Py<PyAny>, Operation);

thread_local! {
    static ON_UPDATE: RefCell<Option<Update>> = const { RefCell::new(None) };
}

fn update(py: Python<'_>, event: &plugin::Event<'_>) -> PyResult<()> {
    let plugin::Event::Status { status, .. } = event else { return Ok(()) };
    // What it calls itself is none of its updates.
    let Some((on_update, operation)) = ON_UPDATE.take() else { return Ok(()) };
    let status = Status::new((*status).clone(), operation.clone());
    let told = on_update.call1(py, (status,)).map(drop);
    ON_UPDATE.set(Some((on_update, operation)));
    told
}

fn tell(py: Python<'_>, observer: &Py<PyAny>, event: &plugin::Event<'_>) -> PyResult<()> {
    let Some(event) = Event::of(py, event)? else { return Ok(()) };
    let observer = observer.bind(py);
    match observer.getattr_opt("on_event")? {
        Some(on_event) => on_event.call1((event,)).map(drop),
        None => observer.call1((event,)).map(drop),
    }
}

/// An observer cannot fail a call, so what it raises goes where Python sends such exceptions; what ends the program, as
/// Ctrl-C does, leaves the call.
fn unheard(py: Python<'_>, error: PyErr) {
    match error.is_instance_of::<PyException>(py) {
        true => error.write_unraisable(py, None),
        false => leave_with(error),
    }
}

/// The loggers of the program, which exist as soon as anybody has imported `logging`: before that nobody can listen.
fn log(py: Python<'_>, event: &plugin::Event<'_>) -> PyResult<()> {
    static LOGGERS: PyOnceLock<[Py<PyAny>; 3]> = PyOnceLock::new();
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    const NAMES: [&str; 3] = ["activity_status.http", "activity_status.limiter", "activity_status.wait"];
    // As logging has them.
    const DEBUG: u8 = 10;
    const INFO: u8 = 20;
    const WARNING: u8 = 30;
    let (logger, level) = match event {
        plugin::Event::Sending { .. } | plugin::Event::Answered { .. } => (0, DEBUG),
        plugin::Event::Retrying { .. } => (0, INFO),
        plugin::Event::WaitingForPermit { .. } => (1, DEBUG),
        plugin::Event::Refused { .. } | plugin::Event::SettleFailed { .. } => (1, WARNING),
        plugin::Event::Status { status, .. } if status.outcome().is_settled() => (2, INFO),
        plugin::Event::Status { .. } => (2, DEBUG),
        _ => return Ok(()),
    };
    let loggers = match LOGGERS.get(py) {
        Some(loggers) => loggers,
        None => {
            // At the end of a program there is not even `sys`.
            let found = MODULES.get_or_try_init(py, || {
                Ok::<_, PyErr>(py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?.unbind())
            });
            let Ok(modules) = found else { return Ok(()) };
            let Some(logging) = modules.bind(py).get_item(intern!(py, "logging"))? else { return Ok(()) };
            let named = |name: &str| logging.call_method1("getLogger", (name,)).map(Bound::unbind);
            let root = named("activity_status")?;
            root.call_method1(py, "addHandler", (logging.getattr("NullHandler")?.call0()?,))?;
            let [http, limiter, wait] = NAMES;
            LOGGERS.get_or_init(py, || {
                [http, limiter, wait].map(|name| named(name).unwrap_or_else(|_| root.clone_ref(py)))
            })
        }
    };
    let logger = loggers[logger].bind(py);
    if !logger.call_method1(intern!(py, "isEnabledFor"), (level,))?.is_truthy()? {
        return Ok(());
    }
    let extra = PyDict::new(py);
    extra.set_item("event", event.name())?;
    fields(event, &extra)?;
    let options = PyDict::new(py);
    options.set_item("extra", extra)?;
    let arguments = (level, "%s", event.to_string());
    logger.call_method("log", arguments, Some(&options)).map(drop)
}

/// What a log record has besides its text.
fn fields(event: &plugin::Event<'_>, extra: &Bound<'_, PyDict>) -> PyResult<()> {
    let seconds = |time: &Duration| time.as_secs_f64();
    let about = |operation: &str, id: Option<&str>| {
        extra.set_item("operation", operation)?;
        extra.set_item("request_id", id)
    };
    match event {
        plugin::Event::WaitingForPermit { operation, request_id, wait, .. } => {
            about(operation, request_id.map(|id| id.as_str()))?;
            extra.set_item("wait", seconds(wait))
        }
        plugin::Event::Sending { operation, request_id, attempt, .. } => {
            about(operation, request_id.map(|id| id.as_str()))?;
            extra.set_item("attempt", attempt)
        }
        plugin::Event::Answered { operation, request_id, http_status, elapsed, .. } => {
            about(operation, request_id.map(|id| id.as_str()))?;
            extra.set_item("http_status", http_status)?;
            extra.set_item("elapsed", seconds(elapsed))
        }
        plugin::Event::Refused { operation, request_id, .. } => {
            about(operation, request_id.map(|id| id.as_str()))
        }
        plugin::Event::Retrying { operation, request_id, kind, wait } => {
            about(operation, request_id.map(|id| id.as_str()))?;
            extra.set_item("kind", kind.as_str())?;
            extra.set_item("wait", seconds(wait))
        }
        plugin::Event::Status { operation, status } => {
            about(operation, Some(status.request_id().as_str()))?;
            extra.set_item("outcome", status.outcome().as_str())?;
            extra.set_item("state", status.state().as_str())
        }
        _ => Ok(()),
    }
}

/// An event tells the name alone, which is all that a Status shows of its operation.
fn named(operation: &str) -> Operation {
    let custom = || Operation::custom(operation, "/").unwrap_or(Operation::ACTIVITY_CREATE);
    operation.parse().unwrap_or_else(|_| custom())
}

pub(crate) fn class_word(class: CallClass) -> &'static str {
    match class {
        CallClass::Submit => "submit",
        CallClass::Poll => "poll",
        _ => "other",
    }
}
