use std::time::Duration;

/// What the margin is estimated from.
///
/// A margin is safe if it is no more than the least delay there and the least delay back. Nobody sees those two; the
/// least round trip is a little above their sum. How far above, the gap to the fifth least tells; three times the gap lets
/// through fewer than one refusal in 100,000 calls wherever it was tried (`tests/quota.rs`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RoundTrips {
    pub(super) answers: u32,
    /// Those whose round trip is known.
    pub(super) measured: u32,
    /// In order.
    pub(super) least: [Duration; 5],
    pub(super) careful_until: Duration,
}

/// Fewer answers than these tell nothing, nor do fewer with a known round trip.
const ENOUGH: u32 = 25;
const ENOUGH_MEASURED: u32 = 15;

/// So many windows after a refusal the margin is zero.
pub(super) const CAREFUL: u32 = 12;

impl RoundTrips {
    pub(super) fn add(&mut self, trip: Duration) {
        let place = self.seen().partition_point(|other| *other <= trip);
        if place < self.least.len() {
            self.least[place..].rotate_right(1);
            self.least[place] = trip;
        }
        self.measured = self.measured.saturating_add(1);
        self.add_unmeasured();
    }

    /// A call had to connect first, so that its time is no round trip.
    pub(super) fn add_unmeasured(&mut self) {
        self.answers = self.answers.saturating_add(1);
    }

    fn are_enough(&self) -> bool {
        self.answers >= ENOUGH && self.measured >= ENOUGH_MEASURED
    }

    /// The least ones, as far as there are so many.
    pub(super) fn seen(&self) -> &[Duration] {
        &self.least[..self.least.len().min(self.measured as usize)]
    }

    /// No answer has come sooner after its call.
    pub(super) fn soonest(&self) -> Duration {
        if self.are_enough() { self.least[0] } else { Duration::ZERO }
    }

    pub(super) fn margin(&self, now: Duration) -> Duration {
        if !self.are_enough() || now < self.careful_until {
            return Duration::ZERO;
        }
        let (first, fifth) = (self.least[0], self.least[4]);
        first.saturating_sub((fifth - first) * 3)
    }
}
