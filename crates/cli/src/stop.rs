use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
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
    flag: Arc<(Mutex<Flag>, Condvar)>,
}

#[derive(Debug, Default)]
struct Flag {
    is_set: bool,
    /// Who must be unparked when it is set.
    parked: Vec<Thread>,
}

impl Stop {
    /// One that has not been triggered.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Ends every wait, now and from now on. It takes a lock, so it may be called from any thread but not from
    /// inside a Unix signal handler.
    pub fn trigger(&self) {
        let mut flag = self.flag();
        flag.is_set = true;
        flag.parked.drain(..).for_each(|thread| thread.unpark());
        self.flag.1.notify_all();
    }

    /// Whether it has been triggered.
    pub fn is_triggered(&self) -> bool {
        self.flag().is_set
    }

    fn flag(&self) -> MutexGuard<'_, Flag> {
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
        let waited = self.flag.1.wait_timeout_while(self.flag(), duration, |flag| !flag.is_set);
        let (flag, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if flag.is_set { Err(Interrupted) } else { Ok(()) }
    }

    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        let me = std::thread::current();
        let mut flag = self.flag();
        if flag.is_set {
            return Err(Interrupted);
        }
        flag.parked.push(me.clone());
        drop(flag);
        // Whoever triggers it from here on unparks this thread, so that this returns at once.
        self.clock.park(duration)?;
        let mut flag = self.flag();
        flag.parked.retain(|thread| thread.id() != me.id());
        if flag.is_set { Err(Interrupted) } else { Ok(()) }
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
        assert_eq!(stop.park(Duration::ZERO), Ok(()));
        assert!(stop.flag().parked.is_empty());
        stop.clone().trigger();
        assert!(stop.is_triggered());
        assert_eq!(stop.sleep(Duration::from_secs(3600)), Err(Interrupted));
        assert_eq!(stop.sleep(Duration::ZERO), Err(Interrupted));
        assert_eq!(stop.park(Duration::from_secs(3600)), Err(Interrupted));
    }

    #[test]
    fn who_is_parked_wakes_for_an_unpark_and_for_the_wish_to_stop() {
        let stop = Stop::new();
        let (tell, told) = std::sync::mpsc::channel();
        let parking = stop.clone();
        let parked = std::thread::spawn(move || {
            loop {
                let woke = parking.park(Duration::from_secs(3600));
                let _ = tell.send(woke);
                if woke.is_err() {
                    return;
                }
            }
        });
        let long = Duration::from_secs(60);
        let until_it_parks = || {
            while stop.flag().parked.is_empty() {
                std::thread::yield_now();
            }
        };
        until_it_parks();
        parked.thread().unpark();
        assert_eq!(told.recv_timeout(long), Ok(Ok(())));
        until_it_parks();
        stop.trigger();
        let mut wakes = std::iter::from_fn(|| told.recv_timeout(long).ok());
        assert!(wakes.any(|woke| woke == Err(Interrupted)), "it sleeps on");
        assert!(stop.flag().parked.is_empty());
    }
}
