use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{mem, process};

use activity_status as core;
use activity_status::plugin::{Delivery, Failure, Head, Response, TransportError};
use pyo3::exceptions::{PyBaseException, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::client::Client;
use crate::errors;
use crate::exchange::lost;
use crate::followed::of_this_process;
use crate::job::Job;
use crate::observer::{Update, updating};
use crate::signals::{detached, report_unheard};

/// One question that a Tracker wants asked, with leave of the limiter to ask it now.
///
/// Either let the client send it, on a thread that may block; or ask with I/O of your own: a GET of url with headers,
/// within time_left seconds, and answered or failed in the end. Both may be done on any thread, once; the tracker takes
/// the answer in with its next step. A look that is dropped has failed: it may have been sent, for all the limiter knows.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Look {
    /// Until it is answered.
    look: Mutex<Option<core::Look>>,
    job: Option<Job>,
    process: u32,
    client: Py<Client>,
}

#[pymethods]
impl Look {
    /// The job that is asked about; None if the question is how long its operation's queue is.
    #[getter]
    fn request_id(&self) -> Option<&str> {
        self.job.as_ref().map(Job::request_id)
    }

    /// The same as a Job, with its operation.
    #[getter]
    fn job(&self) -> Option<Job> {
        self.job.clone()
    }

    /// Asks by the client's own connections, and tells the tracker. It blocks the calling thread until there is an
    /// answer, or the call's time is over; Ctrl-C ends it at once. It raises nothing else: what became of the question is
    /// told by the tracker's steps. on_update is called with the Status, if one is read, before the tracker hears of it.
    #[pyo3(signature = (*, on_update=None))]
    fn send(&self, py: Python<'_>, on_update: Option<Py<PyAny>>) -> PyResult<()> {
        let (look, update) = (self.taken(py)?, self.update(on_update));
        told(py, || updating(update, || look.send()))
    }

    /// The URL to get. It holds no key.
    #[getter]
    fn url(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |look| look.url())
    }

    /// Every header to send, the API key among them: print them nowhere, and follow no redirect, which would carry
    /// them to another host.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let headers = PyDict::new(py);
        self.with(py, |look| {
            look.headers().iter().try_for_each(|header| headers.set_item(header.name, header.value))
        })??;
        Ok(headers)
    }

    /// How many seconds the exchange may take at the most.
    #[getter]
    fn time_left(&self, py: Python<'_>) -> PyResult<f64> {
        self.with(py, |look| look.time_left().as_secs_f64())
    }

    /// The head of the answer has just arrived: its HTTP status and headers, as a mapping or as pairs. Optional: the
    /// quota's slot is free the sooner for it.
    fn head_arrived(&self, py: Python<'_>, status: u16, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        let head = head(status, headers)?;
        let mut look = self.taken(py)?;
        let result = told(py, || look.head_arrived(&head));
        *self.lock() = Some(look);
        result
    }

    /// The whole answer has arrived, whatever its status. on_update: as of send.
    #[pyo3(signature = (status, headers, body, *, on_update=None))]
    fn answered(
        &self,
        py: Python<'_>,
        status: u16,
        headers: &Bound<'_, PyAny>,
        body: &Bound<'_, PyBytes>,
        on_update: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let response = Response { head: head(status, headers)?, body: body.as_bytes().to_vec() };
        let (look, update) = (self.taken(py)?, self.update(on_update));
        told(py, || updating(update, || look.answered(response)))
    }

    /// No whole answer came, for a reason that holds no key. delivery: can the question have arrived? "in_doubt": it may
    /// have. "partly": not all of it. "not_sent": certainly not, and then it does not count against the quota. Or give the
    /// exception, as a transport would raise it: see activity_status.plugin.Transport. One that says nothing of the
    /// exchange is raised.
    #[pyo3(signature = (message, delivery="in_doubt"))]
    fn failed(&self, py: Python<'_>, message: &Bound<'_, PyAny>, delivery: &str) -> PyResult<()> {
        if message.is_instance_of::<PyBaseException>() {
            let (look, error) = (self.taken(py)?, lost(py, PyErr::from_value(message.clone())));
            return told(py, || look.failed(error));
        }
        let message = message.extract()?;
        let delivery = match delivery {
            "in_doubt" => Delivery::InDoubt,
            "partly" => Delivery::Partly,
            "not_sent" => Delivery::NotSent,
            _ => return Err(PyValueError::new_err("a delivery is one of in_doubt, partly, not_sent")),
        };
        let look = self.taken(py)?;
        let error = TransportError { delivery, failure: Failure::Connection, message, source: None };
        told(py, || look.failed(error))
    }

    fn __repr__(&self) -> String {
        format!("<Look {}>", self.request_id().unwrap_or("at the queue"))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Look holds a key and belongs to its Tracker: it is neither pickled nor copied",
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.client)
    }
}

impl Look {
    pub(crate) fn new(look: core::Look, client: Py<Client>) -> Self {
        let job = look.request_id().map(|id| Job(core::Job::new(look.operation().clone(), id.clone())));
        Look { look: Mutex::new(Some(look)), job, process: process::id(), client }
    }

    /// Whoever is to hear of the status.
    fn update(&self, on_update: Option<Py<PyAny>>) -> Option<Update> {
        Some((on_update?, self.job.as_ref()?.0.operation().clone()))
    }

    fn taken(&self, py: Python<'_>) -> PyResult<core::Look> {
        self.usable(py)?;
        self.lock().take().ok_or_else(|| used(py))
    }

    fn with<T>(&self, py: Python<'_>, question: impl FnOnce(&core::Look) -> T) -> PyResult<T> {
        self.usable(py)?;
        self.lock().as_ref().map(question).ok_or_else(|| used(py))
    }

    fn usable(&self, py: Python<'_>) -> PyResult<()> {
        of_this_process(py, self.process)
    }

    fn lock(&self) -> MutexGuard<'_, Option<core::Look>> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let look = self.look.get_mut().map(Option::take);
        if self.process == process::id() {
            drop(look);
            report_unheard();
        } else {
            // Its permit belongs to the process that has forked.
            mem::forget(look);
        }
    }
}

/// Tells tracker and limiter. A limiter of the program's own may raise what leaves the call as itself.
fn told(py: Python<'_>, tell: impl FnOnce() + Send) -> PyResult<()> {
    let ((), raised) = detached(py, tell)?;
    raised.map_or(Ok(()), Err)
}

fn used(py: Python<'_>) -> PyErr {
    errors::new(py, core::ErrorKind::Config, "this look was sent or answered already")
}

/// The head of an answer that came to a client of the program's own.
fn head(status: u16, given: &Bound<'_, PyAny>) -> PyResult<Head> {
    Ok(Head { status, headers: headers(given)? })
}

/// Headers that are given as a mapping or as pairs.
pub(crate) fn headers(given: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let pairs = match given.getattr_opt("items")? {
        Some(items) => items.call0()?,
        None => given.clone(),
    };
    let headers = pairs.try_iter()?.map(|pair| {
        let (name, value): (String, String) = pair?.extract()?;
        Ok((name.to_ascii_lowercase(), value))
    });
    headers.collect()
}
