use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{mem, process};

use activity_status as core;
use activity_status::plugin::Transport;
use activity_status::{Endpoint, Settings, Submission};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyType};

use crate::cancel::CancelToken;
use crate::errors;
use crate::followed::{self, Followed};
use crate::job::Job;
use crate::limiter::Snapshot;
use crate::metrics::Metrics;
use crate::observer::updating;
use crate::operation::Operation;
use crate::parts::{self, Parts};
use crate::quota::Limiter;
use crate::settings;
use crate::signals::{because, blocking, detached};
use crate::status::Status;
use crate::text::Time;
use crate::tracker::Tracker;
use crate::wait_all::{Asking, WaitAll};

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
///   of this machine that names the file), "redis://HOST:PORT" (many machines), a Limiter that others share, or an object of
///   your own (activity_status.plugin.Limiter).
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
///
/// Parts of your own, each described by its Protocol in activity_status.plugin. They run on the thread that makes the call,
/// and what they raise comes out of it:
///
/// - transport: what sends the requests: a function of a Request that gives a Response.
/// - clock: the time, with now, wall and sleep.
/// - observer: is told each Event. What it raises goes to sys.unraisablehook. The same is in logging, by the loggers
///   activity_status.http, .limiter and .wait.
/// - outcome_rule: what counts as settled: a function of a Status that gives an Outcome.
/// - credentials: where the keys come from if they may change: a function that gives a mapping with api_key, and access_key
///   and secret_key if it submits. It is asked before each call, in place of those three settings.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Client {
    settings: Settings,
    endpoint: Endpoint,
    open: Mutex<Option<Open>>,
}

/// What the calls go through, and the process that made it.
struct Open {
    client: Arc<core::Client>,
    transport: Arc<dyn Transport>,
    parts: Py<Parts>,
    limiter: Py<Limiter>,
    process: u32,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(
        signature = (**settings),
        text_signature = "(*, api_key=None, access_key=None, secret_key=None, region=None, base_url=None, \
            key_placement=None, quota=None, limiter=None, limiter_away=None, strict=None, submit_share=None, \
            call_deadline=None, max_attempts=None, accept_duplicates=None, resolve_timeout=None, connect_timeout=None, \
            send_timeout=None, head_timeout=None, body_timeout=None, proxy=None, transport=None, clock=None, \
            observer=None, outcome_rule=None, credentials=None)"
    )]
    fn new(py: Python<'_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let given = settings.map_or_else(|| PyDict::new(py), |given| given.clone());
        let (mut settings, parts) = (Settings::new(), PyDict::new(py));
        read(&mut settings, &parts, &given)?;
        let parts = Parts::new(py, &parts, &settings)?;
        let limiter = given.get_item("limiter")?.filter(|limiter| !limiter.is_none());
        Client::made(py, settings, Py::new(py, parts)?, limiter, None)
    }

    /// The same client with other settings or parts. It keeps to the same quota and connections, unless it is given
    /// others: a limiter or what belongs to it, a transport or time-outs of its phases.
    ///
    /// None takes a setting back, so that its default holds.
    #[pyo3(signature = (**overrides))]
    fn with_options(&self, py: Python<'_>, overrides: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let given = overrides.map_or_else(|| PyDict::new(py), |given| given.clone());
        let Open { parts, limiter, transport, .. } = self.shared(py)?;
        let (mut settings, own) = (self.settings.clone(), parts.get().given(py)?);
        let has_any = |names: &[&str]| -> PyResult<bool> {
            names.iter().try_fold(false, |any, name| Ok(any || given.contains(name)?))
        };
        // What a limiter that others share was made by holds for the one that takes its place, too.
        if has_any(&settings::OF_THE_LIMITER)? && !limiter.get().is_own() {
            for name in settings::OF_THE_LIMITER {
                if let Some(value) = limiter.get().setting(name).filter(|_| settings.get(name).is_none()) {
                    settings.set(name, value).map_err(|error| errors::raised(py, &error, None))?;
                }
            }
        }
        // What takes the place of another does so with all that belongs to it; the one address goes before the other.
        for (name, others) in [
            ("region", &["base_url"][..]),
            ("base_url", &["region"]),
            ("transport", &settings::OF_THE_TRANSPORT),
            ("limiter", &settings::OF_THE_LIMITER),
            ("credentials", &settings::OF_THE_CREDENTIALS),
        ] {
            let takes_place = |it: &Bound<'_, PyAny>| {
                !it.is_none() && (name != "limiter" || !it.is_instance_of::<PyString>())
            };
            if given.get_item(name)?.is_some_and(|value| takes_place(&value)) {
                for other in others {
                    settings.unset(other);
                }
            }
        }
        read(&mut settings, &own, &given)?;
        let limiter = match given.get_item("limiter")? {
            Some(other) => Some(other).filter(|other| !other.is_none()),
            None if has_any(&settings::OF_THE_LIMITER)? && !limiter.get().is_own() => {
                limiter.get().setting("limiter").map(|place| PyString::new(py, place).into_any())
            }
            None => Some(limiter.into_bound(py).into_any()),
        };
        let transport = if has_any(&settings::OF_THE_TRANSPORT)? || has_any(&["transport"])? {
            None
        } else {
            Some(transport)
        };
        let parts = Parts::new(py, &own, &settings)?;
        Client::made(py, settings, Py::new(py, parts)?, limiter, transport)
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
    /// error means for sending it again is in its resend. If an exception that is none of ours leaves the call, such as
    /// KeyboardInterrupt, its __cause__ says what was known by then; if the job was accepted already, with its request_id.
    ///
    /// deadline: the longest that this call may take, less than the client's call_deadline. cancel: a CancelToken.
    #[pyo3(
        signature = (body, *, operation=None, query=None, path_tail=None, deadline=None, cancel=None),
        text_signature = "($self, body, *, operation='activity.create', query=None, path_tail=None, deadline=None, cancel=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn submit(
        &self,
        py: Python<'_>,
        body: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
        query: Option<&Bound<'_, PyAny>>,
        path_tail: Option<String>,
        deadline: Option<Time>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<Job> {
        let client = self.bounded(py, deadline, cancel)?;
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
        let clock = self.parts(py)?.get().clock();
        let (result, raised) = detached(py, || {
            let id = client.submit(&operation, &submission)?;
            Ok(core::Job::new(operation.clone(), id).submitted_at(clock.wall()))
        })?;
        let result = result.map_err(|error| errors::raised(py, &error, Some(&operation)));
        match raised {
            None => result.map(Job),
            Some(raised) => {
                let known = result.map_or_else(|error| error, |job| errors::accepted(py, &job));
                Err(because(py, raised, Some(known)))
            }
        }
    }

    /// Asks once how a job stands. Pending is an answer.
    ///
    /// Give its request id, or the Job. The operation is that of the Job, or activity.create, unless it is given.
    #[pyo3(signature = (request_id, *, operation=None, deadline=None, cancel=None))]
    fn status(
        &self,
        py: Python<'_>,
        request_id: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
        deadline: Option<Time>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<Status> {
        let client = self.bounded(py, deadline, cancel)?;
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
    ///
    /// on_update is called with each Status that is read, the last one too, on the thread that waits; what it raises ends the
    /// wait. cancel: a CancelToken.
    #[pyo3(
        signature = (request_id, *, operation=None, timeout=None, price=None, on_update=None, cancel=None),
        text_signature = "($self, request_id, *, operation=None, timeout=3600.0, price=None, on_update=None, cancel=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn wait(
        &self,
        py: Python<'_>,
        request_id: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
        timeout: Option<Time>,
        price: Option<Time>,
        on_update: Option<&Bound<'_, PyAny>>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<Status> {
        called("on_update", on_update)?;
        let client = self.bounded(py, None, cancel)?;
        let job = Job::given(request_id, operation)?;
        let operation = job.operation();
        let options = followed::options(py, timeout, price, None, None)?;
        let on_update = on_update.map(|it| (it.clone().unbind(), operation.clone()));
        let status = blocking(py, Some(operation), || {
            updating(on_update, || client.wait(operation, job.request_id(), &options))
        })?;
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
    /// - schedule: another schedule than the two that order names: an object of activity_status.plugin.Schedule.
    /// - cancel: a CancelToken. A loop just ends when it is cancelled.
    ///
    /// Several questions are on their way at a time where the quota allows it and the answers are slow, each on a thread of
    /// its own, but never two about one job. Python code of the client's parts runs on the thread that waits; with a
    /// transport or a clock of its own the questions are asked there too, one after the other.
    #[pyo3(
        signature = (
            jobs, *, operation=None, timeout=None, price=None, order=None, schedule=None, on_progress=None, cancel=None,
        ),
        text_signature = "($self, jobs, *, operation='activity.create', timeout=3600.0, price=None, order=None, \
            schedule=None, on_progress=None, cancel=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn wait_all(
        slf: &Bound<'_, Self>,
        jobs: &Bound<'_, PyAny>,
        operation: Option<&Bound<'_, PyAny>>,
        timeout: Option<Time>,
        price: Option<Time>,
        order: Option<&str>,
        schedule: Option<&Bound<'_, PyAny>>,
        on_progress: Option<&Bound<'_, PyAny>>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<WaitAll> {
        called("on_progress", on_progress)?;
        let (py, client) = (slf.py(), slf.get());
        let bounded = client.bounded(py, None, cancel)?;
        let options = followed::options(py, timeout, price, order, Some(jobs))?;
        let jobs = followed::jobs(jobs, operation)?;
        let mut tracker = followed::tracker(&bounded, &options, schedule)?;
        let ((), raised) = detached(py, || {
            for job in jobs {
                tracker.add(job);
            }
        })?;
        raised.map_or(Ok(()), Err)?;
        let Open { parts, limiter, transport, .. } = client.shared(py)?;
        let manner = parts.get().manner(limiter.get().is_own());
        let own_clock = parts.get().has_clock().then(|| parts.get().clock());
        let followed = Followed::new(tracker, slf.clone().unbind());
        let asking = Asking { manner, transport, own_clock };
        let on_progress = on_progress.map(|it| it.clone().unbind());
        Ok(WaitAll::new(followed, asking, on_progress, cancel.map(|token| token.clone().unbind())))
    }

    /// The same as wait_all a step at a time, for an event loop. No jobs yet: add them. timeout counts from now.
    #[pyo3(
        signature = (*, timeout=None, price=None, order=None, schedule=None),
        text_signature = "($self, *, timeout=3600.0, price=None, order=None, schedule=None)"
    )]
    fn tracker(
        slf: &Bound<'_, Self>,
        timeout: Option<Time>,
        price: Option<Time>,
        order: Option<&str>,
        schedule: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Tracker> {
        let py = slf.py();
        let client = slf.get().open(py)?;
        let options = followed::options(py, timeout, price, order, None)?;
        Ok(Tracker(Followed::new(followed::tracker(&client, &options, schedule)?, slf.clone().unbind())))
    }

    /// Asks how long the operation's queue is.
    #[pyo3(
        signature = (*, operation=None, deadline=None, cancel=None),
        text_signature = "($self, *, operation='activity.create', deadline=None, cancel=None)"
    )]
    fn metrics(
        &self,
        py: Python<'_>,
        operation: Option<&Bound<'_, PyAny>>,
        deadline: Option<Time>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<Metrics> {
        let client = self.bounded(py, deadline, cancel)?;
        let operation = operation.map_or(Ok(core::Operation::ACTIVITY_CREATE), Operation::given)?;
        let metrics = blocking(py, Some(&operation), || client.metrics(&operation))?;
        Ok(Metrics::new(metrics, operation))
    }

    /// What keeps its quota: give it to other clients of the account, or ask it for leave for calls of your own.
    #[getter]
    fn limiter(&self, py: Python<'_>) -> PyResult<Py<Limiter>> {
        Ok(self.shared(py)?.limiter)
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
        let Some(open) = open.as_ref().and_then(|open| open.as_ref()) else { return Ok(()) };
        visit.call(&open.parts)?;
        visit.call(&open.limiter)
    }

    fn __clear__(&self) {
        self.close();
    }
}

impl Client {
    /// A client of these settings and parts. `limiter` is a place, a shared one, or the program's own.
    fn made(
        py: Python<'_>,
        mut settings: Settings,
        parts: Py<Parts>,
        limiter: Option<Bound<'_, PyAny>>,
        transport: Option<Arc<dyn Transport>>,
    ) -> PyResult<Self> {
        let endpoint = settings.endpoint().map_err(|error| errors::raised(py, &error, None))?;
        let shared = limiter.as_ref().and_then(|limiter| limiter.cast::<Limiter>().ok());
        let limiter = match shared {
            Some(shared) => {
                shared.get().check_for(py, &settings, parts.get())?;
                shared.clone().unbind()
            }
            None => {
                let keys = parts.get().keys(py, &settings)?;
                Py::new(py, Limiter::opened(py, keys, limiter.as_ref(), parts.get())?)?
            }
        };
        if let Some(quota) = limiter.get().setting("quota") {
            settings.set("quota", quota).map_err(|error| errors::raised(py, &error, None))?;
        }
        let open = connected(py, &settings, parts, limiter, transport)?;
        Ok(Client { settings, endpoint, open: Mutex::new(Some(open)) })
    }

    /// The client for a call, unless it was closed.
    fn open(&self, py: Python<'_>) -> PyResult<Arc<core::Client>> {
        let here = process::id();
        let (parts, limiter) = match self.lock().as_ref().ok_or_else(|| closed(py))? {
            open if open.process == here => return Ok(Arc::clone(&open.client)),
            inherited => (inherited.parts.clone_ref(py), inherited.limiter.clone_ref(py)),
        };
        let ours = connected(py, &self.settings, parts, limiter, None)?;
        let mut open = self.lock();
        match open.as_ref().ok_or_else(|| closed(py))? {
            // Another thread was faster.
            other if other.process == here => Ok(Arc::clone(&other.client)),
            _ => {
                let client = Arc::clone(&ours.client);
                // The connections belong to the process that forked: they are neither used nor closed here.
                mem::forget(open.replace(ours));
                Ok(client)
            }
        }
    }

    /// What a client with other options, or a wait, has of this one.
    fn shared(&self, py: Python<'_>) -> PyResult<Open> {
        self.open(py)?;
        self.lock().as_ref().map(|open| open.shared(py)).ok_or_else(|| closed(py))
    }

    fn parts(&self, py: Python<'_>) -> PyResult<Py<Parts>> {
        self.lock().as_ref().map(|open| open.parts.clone_ref(py)).ok_or_else(|| closed(py))
    }

    /// The client for one call, with what may end that before it is over.
    fn bounded(
        &self,
        py: Python<'_>,
        deadline: Option<Time>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<core::Client> {
        let client = self.open(py)?;
        let mut client = core::Client::clone(&client);
        if let Some(deadline) = deadline {
            client = client.with_call_deadline(deadline.read(py)?);
        }
        if let Some(token) = cancel {
            client = client.with_canceller(token.get().canceller());
        }
        Ok(client)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn shared(&self, py: Python<'_>) -> Self {
        Open {
            client: Arc::clone(&self.client),
            transport: Arc::clone(&self.transport),
            parts: self.parts.clone_ref(py),
            limiter: self.limiter.clone_ref(py),
            process: self.process,
        }
    }
}

/// Puts what is given where it belongs: settings, and parts of the program's own. The limiter is read by itself.
fn read(settings: &mut Settings, parts: &Bound<'_, PyDict>, given: &Bound<'_, PyDict>) -> PyResult<()> {
    for (name, value) in given {
        let name: String = name.extract()?;
        if parts::NAMES.contains(&name.as_str()) {
            parts.set_item(name, value)?;
        } else if !Settings::KEYS.iter().any(|(known, _)| *known == name) {
            return Err(PyTypeError::new_err(format!(
                "Client() got an unexpected keyword argument '{name}'"
            )));
        } else if name != "limiter" {
            settings::give(settings, &name, &value)?;
        }
    }
    Ok(())
}

/// Connects nowhere yet, but to a limiter that is elsewhere.
fn connected(
    py: Python<'_>,
    settings: &Settings,
    parts: Py<Parts>,
    limiter: Py<Limiter>,
    transport: Option<Arc<dyn Transport>>,
) -> PyResult<Open> {
    let here = limiter.get().here(py)?;
    let keys = parts.get().keys(py, settings)?;
    let (client, transport) = blocking(py, None, || {
        let transport = transport.map_or_else(|| parts.get().transport(settings), Ok)?;
        // Whatever place is named, the limiter is open already.
        let builder =
            keys.builder_with(|_| Ok(Some(Box::new(Arc::clone(&here)))))?.limiter(Arc::clone(&here));
        let client = parts.get().put_into(builder).transport(Arc::clone(&transport)).build()?;
        Ok((Arc::new(client), transport))
    })?;
    Ok(Open { client, transport, parts, limiter, process: process::id() })
}

fn closed(py: Python<'_>) -> PyErr {
    errors::new(py, core::ErrorKind::Config, "the client is closed; nothing was sent")
}

fn called(name: &str, given: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    match given.filter(|it| !it.is_callable()) {
        None => Ok(()),
        Some(other) => {
            let given = other.get_type().name()?;
            Err(PyTypeError::new_err(format!("{name} is called: {given} cannot be")))
        }
    }
}
