use std::time::Duration;

use super::Quota;

/// Spreads calls evenly over the quota's window. By itself that is worth a factor of seven against bursts: a question asked
/// now teaches more if the one before was not asked just now, too.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    quota: Quota,
    last: Option<f64>,
    before: Option<f64>,
}

impl Pace {
    pub(super) fn new(quota: Quota) -> Self {
        Pace { quota, last: None, before: None }
    }

    /// Seconds from one call to the next if the quota is used evenly.
    pub(super) fn gap(&self) -> f64 {
        (self.quota.window().as_secs_f64() / f64::from(self.quota.calls().max(1))).max(1e-6)
    }

    pub(super) fn window(&self) -> f64 {
        self.quota.window().as_secs_f64()
    }

    /// More calls in flight than the quota has make no sense: the limiter would let none of them go.
    pub(super) fn most_in_flight(&self) -> usize {
        self.quota.calls().max(1) as usize
    }

    pub(super) fn due(&self) -> f64 {
        self.last.map_or(0.0, |last| last + self.gap())
    }

    pub(super) fn called(&mut self, now: f64) {
        self.before = self.last.replace(now);
    }

    /// The last call was not made after all.
    pub(super) fn not_called(&mut self) {
        self.last = self.before;
    }
}

/// A wait of so many seconds: never zero, so that nobody spins, and never so long that a float cannot be a time.
pub(super) fn wait(seconds: f64) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_secs(3600);
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)
}
