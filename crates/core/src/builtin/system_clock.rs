//! The one place that asks the machine for the time, and that sleeps.
#![expect(clippy::disallowed_methods, reason = "this is the allowed place")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::plugin::{Clock, Interrupted};

/// The machine's own clock. Its sleeps cannot be interrupted.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose [`now`](Clock::now) counts from this moment.
    pub fn new() -> Self {
        SystemClock { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        std::thread::sleep(duration);
        Ok(())
    }
}
