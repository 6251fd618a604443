use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{mem, process};

use activity_status::ErrorKind;
use activity_status_sandbox::Server;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::account::Account;
use super::book::Book;
use super::settings::settings as read;
use crate::errors;

/// A model of the vendor on a port of this machine, in real time: for threads, other processes, other languages, and
/// AsyncClient. It runs from its making until it is closed; use it as a context manager.
///
/// The settings are those of Sandbox. port is the one to listen on, on 127.0.0.1 alone; 0, the default, takes any that is
/// free. OSError if it cannot be had.
///
/// All of its methods may be called from any thread. A process that this one forks may talk to it, by client() or the url,
/// but sees no book and does not stop it.
#[pyclass(frozen, module = "activity_status.testing")]
pub(crate) struct SandboxServer {
    account: Account,
    url: String,
    process: u32,
    server: Mutex<Option<Server>>,
}

#[pymethods]
impl SandboxServer {
    #[new]
    #[pyo3(signature = (*, port=0, **settings))]
    fn new(py: Python<'_>, port: u16, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let settings = read(settings)?;
        let server = py.detach(|| Server::start(settings.clone(), ([127, 0, 0, 1], port)));
        let server = server?;
        let account = Account::new(server.sandbox().clone(), &settings);
        Ok(SandboxServer {
            account,
            url: server.url(),
            process: process::id(),
            server: Mutex::new(Some(server)),
        })
    }

    /// Its base address, such as "http://127.0.0.1:8025".
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// What a program finds it by: a dict of the environment variables ACTIVITY_STATUS_BASE_URL, _API_KEY, _ACCESS_KEY and
    /// _SECRET_KEY, for Client.from_env and the command line.
    #[getter]
    fn environ(&self) -> BTreeMap<String, &str> {
        let keys = self.account.keys().iter().map(|(name, key)| (*name, key.as_str()));
        let all = keys.chain([("base_url", self.url.as_str())]);
        all.map(|(name, value)| (format!("ACTIVITY_STATUS_{}", name.to_ascii_uppercase()), value)).collect()
    }

    /// A client of this vendor, with its address, its keys and its quota, unless the options, those of Client, say otherwise.
    #[pyo3(signature = (**options))]
    fn client<'py>(
        &self,
        py: Python<'py>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let parts = PyDict::new(py);
        parts.set_item("base_url", &self.url)?;
        self.account.client(&parts, options)
    }

    /// What has happened by now, or until it was closed.
    #[getter]
    fn book(&self, py: Python<'_>) -> PyResult<Book> {
        self.check(py)?;
        let open = self.lock().as_ref().map(Server::book);
        Ok(Book(open.unwrap_or_else(|| self.account.book())))
    }

    /// The ids of all jobs, in the order in which they were accepted: those too whose answer was lost.
    #[getter]
    fn request_ids(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.check(py)?;
        Ok(self.account.request_ids())
    }

    /// Plans a fault, as Sandbox.fault does.
    #[pyo3(signature = (fault, *, on=None, times=1))]
    fn fault(&self, fault: &Bound<'_, PyAny>, on: Option<&Bound<'_, PyAny>>, times: u32) -> PyResult<()> {
        self.check(fault.py())?;
        self.account.fault(fault, on, times)
    }

    /// Gives an answer to all questions about an id, as Sandbox.answer does.
    #[pyo3(signature = (request_id, status, body, *, headers=None))]
    fn answer(
        &self,
        request_id: &Bound<'_, PyAny>,
        status: u16,
        body: &Bound<'_, PyAny>,
        headers: Option<BTreeMap<String, String>>,
    ) -> PyResult<()> {
        self.check(request_id.py())?;
        self.account.answer(request_id, status, body, headers)
    }

    /// Stops it: calls under way have two seconds to end. Nothing if it is closed already, or was made by the process that
    /// has forked.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.stop());
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc_value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) {
        let _ = (exc_type, exc_value, traceback);
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let closed = if self.is_ours() && self.lock().is_none() { " (closed)" } else { "" };
        format!("<SandboxServer {}{closed}>", self.url)
    }
}

impl SandboxServer {
    fn is_ours(&self) -> bool {
        self.process == process::id()
    }

    /// Another process has a copy of the vendor that nothing happens to, and whose locks may be held for ever.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_ours() {
            return Ok(());
        }
        let what = "the sandbox runs in the process that has forked: ask there, or give the answer of its /sandbox/book";
        Err(errors::new(py, ErrorKind::Config, what))
    }

    fn stop(&self) {
        if self.is_ours() {
            let server = self.lock().take();
            drop(server);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SandboxServer {
    fn drop(&mut self) {
        if self.is_ours() {
            // Its last calls may be waiting for the interpreter.
            let _ = Python::try_attach(|py| py.detach(|| self.stop()));
        } else if let Some(server) = self.server.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // Its thread is in the other process, and would be waited for.
            mem::forget(server);
        }
    }
}
