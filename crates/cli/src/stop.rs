use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::{Clock, Interrupted};

/// A flag that ends a running command: trigger it from a signal handler's thread, or wherever a wish to stop comes in.
///
/// It is the command's [`Clock`] at the same time, so that every wait ends the moment it is triggered. Clones share
/// one flag, which stays set.
///
/// ```
/// use activity_status::plugin::Clock;
/// use activity_status_cli::Stop;
/// use std::time::Duration;
///
/// let stop = Stop::new();
/// let other = stop.clone();
/// std::thread::spawn(move || other.trigger());
/// assert!(stop.sleep(Duration::from_secs(3600)).is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stop {
    clock: SystemClock,
    flag: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// One that has not been triggered.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Ends every wait, now and from now on. It takes a lock, so it may be called from any thread but not from
    /// inside a Unix signal handler.
    pub fn trigger(&self) {
        *self.triggered() = true;
        self.flag.1.notify_all();
    }

    /// Whether it has been triggered.
    pub fn is_triggered(&self) -> bool {
        *self.triggered()
    }

    fn triggered(&self) -> MutexGuard<'_, bool> {
        self.flag.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Stop {
    fn now(&self) -> Duration {
        self.clock.now()
    }

    fn wall(&self) -> Duration {
        self.clock.wall()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        let waited = self.flag.1.wait_timeout_while(self.triggered(), duration, |triggered| !*triggered);
        let (triggered, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *triggered { Err(Interrupted) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_lasts_as_long_as_asked_and_ends_when_triggered() {
        let stop = Stop::new();
        let began = stop.now();
        assert_eq!(stop.sleep(Duration::from_millis(20)), Ok(()));
        assert!(stop.now() - began >= Duration::from_millis(20));
        stop.clone().trigger();
        assert!(stop.is_triggered());
        assert_eq!(stop.sleep(Duration::from_secs(3600)), Err(Interrupted));
        assert_eq!(stop.sleep(Duration::ZERO), Err(Interrupted));
    }
}
