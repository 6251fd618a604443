use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where the client gets the time from, and how it waits.
///
/// The one seam for tests (virtual time), for Ctrl-C and for cancellation: a clock whose [`sleep`](Clock::sleep)
/// answers [`Interrupted`] ends whatever waits on it with an error of kind
/// [`Interrupted`](crate::ErrorKind::Interrupted).
pub trait Clock: Send + Sync {
    /// Time since a fixed, arbitrary moment. It never goes back.
    fn now(&self) -> Duration;

    /// Time since the Unix epoch (UTC), as the machine believes it. It may jump.
    fn wall(&self) -> Duration;

    /// Blocks the calling thread for `duration`.
    ///
    /// # Errors
    /// [`Interrupted`] if the wait was cut short and the caller must give up.
    fn sleep(&self, duration: Duration) -> Result<(), Interrupted>;
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> Duration {
        (**self).now()
    }
    fn wall(&self) -> Duration {
        (**self).wall()
    }
    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        (**self).sleep(duration)
    }
}

/// A wait was cut short: by a signal, a cancellation, the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the wait was interrupted")
    }
}

impl std::error::Error for Interrupted {}
