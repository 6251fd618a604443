//! The one place that asks the machine for the time, and that sleeps.
#![expect(clippy::disallowed_methods, reason = "this is the allowed place")]

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::plugin::{Clock, Interrupted};

/// The machine's own clock. Its sleeps cannot be interrupted.
///
/// All of a process tell the same time, so that clients with clocks of their own can share a limiter.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The moment that all of them count from.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl SystemClock {
    /// The clock.
    pub const fn new() -> Self {
        SystemClock
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        ORIGIN.elapsed()
    }

    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        std::thread::sleep(duration);
        Ok(())
    }

    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        std::thread::park_timeout(duration);
        Ok(())
    }
}
