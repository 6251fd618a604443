use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use activity_status::plugin::{
    Clock as _, Delivery, Failure, Head, Request, Response, Transport, TransportError,
};
use activity_status_sandbox::{self as sandbox, SandboxTransport};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::account::Account;
use super::book::Book;
use super::manual_clock::ManualClock;
use super::settings::settings as read;
use crate::exchange::NativeTransport;
use crate::signals::leave_with;

/// A model of the vendor in this process, without a socket and in a time of its own: a job that takes an hour is over at
/// once, and the same program sees the same history, request ids included, each time it runs.
///
/// client() makes a client that talks to it. Its quota, its queue, its checks and its spellings are the vendor's; what
/// becomes of a job is decided by markers in its text, in an ActivityNote say: sandbox:fail, sandbox:error (each may be
/// given a reason: sandbox:fail=No such event), sandbox:retry=2 (fails twice first), sandbox:never.
///
/// All calls must come from the thread that made it, since on several the history would be a matter of luck: another gets a
/// RuntimeError. For threads, other processes and AsyncClient there is SandboxServer.
///
/// Settings, None for the default; times are seconds, a timedelta, or a text such as "90s":
///
/// - api_key, access_key, secret_key: what the keys must be: "sandbox-api-key", "sandbox-access-key", "sandbox-secret-key".
/// - rate_per_minute: how many jobs are processed in a minute: 25; 0 for none. workers: how many at the same time: 1.
/// - spread: how much processing times vary, from 0 (default: exactly regular) to 1 (exponential).
/// - order: which job comes next: "fifo" (default), "lifo" or "shuffled".
/// - others, others_ahead: jobs of other tenants: at which share of the rate they arrive, and how many wait at first: 0.
/// - outages, error_spells: when processing stands still, and when all of it fails for a system reason: (start, length)s.
/// - ladder: how long after each system failure a job is tried again: the vendor's ten steps, 30 s to 3 h.
/// - retries: "queued" (default: a retry waits in the queue) or "direct".
/// - application_errors, system_errors, system_errors_again: how likely a job ends as a failure, its first try fails for a
///   system reason, and each retry does: 0, 0 and 0.5.
/// - latency: how long a call and its answer are under way, each: a time, or the least and the most, such as (0.04, 0.15);
///   0. latency_in, latency_out: one of the two.
/// - quota: calls per time that are let through: "25/5s". window: how they are counted: "sliding" (default), "fixed" or
///   "bucket". refusals_count: True: refused calls count too.
/// - spellings: of the answers: "documented" (default), or "all": every way there is, in turn.
/// - unknown_id: what a question about an unknown job gets: "not_found" (default: a 404) or "empty_status".
/// - fault_probability, fault_kinds: how likely a call meets a fault, and a list of those that it may meet; see fault().
/// - slow_body: how long the body of a slow_body takes: 10 s. redirect_to: where a redirect leads.
/// - custom: operations besides the vendor's seven: a mapping of path to TaskType.
/// - max_jobs, max_body: how many jobs it holds, and how many bytes a body may have: 1,000,000 and 1 MiB.
/// - seed: decides everything that is drawn: 0.
#[pyclass(frozen, module = "activity_status.testing")]
pub(crate) struct Sandbox {
    account: Account,
    clock: Py<ManualClock>,
    vendor: SandboxTransport,
    transport: Py<NativeTransport>,
}

#[pymethods]
impl Sandbox {
    #[new]
    #[pyo3(signature = (**settings))]
    fn new(py: Python<'_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let settings = read(settings)?;
        let clock = ManualClock::fresh(py)?;
        let vendor = Arc::new(Mutex::new(sandbox::Sandbox::new(settings.clone())));
        let account = Account::new(Arc::clone(&vendor), &settings);
        let vendor = SandboxTransport::sharing(vendor, Arc::clone(&clock.get().0));
        let one_thread = OneThread { owner: thread::current().id(), vendor: vendor.clone() };
        let transport = Py::new(py, NativeTransport(Arc::new(one_thread)))?;
        Ok(Sandbox { account, clock, vendor, transport })
    }

    /// A client of this vendor: its keys, its quota, its clock and its transport, unless the options, those of Client, say
    /// otherwise.
    #[pyo3(signature = (**options))]
    fn client<'py>(
        &self,
        py: Python<'py>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let parts = PyDict::new(py);
        parts.set_item("base_url", "https://sandbox.invalid")?;
        parts.set_item("clock", &self.clock)?;
        parts.set_item("transport", &self.transport)?;
        self.account.client(&parts, options)
    }

    /// The time that it goes by, and its clients. It passes only when somebody waits, or by clock.advance.
    #[getter]
    fn clock(&self, py: Python<'_>) -> Py<ManualClock> {
        self.clock.clone_ref(py)
    }

    /// The way to it, for a client of your own making, or a Recorder.
    #[getter]
    fn transport(&self, py: Python<'_>) -> Py<NativeTransport> {
        self.transport.clone_ref(py)
    }

    /// What has happened by now.
    #[getter]
    fn book(&self) -> Book {
        Book(self.vendor.book())
    }

    /// The ids of all jobs, in the order in which they were accepted: those too whose answer was lost.
    #[getter]
    fn request_ids(&self) -> Vec<String> {
        self.account.request_ids()
    }
    /// Plans a fault for the next call, or for so many; on is to which calls: "submit", "status" or "metrics", and any by
    /// default. Faults come in the order in which they were planned.
    ///
    /// Nothing is queued by unreachable, server_error, html_error, too_many_requests, redirect, silence and reset. The job
    /// is queued all the same by answer_lost, empty_answer, truncated, slow_body, huge and about_another (a status of
    /// another job). pass is none, to set others off by.
    #[pyo3(signature = (fault, *, on=None, times=1))]
    fn fault(&self, fault: &Bound<'_, PyAny>, on: Option<&Bound<'_, PyAny>>, times: u32) -> PyResult<()> {
        self.account.fault(fault, on, times)
    }

    /// From now on a question about this id, a request id or a Job, gets this answer: the HTTP status, and a body that is a
    /// mapping (written as JSON), a str or bytes. headers are those of JSON by default.
    #[pyo3(signature = (request_id, status, body, *, headers=None))]
    fn answer(
        &self,
        request_id: &Bound<'_, PyAny>,
        status: u16,
        body: &Bound<'_, PyAny>,
        headers: Option<BTreeMap<String, String>>,
    ) -> PyResult<()> {
        self.account.answer(request_id, status, body, headers)
    }

    fn __repr__(&self) -> String {
        let now = self.clock.get().0.now().as_secs_f64();
        format!("<Sandbox at {now:?} s: {}>", self.book().numbers())
    }
}

/// The way of one thread alone.
struct OneThread {
    owner: ThreadId,
    vendor: SandboxTransport,
}

impl Transport for OneThread {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        if thread::current().id() == self.owner {
            return self.vendor.send(request, on_head);
        }
        let message =
            "a sandbox in the process is for the thread that made it; for several there is SandboxServer";
        leave_with(PyRuntimeError::new_err(message));
        Err(TransportError {
            delivery: Delivery::NotSent,
            failure: Failure::Interrupted,
            message: message.to_owned(),
            source: None,
        })
    }
}
