//! A limiter as a handle: shared by several clients, and for calls that this package does not make.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{mem, process};

use activity_status::builtin::Quota;
use activity_status::plugin::{self, Acquired, CallClass, Limiter as _, Settlement as How};
use activity_status::{ErrorKind, Settings};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::cancel::CancelToken;
use crate::errors;
use crate::limiter::{Granted, PyLimiter, RetryAfter, Settlement, Snapshot};
use crate::parts::Parts;
use crate::settings;
use crate::signals::{SLICE, blocking, detached};
use crate::text::Time;

/// Keeps one quota for all that hold it: clients (limiter=...), and code of the program's own that calls the same vendor.
///
/// limiter says who else shares it: "process" (default: nobody), "file:PATH" (every program of this machine that names the
/// file), "redis://HOST:PORT" (many machines), or an object with try_acquire and settle (activity_status.plugin.Limiter).
/// The other arguments are those of Client, and mean the same. Redis keeps the quota by account, so it wants the api_key.
///
/// All of its methods may be called from any thread. A forked child has a quota of its own, unless the limiter is a file
/// or in Redis.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Limiter {
    settings: Settings,
    own: Option<Arc<PyLimiter>>,
    clock: Arc<dyn plugin::Clock>,
    clock_id: usize,
    open: Mutex<Option<Open>>,
}

struct Open {
    limiter: Arc<dyn plugin::Limiter>,
    process: u32,
}

/// The settings that a limiter is made by.
pub(crate) const SETTINGS: [&str; 7] =
    ["limiter", "quota", "limiter_away", "strict", "submit_share", "call_deadline", "api_key"];

#[pymethods]
impl Limiter {
    #[new]
    #[pyo3(
        signature = (limiter=None, **settings),
        text_signature = "(limiter='process', *, quota=None, limiter_away=None, strict=None, submit_share=None, call_deadline=None, api_key=None, clock=None)"
    )]
    fn new(
        limiter: Option<&Bound<'_, PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
        py: Python<'_>,
    ) -> PyResult<Self> {
        let (mut given, own) = (Settings::new(), PyDict::new(py));
        for (name, value) in settings.into_iter().flatten() {
            let name: String = name.extract()?;
            if name == "clock" {
                own.set_item(name, value)?;
            } else if name == "limiter" || !SETTINGS.contains(&name.as_str()) {
                return Err(PyTypeError::new_err(format!(
                    "Limiter() got an unexpected keyword argument '{name}'"
                )));
            } else {
                settings::give(&mut given, &name, &value)?;
            }
        }
        let parts = Parts::new(py, &own, &given)?;
        Limiter::opened(py, given, limiter, &parts)
    }

    /// Waits for leave to make one call, and gives its Permit: settle it when the call is over, or use it in a with block.
    ///
    /// call_class says what the call is for, so that submits and questions get their shares: "submit", "poll" or "other".
    /// DeadlineError if there is none within the timeout (None: however long it takes). Nothing is sent by it.
    #[pyo3(
        signature = (call_class="other", *, timeout=None, cancel=None),
        text_signature = "($self, call_class='other', *, timeout=None, cancel=None)"
    )]
    fn acquire(
        slf: &Bound<'_, Self>,
        call_class: &str,
        timeout: Option<Time>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<Permit> {
        let py = slf.py();
        let (it, class) = (slf.get(), class(call_class)?);
        let timeout = timeout.map_or(Ok(Duration::MAX), |timeout| timeout.read(py))?;
        let limiter = it.here(py)?;
        let token = cancel.map(|token| token.get());
        let (number, raised) = detached(py, || it.wait_for(&*limiter, class, timeout, token))?;
        if let Some(raised) = raised {
            if let Ok(permit) = number {
                it.give_back(py, &*limiter, permit);
            }
            return Err(raised);
        }
        let number = match number {
            Ok(number) => number,
            Err(NoLeave::Limiter(trouble)) => return Err(errors::of_limiter(py, &trouble)),
            Err(NoLeave::Late) => {
                let what =
                    "the quota had no free call within the timeout. Give it more time, or try again later";
                return Err(errors::new(py, ErrorKind::Deadline, what));
            }
            Err(NoLeave::Interrupted) => {
                return Err(errors::new(py, ErrorKind::Interrupted, "the wait for the quota was cancelled"));
            }
        };
        Ok(Permit { limiter: slf.clone().unbind(), number: Mutex::new(Some(number)), process: process::id() })
    }

    /// Asks for leave to make one call now: Granted, and its permit is to be settled; or RetryAfter: the same thread asks
    /// again then, or gives its place up by leave.
    #[pyo3(signature = (call_class="other", clock=None, /))]
    fn try_acquire<'py>(
        &self,
        py: Python<'py>,
        call_class: &str,
        clock: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = clock;
        let (class, limiter) = (class(call_class)?, self.here(py)?);
        let (answer, raised) = detached(py, || limiter.try_acquire(class, &*self.clock))?;
        if let Some(raised) = raised {
            if let Ok(Acquired::Granted(permit)) = answer {
                self.give_back(py, &*limiter, permit);
            }
            return Err(raised);
        }
        match answer.map_err(|trouble| errors::of_limiter(py, &trouble))? {
            Acquired::Granted(permit) => Ok(Bound::new(py, Granted::from(permit))?.into_any()),
            Acquired::RetryAfter(wait) => Ok(Bound::new(py, RetryAfter::from(wait))?.into_any()),
        }
    }

    /// Tells once what became of the call that has this permit, by Settlement("answered") or another word.
    #[pyo3(signature = (permit, settlement, clock=None, /))]
    fn settle(
        &self,
        py: Python<'_>,
        permit: u64,
        settlement: &Bound<'_, Settlement>,
        clock: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = clock;
        let (limiter, how) = (self.here(py)?, settlement.get().plain());
        self.asked(py, || limiter.settle(plugin::Permit(permit), how, &*self.clock))
    }

    /// This thread was told to wait by try_acquire, and has given up.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let limiter = self.here(py)?;
        detached(py, || limiter.leave())?.1.map_or(Ok(()), Err)
    }

    /// How the quota stands, for all who share it. None if the limiter does not say.
    #[pyo3(signature = (clock=None, /))]
    fn snapshot(&self, py: Python<'_>, clock: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Snapshot>> {
        let _ = clock;
        let limiter = self.here(py)?;
        Ok(self.asked(py, || limiter.snapshot(&*self.clock))?.map(Snapshot::from))
    }

    fn __repr__(&self) -> String {
        let place = match &self.own {
            Some(_) => "own",
            // A place on a server can hold a password.
            None => self.settings.get("limiter").unwrap_or("process").split(':').next().unwrap_or_default(),
        };
        format!("<Limiter {place} {}>", self.settings.get("quota").unwrap_or("25/5s"))
    }

    fn __reduce__(&self) -> PyResult<()> {
        let why = "a Limiter is neither pickled nor copied: make one in each process, with limiter='file:PATH' to share it";
        Err(PyTypeError::new_err(why))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.own.as_ref().map_or(Ok(()), |own| own.traverse(&visit))
    }

    fn __clear__(&self) {
        // Dropped when the lock is free: the end of a limiter of the program's own may run code that uses this one.
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(open);
    }
}

impl Limiter {
    /// The limiter of a client: one by name, or an object of the program's own.
    pub(crate) fn opened(
        py: Python<'_>,
        mut settings: Settings,
        limiter: Option<&Bound<'_, PyAny>>,
        parts: &Parts,
    ) -> PyResult<Self> {
        let clock = parts.clock();
        let own = match limiter {
            None => None,
            Some(place) if place.is_instance_of::<PyString>() => {
                settings::give(&mut settings, "limiter", place)?;
                None
            }
            Some(own) => {
                settings::refuse(py, &settings, &settings::OF_THE_LIMITER, "a limiter of this package")?;
                Some(Arc::new(PyLimiter::new(own, Arc::clone(&clock))?))
            }
        };
        let limiter = Limiter { settings, own, clock, clock_id: parts.clock_id(), open: Mutex::new(None) };
        limiter.here(py)?;
        Ok(limiter)
    }

    /// The limiter of this process. What a fork has brought here is opened anew, and neither used nor closed.
    pub(crate) fn here(&self, py: Python<'_>) -> PyResult<Arc<dyn plugin::Limiter>> {
        if let Some(limiter) = self.open_here() {
            return Ok(limiter);
        }
        let limiter: Arc<dyn plugin::Limiter> = match &self.own {
            Some(own) => own.clone(),
            None => blocking(py, None, || Ok(Arc::from(activity_status_backends::limiter(&self.settings)?)))?,
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match &*open {
            // Another thread was faster.
            Some(other) if other.process == process::id() => Ok(Arc::clone(&other.limiter)),
            _ => {
                let ours = Open { limiter: Arc::clone(&limiter), process: process::id() };
                mem::forget(open.replace(ours));
                Ok(limiter)
            }
        }
    }

    /// Refuses to be the limiter of a client that says otherwise, or that goes by another time.
    pub(crate) fn check_for(&self, py: Python<'_>, settings: &Settings, parts: &Parts) -> PyResult<()> {
        let refused = |what: &str| Err(errors::new(py, ErrorKind::Config, what));
        let quota = |text: Option<&str>| text.map_or(Ok(Quota::default()), str::parse).ok();
        let differs = |name: &&&str| {
            settings.get(name).is_some_and(|value| match **name {
                "quota" => quota(Some(value)) != quota(self.settings.get(name)),
                _ => self.settings.get(name) != Some(value),
            })
        };
        if let Some(name) = settings::OF_THE_LIMITER.iter().find(differs) {
            return refused(&format!(
                "{name} is another one than that of the limiter that is given; nothing was sent"
            ));
        }
        match parts.clock_id() == self.clock_id {
            true => Ok(()),
            false => refused(
                "the limiter goes by another clock than the client: give both the same; nothing was sent",
            ),
        }
    }

    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// What it was made by, for those settings of a client that it shares.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name)
    }

    /// Asks again and again, as told, and gives the place up if it is left.
    fn wait_for(
        &self,
        limiter: &dyn plugin::Limiter,
        class: CallClass,
        timeout: Duration,
        cancel: Option<&CancelToken>,
    ) -> Result<plugin::Permit, NoLeave> {
        let until = self.clock.now().saturating_add(timeout);
        let is_cancelled = || cancel.is_some_and(|token| token.canceller().is_cancelled());
        let mut again_at = Duration::ZERO;
        loop {
            if is_cancelled() {
                limiter.leave();
                return Err(NoLeave::Interrupted);
            }
            let now = self.clock.now();
            if now >= again_at {
                match limiter.try_acquire(class, &*self.clock).map_err(NoLeave::Limiter)? {
                    Acquired::Granted(permit) => return Ok(permit),
                    Acquired::RetryAfter(wait) => {
                        again_at = now.saturating_add(wait.max(Duration::from_millis(1)))
                    }
                }
            }
            if again_at > until {
                limiter.leave();
                return Err(NoLeave::Late);
            }
            // Who may be cancelled looks so often.
            let longest = if cancel.is_some() { SLICE } else { Duration::MAX };
            if self.clock.sleep(again_at.saturating_sub(now).min(longest)).is_err() {
                limiter.leave();
                return Err(NoLeave::Interrupted);
            }
        }
    }

    /// An exception keeps this permit from being handed out, so nothing is sent with it.
    fn give_back(&self, py: Python<'_>, limiter: &dyn plugin::Limiter, permit: plugin::Permit) {
        // What it raises besides gives way to the exception that there is.
        if let Ok((Err(trouble), _)) = detached(py, || limiter.settle(permit, How::NotSent, &*self.clock)) {
            crate::limiter::report(&trouble);
        }
    }

    fn open_here(&self) -> Option<Arc<dyn plugin::Limiter>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_ref().filter(|open| open.process == process::id())?;
        Some(Arc::clone(&open.limiter))
    }

    fn asked<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce() -> Result<T, plugin::LimiterError> + Send,
    ) -> PyResult<T> {
        let (answer, raised) = detached(py, question)?;
        raised.map_or(Ok(()), Err)?;
        answer.map_err(|trouble| errors::of_limiter(py, &trouble))
    }
}

/// Why there is no leave.
enum NoLeave {
    Limiter(plugin::LimiterError),
    Late,
    Interrupted,
}

/// Leave to make one call, from Limiter.acquire. Settle it once, when its answer has begun to come; as a context manager
/// it is settled at the end: as answered, or, if an exception leaves the block, as in doubt. One that is dropped is in doubt.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Permit {
    limiter: Py<Limiter>,
    /// Until it is settled.
    number: Mutex<Option<plugin::Permit>>,
    process: u32,
}

#[pymethods]
impl Permit {
    /// Tells what became of the call: "answered", "refused" (429; retry_after is the server's advice in seconds),
    /// "not_sent" (it does not count) or "in_doubt". Only the first time counts.
    #[pyo3(signature = (how="answered", retry_after=None))]
    fn settle(&self, py: Python<'_>, how: &str, retry_after: Option<f64>) -> PyResult<()> {
        let how = Settlement::new(how, retry_after)?.plain();
        let Some(number) = self.take() else { return Ok(()) };
        let limiter = self.limiter.get();
        let here = limiter.here(py)?;
        limiter.asked(py, || here.settle(number, how, &*limiter.clock))
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
    ) -> PyResult<()> {
        let _ = (exc_value, traceback);
        self.settle(py, if exc_type.is_some() { "in_doubt" } else { "answered" }, None)
    }

    fn __repr__(&self) -> &'static str {
        match *self.number.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(_) => "<Permit>",
            None => "<Permit settled>",
        }
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Permit is leave for one call, and neither pickled nor copied"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.limiter)
    }
}

impl Permit {
    /// The permit, if it is to be settled, here and now. A fork's copy never is: the call is the other process's.
    fn take(&self) -> Option<plugin::Permit> {
        let number = self.number.lock().unwrap_or_else(PoisonError::into_inner).take();
        number.filter(|_| self.process == process::id())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let limiter = self.limiter.get();
        if let Some(number) = self.take()
            && let Some(here) = limiter.open_here()
            && let Err(trouble) = here.settle(number, How::InDoubt, &*limiter.clock)
        {
            crate::limiter::report(&trouble);
        }
    }
}

fn class(word: &str) -> PyResult<CallClass> {
    match word {
        "submit" => Ok(CallClass::Submit),
        "poll" => Ok(CallClass::Poll),
        "other" => Ok(CallClass::Other),
        _ => Err(PyValueError::new_err(format!("a call_class is submit, poll or other, not {word:?}"))),
    }
}
