use std::fmt;
use std::io;
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

    /// Blocks the calling thread for `duration` at most, and not much longer than until it is
    /// [unparked](std::thread::Thread::unpark). It may return for no reason at all: whoever parks looks what there is to do.
    ///
    /// By default it sleeps for 10 ms at a time.
    ///
    /// # Errors
    /// [`Interrupted`] as of [`sleep`](Clock::sleep).
    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        self.sleep(duration.min(Duration::from_millis(10)))
    }

    /// Runs `work` on a thread of its own that lives in this time. Only a clock that is not the machine's has anything to add.
    ///
    /// # Errors
    /// The machine has no thread to spare; `work` was dropped.
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        std::thread::Builder::new().name("activity-status".to_owned()).spawn(work).map(drop)
    }
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
    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        (**self).park(duration)
    }
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        (**self).spawn(work)
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
