//! Transports that are written in Python, and what they are given and give.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use activity_status::Settings;
use activity_status::plugin::{self, Delivery, Failure, Head, Method, Transport, TransportError};
use pyo3::exceptions::{PyException, PyOSError, PyTimeoutError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::signals::{arrived, leave_with, raised as left};
use crate::transport::Flight;
use crate::{errors, look, settings};

/// What a transport has to send. It holds keys: print nothing of it but its repr.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Request(Flight);

#[pymethods]
impl Request {
    /// A request of one's own, to try a transport with.
    #[new]
    #[pyo3(signature = (method, url, headers=None, body=None, time_left=60.0))]
    fn new(
        method: &str,
        url: String,
        headers: Option<&Bound<'_, PyAny>>,
        body: Option<Vec<u8>>,
        time_left: f64,
    ) -> PyResult<Self> {
        let method = match method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            _ => return Err(PyValueError::new_err("a method is GET or POST")),
        };
        let time_left = Duration::try_from_secs_f64(time_left)
            .map_err(|_| PyValueError::new_err("time_left is in seconds, and not negative"))?;
        let headers = headers.map_or_else(|| Ok(Vec::new()), look::headers)?;
        let headers = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
        Ok(Request(Flight { method, url: url.into(), headers, body, time_left }))
    }

    /// "GET" or "POST".
    #[getter]
    fn method(&self) -> &'static str {
        match self.0.method {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }

    /// The whole URL. It holds keys where the client was made with key_placement="query".
    #[getter]
    fn url(&self) -> &str {
        &self.0.url
    }

    /// Every header to send, with lower-case names, the keys among them. Follow no redirect: it would carry them to another
    /// host.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let headers = PyDict::new(py);
        self.0.headers.iter().try_for_each(|(name, value)| headers.set_item(name, value.as_str()))?;
        Ok(headers)
    }

    /// The body, byte for byte; None of a GET.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.body.as_deref().map(|body| PyBytes::new(py, body))
    }

    /// How many seconds the exchange may take at the most.
    #[getter]
    fn time_left(&self) -> f64 {
        self.0.time_left.as_secs_f64()
    }

    fn __repr__(&self) -> String {
        let host = self.0.url.split('/').nth(2).unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        format!("<Request {} {host}>", self.method())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Request holds keys, and is neither pickled nor copied"))
    }
}

/// What a transport has received: an answer of whatever status.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Response(plugin::Response);

#[pymethods]
impl Response {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str) = ("status", "headers", "body");

    /// headers: a mapping, or pairs; their names count in lower case. Of a 429 retry-after is read, and no other.
    #[new]
    #[pyo3(signature = (status, headers=None, body=None))]
    fn new(status: u16, headers: Option<&Bound<'_, PyAny>>, body: Option<Vec<u8>>) -> PyResult<Self> {
        let headers = headers.map_or_else(|| Ok(Vec::new()), look::headers)?;
        Ok(Response(plugin::Response { head: Head { status, headers }, body: body.unwrap_or_default() }))
    }

    /// The HTTP status.
    #[getter]
    fn status(&self) -> u16 {
        self.0.head.status
    }

    /// The headers; of one that came more than once the last.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let headers = PyDict::new(py);
        self.0.head.headers.iter().try_for_each(|(name, value)| headers.set_item(name, value))?;
        Ok(headers)
    }

    /// The whole body.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    fn __repr__(&self) -> String {
        format!("<Response {}: {} bytes>", self.0.head.status, self.0.body.len())
    }
}

/// A transport that needs no Python: the package's own, or that of a sandbox. Client(transport=...) takes it. Called like a
/// transport of one's own, it sends a Request.
///
/// The one that is made here is the package's own HTTP, to stack a transport of one's own upon. Its settings are those of a
/// Client: resolve_timeout, connect_timeout, send_timeout, head_timeout, body_timeout and proxy.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct NativeTransport(pub(crate) Arc<dyn Transport>);

#[pymethods]
impl NativeTransport {
    #[new]
    #[pyo3(signature = (**settings))]
    fn new(py: Python<'_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut ours = Settings::new();
        for (name, value) in settings.into_iter().flatten() {
            let name: String = name.extract()?;
            if !settings::OF_THE_TRANSPORT.contains(&name.as_str()) {
                return Err(PyTypeError::new_err(format!("a transport has no setting {name:?}")));
            }
            settings::give(&mut ours, &name, &value)?;
        }
        let http = ours.transport().map_err(|error| errors::raised(py, &error, None))?;
        Ok(NativeTransport(Arc::new(http.interruptible(arrived))))
    }

    /// Sends the request and waits for the answer. Raises ConnectionError or TimeoutError if none comes.
    fn __call__(&self, py: Python<'_>, request: &Bound<'_, Request>) -> PyResult<Response> {
        let request = request.get();
        let mut result = None;
        let mut tell = |told| {
            if let crate::transport::Told::End(end) = told {
                result = Some(end);
            }
            true
        };
        crate::signals::detached(py, || {
            request.0.fly(&*self.0, &mut tell);
        })?
        .1
        .map_or(Ok(()), Err)?;
        match result {
            Some(Ok(response)) => Ok(Response(response)),
            Some(Err(error)) => Err(raised(py, &error)),
            None => Err(pyo3::exceptions::PyRuntimeError::new_err("the transport gave no answer")),
        }
    }

    fn __repr__(&self) -> &'static str {
        "<NativeTransport>"
    }
}

/// A Python object as a transport. It runs on the thread that makes the call, and the interpreter is attached while it
/// does and no longer.
pub(crate) struct PyTransport {
    pub(crate) object: Py<PyAny>,
}

impl PyTransport {
    pub(crate) fn new(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let send = given.getattr_opt("send")?.filter(|send| send.is_callable());
        match send.is_some() || given.is_callable() {
            true => Ok(PyTransport { object: given.clone().unbind() }),
            false => {
                let given = given.get_type().name()?;
                let what = format!(
                    "a transport is a function of a Request, or an object with send; {given} is neither"
                );
                Err(PyTypeError::new_err(what))
            }
        }
    }

    fn call(&self, py: Python<'_>, request: Request) -> PyResult<plugin::Response> {
        let object = self.object.bind(py);
        let answer = match object.getattr_opt("send")? {
            Some(send) if send.is_callable() => send.call1((request,))?,
            _ => object.call1((request,))?,
        };
        match answer.cast::<Response>() {
            Ok(response) => Ok(response.get().0.clone()),
            Err(_) => {
                let given = answer.get_type().name()?;
                Err(PyTypeError::new_err(format!("a transport answers a Response, not {given}")))
            }
        }
    }
}

impl Transport for PyTransport {
    fn send(
        &self,
        request: &plugin::Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<plugin::Response, TransportError> {
        if request.cancelled.load(Ordering::SeqCst) || request.time_left.is_zero() {
            let failure = if request.time_left.is_zero() { Failure::TimedOut } else { Failure::Interrupted };
            let message = "it was given up before it was sent".to_owned();
            return Err(TransportError { delivery: Delivery::NotSent, failure, message, source: None });
        }
        let request = Request(Flight::of(request));
        let answer = Python::try_attach(|py| self.call(py, request).map_err(|error| lost(py, error)));
        let ended = || TransportError {
            delivery: Delivery::NotSent,
            failure: Failure::Interrupted,
            message: "it cannot be sent any more: the interpreter ends".to_owned(),
            source: None,
        };
        let response = answer.unwrap_or_else(|| Err(ended()))?;
        on_head(&response.head);
        Ok(response)
    }
}

/// Another transport, by which nothing is sent once the call is to be left with an exception of the program's own.
pub(crate) struct UnlessLeft<T: ?Sized>(pub(crate) Arc<T>);

impl<T: Transport + ?Sized> Transport for UnlessLeft<T> {
    fn send(
        &self,
        request: &plugin::Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<plugin::Response, TransportError> {
        if left() {
            let message = "the call was left before it was sent".to_owned();
            let (delivery, failure) = (Delivery::NotSent, Failure::Interrupted);
            return Err(TransportError { delivery, failure, message, source: None });
        }
        self.0.send(request, on_head)
    }
}

/// What a transport raised, as the failure of an exchange: an OSError, or an exception that says its delivery. Any other
/// one leaves the call as itself.
pub(crate) fn lost(py: Python<'_>, error: PyErr) -> TransportError {
    let said = |name: &str| {
        let said = error.value(py).getattr_opt(name).ok().flatten()?;
        said.extract::<String>().ok()
    };
    let message: String = error.to_string().chars().take(500).collect();
    let is_lost = error.is_instance_of::<PyOSError>(py) || said("delivery").is_some();
    if !is_lost || !error.is_instance_of::<PyException>(py) {
        leave_with(error);
        return crate::transport::lost(Failure::Interrupted, &message);
    }
    let delivery = match said("delivery").as_deref() {
        Some("not_sent") => Delivery::NotSent,
        Some("partly") => Delivery::Partly,
        _ if never_connected(py, &error) => Delivery::NotSent,
        _ => Delivery::InDoubt,
    };
    let failure = match said("failure").as_deref() {
        Some("timed_out") => Failure::TimedOut,
        Some("malformed") => Failure::Malformed,
        _ if error.is_instance_of::<PyTimeoutError>(py) => Failure::TimedOut,
        _ => Failure::Connection,
    };
    let source: Option<Box<dyn Error + Send + Sync>> = Some(Box::new(error));
    TransportError { delivery, failure, message, source }
}

fn never_connected(py: Python<'_>, error: &PyErr) -> bool {
    let is_unknown_host =
        || -> PyResult<bool> { Ok(error.is_instance(py, &py.import("socket")?.getattr("gaierror")?)) };
    error.is_instance_of::<pyo3::exceptions::PyConnectionRefusedError>(py)
        || is_unknown_host().unwrap_or(false)
}

/// The failure of an exchange, as a transport that is written in Python would raise it.
fn raised(py: Python<'_>, error: &TransportError) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let class = match error.failure {
            Failure::TimedOut => py.get_type::<PyTimeoutError>(),
            _ => py.get_type::<pyo3::exceptions::PyConnectionError>(),
        };
        let made = class.call1((error.message.as_str(),))?;
        made.setattr("delivery", error.delivery.as_str())?;
        made.setattr("failure", error.failure.as_str())?;
        Ok(PyErr::from_value(made))
    };
    made().unwrap_or_else(|error| error)
}
