//! What ends an exchange before its time-outs do. It waits in slices, between which the sending thread asks.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use ureq::unversioned::transport::NextTimeout;

use crate::builtin::SystemClock;
use crate::plugin::Clock;

/// How long an exchange waits before it asks whether it is over.
pub(super) const SLICE: Duration = Duration::from_millis(25);

/// Whether an exchange is over: its call was cancelled, or the program says so.
#[derive(Clone, Default)]
pub(super) struct Interruption(Arc<OnceLock<Box<dyn Fn() -> bool + Send + Sync>>>);

impl Interruption {
    /// Besides the call's own cancellation. The first one stays.
    pub(super) fn also(&self, is_over: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(is_over));
    }

    /// An error that [`is_left`] knows, once the exchange of this thread is over.
    pub(super) fn check(&self) -> io::Result<()> {
        let cancelled = current().is_some_and(|exchange| exchange.cancelled.load(Ordering::SeqCst));
        if cancelled || self.0.get().is_some_and(|is_over| is_over()) {
            return Err(io::Error::other(Left));
        }
        Ok(())
    }

    /// Does what cannot be ended on a thread of its own. If nobody waits for it any more, it ends unheard.
    pub(super) fn aside<T: Send + 'static>(
        &self,
        timeout: NextTimeout,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ureq::Error> {
        let (tell, told) = sync_channel(1);
        thread::Builder::new().name("activity-status".to_owned()).spawn(move || tell.send(work()))?;
        let clock = SystemClock::new();
        let until = clock.now().saturating_add(*timeout.after);
        loop {
            let left = until.saturating_sub(clock.now());
            match told.recv_timeout(left.min(SLICE)) {
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Disconnected) => return Err(ureq::Error::ConnectionFailed),
                Err(RecvTimeoutError::Timeout) => self.check()?,
            }
            if left.is_zero() {
                return Err(ureq::Error::Timeout(timeout.reason));
            }
        }
    }
}

impl fmt::Debug for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interruption")
    }
}

/// Was an exchange left because it was over?
pub(super) fn is_left(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<Left>()))
}

#[derive(Debug)]
struct Left;

impl std::error::Error for Left {}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exchange was interrupted")
    }
}

/// The exchange that this thread makes while this is held. Whoever is asked between slices may make another one.
pub(super) struct Exchange {
    this: Rc<Current>,
    outer: Option<Rc<Current>>,
}

struct Current {
    cancelled: Arc<AtomicBool>,
    has_sent: Cell<bool>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Current>>> = const { RefCell::new(None) };
}

impl Exchange {
    pub(super) fn begin(cancelled: &Arc<AtomicBool>) -> Self {
        let this = Rc::new(Current { cancelled: Arc::clone(cancelled), has_sent: Cell::new(false) });
        Exchange { outer: CURRENT.replace(Some(Rc::clone(&this))), this }
    }

    /// Has any of the request left?
    pub(super) fn has_sent(&self) -> bool {
        self.this.has_sent.get()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
    }
}

/// Some of the request leaves now.
pub(super) fn sending() {
    if let Some(exchange) = current() {
        exchange.has_sent.set(true);
    }
}

fn current() -> Option<Rc<Current>> {
    CURRENT.with_borrow(Option::clone)
}
