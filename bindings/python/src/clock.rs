use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::{Clock, Interrupted};

use crate::signals::{SLICE, arrived, watched};

/// The machine's clock, whose sleeps end when a signal's handler raises.
pub(crate) struct SignalClock(pub(crate) SystemClock);

impl Clock for SignalClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn wall(&self) -> Duration {
        self.0.wall()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        if !watched() {
            return self.0.sleep(duration);
        }
        let until = self.now().saturating_add(duration);
        loop {
            if arrived() {
                return Err(Interrupted);
            }
            match until.saturating_sub(self.now()) {
                Duration::ZERO => return Ok(()),
                left => self.0.sleep(left.min(SLICE))?,
            }
        }
    }
}
