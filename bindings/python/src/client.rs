use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{mem, process};

use activity_status as core;
use activity_status::builtin::SystemClock;
use activity_status::plugin::{Clock as _, Event};
use activity_status::{Endpoint, Settings, Submission};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyType};

use crate::clock::SignalClock;
use crate::errors;
use crate::followed::{self, Followed};
use crate::job::Job;
use crate::limiter::{self, PyLimiter, Snapshot};
use crate::metrics::Metrics;
use crate::operation::Operation;
use crate::signals::blocking;
use crate::status::Status;
use crate::text::{Quota, Time};
use crate::tracker::Tracker;
use crate::transport::SignalTransport;
use crate::wait_all::WaitAll;

/// Submits jobs and asks how they went, inside the quota.
///
/// Every method blocks the calling thread only: other threads run meanwhile, and may use the same client, which keeps
/// one quota for all of them. Ctrl-C ends a call at once. Use it as a context manager, or close it, or leave it to the
/// garbage collector. After a fork the child has connections of its own, and a quota of its own unless that is shared.
///
/// Times are seconds, a timedelta, or a text such as "90s"; None is the default.
///
/// - api_key: the key that every call carries. Required.
/// - access_key, secret_key: a submit needs both.
/// - region: the account's region: "in", "us" or "sg". Either this or base_url.
/// - base_url: the address of the Async API: https, or http on this machine.
/// - key_placement: where a submit carries its two keys: "headers" (default) or "query".
/// - quota: calls per time, such as "25/5s" (default) or (25, 5.0).
/// - limiter: who shares the quota: "process" (default: the threads that share this client), "file:PATH" (every program
///   of this machine that names the file), "redis://HOST:PORT" (many machines), or a Limiter of your own.
/// - limiter_away: while Redis is away: "refuse" (default), or a quota for this client alone, such as "5/5s"; those of all
///   clients must add up.
/// - strict: True: hold each slot for a whole window after the answer. Default False: an estimated margin less.
/// - submit_share: of a hundred calls, when submits and questions both wait, so many are submits: 50.
/// - call_deadline: the longest that one call may take with all its waits and attempts: 60 s.
/// - max_attempts: how often a call that is safe to repeat is tried: 5.
/// - accept_duplicates: True: also send a submit again when it may have arrived.
/// - resolve_timeout, connect_timeout, send_timeout, head_timeout, body_timeout: how long each phase of an HTTP
///   exchange may take: 5, 10, 15, 30 and 30 s.
/// - proxy: an HTTP proxy, "http://host:port". Default none, whatever the environment says.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Client {
    settings: Settings,
    endpoint: Endpoint,
    open: Mutex<Option<Open>>,
}

/// The client that the calls go through, and the process that made it.
struct Open {
    client: Arc<core::Client>,
    /// A limiter of the program's own, if it gave one.
    own: Option<Arc<PyLimiter>>,
    process: u32,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (
        *, api_key=None, access_key=None, secret_key=None, region=None, base_url=None, key_placement=None, quota=None,
        limiter=None, limiter_away=None, strict=None, submit_share=None, call_deadline=None, max_attempts=None,
        accept_duplicates=None, resolve_timeout=None, connect_timeout=None, send_timeout=None, head_timeout=None,
        body_timeout=None, proxy=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords, one for each setting")]
    fn new(
        py: Python<'_>,
        api_key: Option<String>,
        access_key: Option<String>,
        secret_key: Option<String>,
        region: Option<String>,
        base_url: Option<String>,
        key_placement: Option<String>,
        quota: Option<Quota>,
        limiter: Option<&Bound<'_, PyAny>>,
        limiter_away: Option<Quota>,
        strict: Option<bool>,
        submit_share: Option<i64>,
        call_deadline: Option<Time>,
        max_attempts: Option<i64>,
        accept_duplicates: Option<bool>,
        resolve_timeout: Option<Time>,
        connect_timeout: Option<Time>,
        send_timeout: Option<Time>,
        head_timeout: Option<Time>,
        body_timeout: Option<Time>,
        proxy: Option<String>,
    ) -> PyResult<Self> {
        let time = |given: Option<Time>| given.map(|time| time.0);
        let (place, own) = match limiter {
            Some(place) if place.is_instance_of::<PyString>() => (Some(place.extract()?), None),
            Some(own) => (None, Some(Arc::new(PyLimiter::new(own, Arc::new(clock()))?))),
            None => (None, None),
        };
        let given = [
            ("api_key", api_key),
            ("access_key", access_key),
            ("secret_key", secret_key),
            ("region", region),
            ("base_url", base_url),
            ("key_placement", key_placement),
            ("quota", quota.map(|quota| quota.0)),
            ("limiter", place),
            ("limiter_away", limiter_away.map(|quota| quota.0)),
            ("strict", strict.map(|strict| strict.to_string())),
            ("submit_share", submit_share.map(|share| share.to_string())),
            ("call_deadline", time(call_deadline)),
            ("max_attempts", max_attempts.map(|attempts| attempts.to_string())),
            ("accept_duplicates", accept_duplicates.map(|accept| accept.to_string())),
            ("resolve_timeout", time(resolve_timeout)),
            ("connect_timeout", time(connect_timeout)),
            ("send_timeout", time(send_timeout)),
            ("head_timeout", time(head_timeout)),
            ("body_timeout", time(body_timeout)),
            ("proxy", proxy),
        ];
        let of_ours = |name: &str| ["quota", "limiter_away", "strict", "submit_share"].contains(&name);
        let unused = given.iter().find(|(name, value)| own.is_some() && of_ours(name) && value.is_some());
        if let Some((name, _)) = unused {
            let what =
                format!("{name} is for the limiters of this package, and yours keeps a quota of its own");
            return Err(errors::new(py, core::ErrorKind::Config, &what));
        }
        let (settings, endpoint) = settings(&given).map_err(|error| errors::raised(py, &error, None))?;
        let client = connected(py, &settings, own.as_ref())?;
        let open = Mutex::new(Some(Open { client, own, process: process::id() }));
        Ok(Client { settings, endpoint, open })
    }

    /// A client with the keys, the address and the limiter of the environment.
    ///
    /// They are in API_KEY, ACCESS_KEY, SECRET_KEY, REGION, BASE_URL and LIMITER, each after the prefix. What is given
    /// here goes before; a variable that is empty counts as none.
    #[classmethod]
    #[pyo3(signature = (prefix=None, **overrides), text_signature = "($cls, prefix='ACTIVITY_STATUS_', **overrides)")]
    fn from_env<'py>(
        cls: &Bound<'py, PyType>,
        prefix: Option<String>,
        overrides: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = cls.py();
        let prefix = prefix.as_deref().unwrap_or("ACTIVITY_STATUS_");
        let environment = py.import("os")?.getattr("environ")?;
        let options = overrides.map_or_else(|| Ok(PyDict::new(py)), |given| given.copy())?;
        let addressed = options.contains("region")? || options.contains("base_url")?;
        for name in ["api_key", "access_key", "secret_key", "region", "base_url", "limiter"] {
            let variable = format!("{prefix}{}", name.to_ascii_uppercase());
            let value = environment.call_method1("get", (variable,))?;
            let is_address = name == "region" || name == "base_url";
            if value.is_truthy()? && !options.contains(name)? && !(is_address && addressed) {
                options.set_item(name, value)?;
            }
        }
        cls.call((), Some(&options))
    }

    /// Sends one job.
    ///
    /// A mapping or a sequence is written as JSON, a datetime in it as the vendor's UTC text (one without a zone is
    /// taken for UTC); a str or bytes is sent byte for byte. query and path_tail are what two operations add to the
    /// address: lead.update its leadId, telephony.logcall the vendor's key of the connector.
    ///
    /// InDoubtError says that it was sent and no answer came: look in the CRM before you send it again. What any other
    /// error means for sending it again is in its resend.
    #[pyo3(
        signature = (body, *, operation=None, query=None, path_tail=None),
        text_signature = "($self, body, *, operation='activity.create', query=None, path_tail=None)"
    )]
    fn submit(
        &self,
        py: Python<'_>,
        body: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
        query: Option<&Bound<'_, PyAny>>,
        path_tail: Option<String>,
    ) -> PyResult<Job> {
        let client = self.open(py)?;
        let operation = operation.map_or(Ok(core::Operation::ACTIVITY_CREATE), Operation::given)?;
        let body = match body.cast::<PyBytes>() {
            Ok(bytes) => bytes.clone(),
            Err(_) => py.import("activity_status._encode")?.call_method1("encode", (body,))?.cast_into()?,
        };
        let mut submission = Submission::new(body.as_bytes());
        if let Some(query) = query {
            let dict = py.get_type::<PyDict>().call1((query,))?.cast_into::<PyDict>()?;
            for (name, value) in dict {
                submission = submission.query(&name.extract::<String>()?, &value.extract::<String>()?);
            }
        }
        if let Some(tail) = path_tail {
            submission = submission.path_tail(&tail);
        }
        let id = blocking(py, Some(&operation), || client.submit(&operation, &submission))?;
        Ok(Job(core::Job::new(operation, id).submitted_at(clock().wall())))
    }

    /// Asks once how a job stands. Pending is an answer.
    ///
    /// Give its request id, or the Job. The operation is that of the Job, or activity.create, unless it is given.
    #[pyo3(signature = (request_id, *, operation=None))]
    fn status(
        &self,
        py: Python<'_>,
        request_id: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Status> {
        let client = self.open(py)?;
        let job = Job::given(request_id, operation)?;
        let operation = job.operation();
        let status = blocking(py, Some(operation), || client.status(operation, job.request_id()))?;
        Ok(Status::new(status, operation.clone()))
    }

    /// Asks until the job is settled: succeeded or failed. One question that fails for a while loses nothing.
    ///
    /// DeadlineError, with the last_status, says that it was not settled within the timeout. The vendor's own retries
    /// of a job last over nine hours: give more than the hour where that matters. It is asked at once, and then the more
    /// seldom the longer it takes. price is how much waiting one call must be expected to end: 5 ms; with more there are
    /// fewer calls and later news.
    #[pyo3(
        signature = (request_id, *, operation=None, timeout=None, price=None),
        text_signature = "($self, request_id, *, operation=None, timeout=3600.0, price=None)"
    )]
    fn wait(
        &self,
        py: Python<'_>,
        request_id: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
        timeout: Option<Time>,
        price: Option<Time>,
    ) -> PyResult<Status> {
        let client = self.open(py)?;
        let job = Job::given(request_id, operation)?;
        let operation = job.operation();
        let options = followed::options(py, timeout, price, None, None)?;
        let wait = || client.wait(operation, job.request_id(), &options);
        let status = blocking(py, Some(operation), wait)?;
        Ok(Status::new(status, operation.clone()))
    }

    /// Follows many jobs over the client's one quota, and yields each, with its Status, as soon as its end is known:
    ///
    ///     for job, result in client.wait_all(jobs):
    ///
    /// jobs are an iterable of request ids or Jobs, such as a list, or the lines of a file; all are read before anything
    /// is sent. operation is that of the plain ids; a Job has its own. One that is given twice is followed once. A job
    /// that cannot be followed, or has not settled within the timeout, comes with an ActivityStatusError in place of a
    /// Status (DeadlineError has the last_status), and that is not raised. A question that fails for a while loses nothing.
    ///
    /// - timeout: how long the whole wait may take. The vendor's own retries of a job last over nine hours: give more
    ///   than the hour where that matters.
    /// - price: how much waiting one call must be expected to end: 5 ms uses what the quota has. With 100 ms a third of the
    ///   calls is made, and an outcome is known 0.4 s after the fact in place of 0.2 s. At most an hour.
    /// - order: "submitted": the jobs were submitted in this order, more or less; the few that can have settled are asked
    ///   about. "unknown": each is asked about in its turn, by the quota alone and not the price. The default is
    ///   submitted, and unknown for a set.
    /// - on_progress: is called with the Progress after each end, and about once a second while nothing ends, on the
    ///   thread that waits. What it raises leaves the loop, and loses no job: the next loop begins with the one that ended.
    ///
    /// Several questions are on their way at a time where the quota allows it and the answers are slow, each on a thread of
    /// its own, but never two about one job.
    #[pyo3(
        signature = (jobs, *, operation=None, timeout=None, price=None, order=None, on_progress=None),
        text_signature = "($self, jobs, *, operation='activity.create', timeout=3600.0, price=None, order=None, on_progress=None)"
    )]
    fn wait_all(
        slf: &Bound<'_, Self>,
        jobs: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
        timeout: Option<Time>,
        price: Option<Time>,
        order: Option<&str>,
        on_progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<WaitAll> {
        if let Some(other) = on_progress.as_ref().filter(|it| !it.is_callable()) {
            let given = other.get_type().name()?;
            return Err(PyTypeError::new_err(format!("on_progress is called: {given} cannot be")));
        }
        let py = slf.py();
        let client = slf.get().open(py)?;
        let options = followed::options(py, timeout, price, order, Some(jobs))?;
        let jobs = followed::jobs(jobs, operation)?;
        let mut tracker = client.tracker(&options);
        py.detach(|| {
            for job in jobs {
                tracker.add(job);
            }
        });
        let followed = Followed::new(tracker, slf.clone().unbind());
        Ok(WaitAll::new(followed, on_progress.map(Bound::unbind)))
    }

    /// The same as wait_all a step at a time, for an event loop. No jobs yet: add them. timeout counts from now.
    #[pyo3(
        signature = (*, timeout=None, price=None, order=None),
        text_signature = "($self, *, timeout=3600.0, price=None, order=None)"
    )]
    fn tracker(
        slf: &Bound<'_, Self>,
        timeout: Option<Time>,
        price: Option<Time>,
        order: Option<&str>,
    ) -> PyResult<Tracker> {
        let py = slf.py();
        let client = slf.get().open(py)?;
        let options = followed::options(py, timeout, price, order, None)?;
        Ok(Tracker(Followed::new(client.tracker(&options), slf.clone().unbind())))
    }

    /// Asks how long the operation's queue is.
    #[pyo3(signature = (*, operation=None), text_signature = "($self, *, operation='activity.create')")]
    fn metrics(&self, py: Python<'_>, operation: Option<&Bound<'_, PyAny>>) -> PyResult<Metrics> {
        let client = self.open(py)?;
        let operation = operation.map_or(Ok(core::Operation::ACTIVITY_CREATE), Operation::given)?;
        blocking(py, Some(&operation), || client.metrics(&operation)).map(Metrics)
    }

    /// How the quota stands, for all who share this client's limiter. None if the limiter does not say.
    fn snapshot(&self, py: Python<'_>) -> PyResult<Option<Snapshot>> {
        let client = self.open(py)?;
        Ok(blocking(py, None, || client.snapshot())?.map(Snapshot::from))
    }

    /// Lets go of the connections. Calls that are under way end as they would; a later one raises ConfigError.
    fn close(&self) {
        // Dropped when the lock is free: the end of a limiter of the program's own may run code that uses this client.
        let open = self.lock().take();
        drop(open);
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc_value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) {
        let _ = (exc_type, exc_value, traceback);
        self.close();
    }

    fn __repr__(&self) -> String {
        let closed = if self.lock().is_none() { " (closed)" } else { "" };
        format!("<Client {}{closed}>", self.endpoint)
    }

    fn __reduce__(&self) -> PyResult<()> {
        let why = "a Client holds keys and connections, and is neither pickled nor copied: make one in each process";
        Err(PyTypeError::new_err(why))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever has the lock uses the client, which is no garbage then.
        let open = self.open.try_lock().ok();
        let own = open.as_ref().and_then(|open| open.as_ref()?.own.as_ref());
        own.map_or(Ok(()), |own| visit.call(&own.object))
    }

    fn __clear__(&self) {
        self.close();
    }
}

impl Client {
    /// The client for a call, unless it was closed.
    fn open(&self, py: Python<'_>) -> PyResult<Arc<core::Client>> {
        let closed = || errors::new(py, core::ErrorKind::Config, "the client is closed; nothing was sent");
        let here = process::id();
        let own = match self.lock().as_ref().ok_or_else(closed)? {
            open if open.process == here => return Ok(Arc::clone(&open.client)),
            inherited => inherited.own.clone(),
        };
        let client = connected(py, &self.settings, own.as_ref())?;
        let mut open = self.lock();
        match open.as_ref().ok_or_else(closed)? {
            // Another thread was faster.
            other if other.process == here => Ok(Arc::clone(&other.client)),
            _ => {
                let ours = Open { client: Arc::clone(&client), own, process: here };
                // The connections belong to the process that forked: they are neither used nor closed here.
                mem::forget(open.replace(ours));
                Ok(client)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settings(given: &[(&str, Option<String>)]) -> Result<(Settings, Endpoint), core::Error> {
    let mut settings = Settings::new();
    for (name, value) in given {
        if let Some(value) = value {
            settings.set(name, value)?;
        }
    }
    let endpoint = settings.endpoint()?;
    Ok((settings, endpoint))
}

/// Connects nowhere yet, but to a limiter that is elsewhere.
fn connected(
    py: Python<'_>,
    settings: &Settings,
    own: Option<&Arc<PyLimiter>>,
) -> PyResult<Arc<core::Client>> {
    blocking(py, None, || {
        let mut builder = activity_status_backends::builder(settings)?;
        if let Some(own) = own {
            builder = builder.limiter(Arc::clone(own));
        }
        let transport = SignalTransport(Arc::new(settings.transport()?));
        let client = builder.clock(clock()).transport(transport).observer(observe).build()?;
        Ok(Arc::new(client))
    })
}

fn clock() -> SignalClock {
    SignalClock(SystemClock::new())
}

/// A call goes on when the limiter has not recorded it, so that is said elsewhere.
fn observe(event: &Event<'_>) {
    if let Event::SettleFailed { error } = event {
        limiter::report(error);
    }
}
