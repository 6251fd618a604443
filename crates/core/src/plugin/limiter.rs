use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Clock;

/// Keeps the account's quota: every HTTP attempt asks it for leave first.
///
/// The client does the waiting, the limiter only computes: it answers with a *wait*, never an instant, so that a
/// limiter whose state lives elsewhere (a file, a server) can keep that place's clock.
///
/// The contract: at most the quota's number of calls reach the vendor in any window; waiting as told is enough
/// to make progress; a permit is settled exactly once. A thread waits for one call at a time, and asks again itself: so a
/// limiter can know who came first. A settlement may come on another thread. All clients that share a limiter
/// must share the origin of their clocks, as all [`SystemClock`](crate::builtin::SystemClock)s of a process do.
pub trait Limiter: Send + Sync {
    /// Asks for leave to send one call now.
    ///
    /// # Errors
    /// [`LimiterError`] if the limiter cannot tell (its store is gone, say). The call is then not sent.
    fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError>;

    /// The calling thread was told to wait, and has given up. A limiter that keeps no order has nothing to do.
    fn leave(&self) {}

    /// Tells what became of a permit, at the moment it is known: for an answered call that is when its *head*
    /// arrived.
    ///
    /// # Errors
    /// [`LimiterError`] if it could not be recorded. The limiter must then err on the side of too few calls.
    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError>;

    /// After which time a permit that was not settled ends by itself. A client whose calls may take longer is not built.
    /// `None` if it never does.
    fn longest_call(&self) -> Option<Duration> {
        None
    }

    /// How the quota stands. `None` from a limiter that does not say.
    ///
    /// # Errors
    /// [`LimiterError`] if the limiter cannot tell.
    fn snapshot(&self, _clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
        Ok(None)
    }
}

macro_rules! forward {
    ($pointer:ident) => {
        impl<T: Limiter + ?Sized> Limiter for $pointer<T> {
            fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
                (**self).try_acquire(class, clock)
            }
            fn leave(&self) {
                (**self).leave();
            }
            fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
                (**self).settle(permit, how, clock)
            }
            fn longest_call(&self) -> Option<Duration> {
                (**self).longest_call()
            }
            fn snapshot(&self, clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
                (**self).snapshot(clock)
            }
        }
    };
}

forward!(Arc);
forward!(Box);

/// What a call is for, so that a limiter can share one quota between kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallClass {
    /// Sends a job.
    Submit,
    /// Asks how a job went.
    Poll,
    /// Anything else, such as the queue's metrics.
    Other,
}

/// Leave to send one call. The number is the limiter's own; it means nothing to anyone else.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Permit(pub u64);

/// A limiter's answer: now, or how long to wait before asking again.
#[derive(Debug, PartialEq, Eq)]
pub enum Acquired {
    /// Send now, and settle this permit afterwards.
    Granted(Permit),
    /// Not before this much time has passed. Never zero.
    RetryAfter(Duration),
}

/// What became of a call that had a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settlement {
    /// The head of an answer has just arrived.
    Answered,
    /// The same, of a call that needed a new connection first: the time since its permit is more than a round trip.
    AnsweredOnNewConnection,
    /// The answer was a refusal (429), with the server's advice when to come back if it gave any.
    Refused {
        /// The `Retry-After` of the answer.
        retry_after: Option<Duration>,
    },
    /// It certainly never left: it does not count.
    NotSent,
    /// No answer came; the call may still arrive.
    InDoubt,
}

/// How a quota stands, for all who share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Slots of calls that count at this moment: in flight, or answered less than a window ago.
    pub used: u32,
    /// Slots that are free. Some may be kept for those who wait.
    pub free: u32,
    /// The least time that a call which came now would have to wait: zero if it could go at once.
    pub next_free_in: Duration,
    /// How many callers wait.
    pub waiting: u32,
    /// How many calls the vendor has refused (429) so far.
    pub refused: u64,
}

/// A limiter could not do its work.
#[derive(Debug)]
pub struct LimiterError {
    /// What happened and what to do, in a sentence without a full stop.
    pub message: String,
    /// What caused it, if that is an error of its own.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for LimiterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LimiterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
