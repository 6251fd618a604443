use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::Thread;
use std::time::Duration;

use crate::plugin::{Clock, Interrupted};
use crate::{Error, ErrorKind, Resend};

/// Ends calls and waits from outside: see [`Client::with_canceller`](crate::Client::with_canceller) and
/// [`WaitAll::canceller`](crate::WaitAll::canceller). There is no way back. All clones are one.
///
/// ```
/// use activity_status::{Canceller, Client, Credentials, Endpoint, ErrorKind, Operation, RequestId};
///
/// let client = Client::builder(Endpoint::INDIA, Credentials::new("your-api-key")?).build()?;
/// let canceller = Canceller::new();
/// let cancellable = client.with_canceller(&canceller);
/// canceller.cancel(); // from any thread
/// let error = cancellable.status(&Operation::ACTIVITY_CREATE, &RequestId::new("72003d66")?).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Interrupted);
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Canceller(Arc<Cancel>);

impl Default for Canceller {
    fn default() -> Self {
        Canceller::new()
    }
}

#[derive(Debug, Default)]
struct Cancel {
    asked: Arc<AtomicBool>,
    waiting: Mutex<Vec<Thread>>,
}

impl Canceller {
    /// Nothing is cancelled yet.
    pub fn new() -> Self {
        let canceller = Canceller(Arc::default());
        // On some systems a lock is allocated when it is first taken, which a signal handler must not do.
        canceller.with_list(|_| {});
        canceller
    }

    /// Ends what waits: at once, or, if the clock is not the system's, when its present sleep ends. What is on its way is left to
    /// itself, and counts against the quota.
    ///
    /// It takes no lock that it would have to wait for and allocates nothing, so a signal handler may call it.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let waiting = match self.0.waiting.try_lock() {
            Ok(waiting) => waiting,
            Err(TryLockError::Poisoned(waiting)) => waiting.into_inner(),
            // Whoever has the list looks afterwards whether it was cancelled meanwhile.
            Err(TryLockError::WouldBlock) => return,
        };
        waiting.iter().for_each(Thread::unpark);
    }

    /// Was it cancelled?
    pub fn is_cancelled(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Wakes all who wait, because of an answer say.
    pub(crate) fn wake(&self) {
        self.with_list(|waiting| waiting.iter().for_each(Thread::unpark));
    }

    pub(crate) fn flag(&self) -> &Arc<AtomicBool> {
        &self.0.asked
    }

    /// While this is held, the calling thread is among those who are woken.
    pub(crate) fn waiting(&self) -> Waiting<'_> {
        self.with_list(|waiting| waiting.push(std::thread::current()));
        Waiting(self)
    }

    fn with_list(&self, work: impl FnOnce(&mut Vec<Thread>)) {
        let list = || self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut list());
        fence(Ordering::SeqCst);
        if self.is_cancelled() {
            list().iter().for_each(Thread::unpark);
        }
    }
}

/// A thread that waits.
pub(crate) struct Waiting<'a>(&'a Canceller);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let me = std::thread::current().id();
        self.0.with_list(|waiting| {
            if let Some(place) = waiting.iter().position(|thread| thread.id() == me) {
                waiting.swap_remove(place);
            }
        });
    }
}

/// What ends one call: the time that it may take, and whoever may cancel it.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) deadline: Duration,
    pub(crate) canceller: Option<Canceller>,
}

impl Bounds {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.canceller.as_ref().is_some_and(Canceller::is_cancelled)
    }

    /// Was nothing cancelled so far?
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_cancelled() { Err(interrupted("the call was cancelled")) } else { Ok(()) }
    }

    /// Sleeps, unless it is cancelled.
    pub(crate) fn sleep(&self, clock: &dyn Clock, duration: Duration) -> Result<(), Error> {
        let Some(canceller) = &self.canceller else {
            return clock.sleep(duration).map_err(|Interrupted| interrupted("the wait was interrupted"));
        };
        let until = clock.now().saturating_add(duration);
        let _waiting = canceller.waiting();
        loop {
            self.check()?;
            let left = until.saturating_sub(clock.now());
            if left.is_zero() {
                return Ok(());
            }
            clock.park(left).map_err(|Interrupted| interrupted("the wait was interrupted"))?;
        }
    }
}

pub(crate) fn interrupted(message: &str) -> Error {
    Error::new(ErrorKind::Interrupted, Resend::Safe, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::SystemClock;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn all_who_wait_are_woken() {
        let canceller = Canceller::new();
        let bounds = Bounds { deadline: Duration::MAX, canceller: Some(canceller.clone()) };
        std::thread::scope(|scope| {
            let sleeper = || bounds.sleep(&SystemClock::new(), Duration::MAX).map_err(|error| error.kind());
            let sleepers: Vec<_> = (0..4).map(|_| scope.spawn(sleeper)).collect();
            while canceller.0.waiting.lock().unwrap().len() < 4 {
                std::thread::yield_now();
            }
            canceller.cancel();
            for sleeper in sleepers {
                assert_eq!(sleeper.join().unwrap(), Err(ErrorKind::Interrupted));
            }
        });
        assert!(canceller.0.waiting.lock().unwrap().is_empty());
    }

    #[test]
    fn whoever_has_the_list_wakes_the_others_if_the_canceller_could_not() {
        let canceller = Canceller::new();
        let bounds = Bounds { deadline: Duration::MAX, canceller: Some(canceller.clone()) };
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| bounds.sleep(&SystemClock::new(), Duration::MAX).is_err());
            while canceller.0.waiting.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            canceller.with_list(|_| canceller.cancel());
            assert!(sleeper.join().unwrap());
        });
    }

    #[test]
    fn an_answer_that_comes_while_another_wakes_is_heard_too() {
        let canceller = Canceller::new();
        let (answers, is_parked) = (AtomicU32::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let _waiting = canceller.waiting();
                while answers.load(Ordering::SeqCst) < 1 {
                    is_parked.store(true, Ordering::SeqCst);
                    std::thread::park();
                }
            });
            while !is_parked.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            // Somebody has the list, and has woken all who wait already.
            let list = canceller.0.waiting.lock().unwrap();
            let second = scope.spawn(|| {
                answers.store(1, Ordering::SeqCst);
                canceller.wake();
            });
            // Whoever does not wait for the list has given up by then.
            for _ in 0..10_000 {
                std::thread::yield_now();
            }
            drop(list);
            second.join().unwrap();
            waiter.join().unwrap();
        });
    }

    #[test]
    fn a_sleep_that_nobody_cancels_lasts_its_time() {
        let clock = crate::builtin::VirtualClock::new();
        let bounds = Bounds { deadline: Duration::MAX, canceller: Some(Canceller::new()) };
        bounds.sleep(&clock, Duration::from_secs(3600)).unwrap();
        assert_eq!(clock.now(), Duration::from_secs(3600));
    }
}
