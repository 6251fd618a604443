use std::sync::Arc;
use std::time::Duration;

use activity_status::conformance;
use activity_status::plugin::{self, Interrupted};
use pyo3::prelude::*;

use super::Trial;
use crate::clock::{Clock, PyClock};
use crate::signals::take_raised;
use crate::text::Time;

/// Puts a clock through the checks that ours go through: its time never goes back, a sleep lasts as long as it was told on
/// every thread, and the time of day passes. It takes half a second of the clock's time.
///
/// AssertionError says which check failed and what the clock did, and that the checks were not over within timeout seconds of
/// the machine's time; an exception that the clock raised is its cause.
#[pyfunction]
#[pyo3(signature = (clock, *, timeout=None), text_signature = "(clock, *, timeout=60.0)")]
pub(crate) fn check_clock(py: Python<'_>, clock: &Bound<'_, PyAny>, timeout: Option<Time>) -> PyResult<()> {
    let trial = Arc::<Trial>::default();
    let timeout = super::or_seconds(py, timeout, 60)?;
    if let Ok(native) = clock.cast::<Clock>() {
        let native = Arc::clone(&native.get().0);
        return trial.run(py, timeout, move || conformance::check_clock_alone(&native));
    }
    let own = Watched { trial: Arc::clone(&trial), clock: PyClock::new(clock)? };
    trial.run(py, timeout, move || conformance::check_clock_alone(&own))
}

/// A clock under test.
struct Watched {
    trial: Arc<Trial>,
    clock: PyClock,
}

impl Watched {
    fn asked<T>(&self, ask: impl FnOnce(&PyClock) -> T) -> T {
        let answer = ask(&self.clock);
        if let Some(error) = take_raised() {
            self.trial.stop(format!("it raised {error}"));
            self.trial.heard(error);
        }
        answer
    }
}

impl plugin::Clock for Watched {
    fn now(&self) -> Duration {
        self.asked(plugin::Clock::now)
    }

    fn wall(&self) -> Duration {
        self.asked(plugin::Clock::wall)
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        match self.trial.is_over() {
            true => Err(Interrupted),
            false => self.asked(|clock| plugin::Clock::sleep(clock, duration)),
        }
    }
}
