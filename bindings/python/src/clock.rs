use std::sync::Arc;
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::{self, Interrupted};
use pyo3::prelude::*;

use crate::signals::{arrived, slice};

/// The time by which a client goes.
#[pyclass(frozen, module = "activity_status")]
pub(crate) struct Clock(pub(crate) Arc<dyn plugin::Clock>);

#[pymethods]
impl Clock {
    /// Seconds since a fixed, arbitrary moment. It never goes back; a float tells nanoseconds for a hundred days.
    fn now(&self) -> f64 {
        self.0.now().as_secs_f64()
    }
}

/// The machine's clock, whose sleeps end when a signal's handler raises.
pub(crate) struct SignalClock(pub(crate) SystemClock);

impl plugin::Clock for SignalClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn wall(&self) -> Duration {
        self.0.wall()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        let until = self.now().saturating_add(duration);
        loop {
            if arrived() {
                return Err(Interrupted);
            }
            match until.saturating_sub(self.now()) {
                Duration::ZERO => return Ok(()),
                left => self.0.sleep(left.min(slice()))?,
            }
        }
    }

    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        let until = self.now().saturating_add(duration);
        loop {
            if arrived() {
                return Err(Interrupted);
            }
            let end = until.min(self.now().saturating_add(slice()));
            self.0.park(end.saturating_sub(self.now()))?;
            let was_unparked = self.now() < end;
            if was_unparked || end == until {
                return Ok(());
            }
        }
    }
}
