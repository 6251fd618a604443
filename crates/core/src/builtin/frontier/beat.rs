/// Batches: completions that come at a beat, such as once a minute, and nothing between them. Before the next one calls are saved,
/// so that there are enough of them when it comes.
#[derive(Debug, Clone)]
pub(super) struct Beat {
    /// So long before a beat calls count that are made at it.
    window: f64,
    /// From one call to the next if the window is used evenly.
    call_gap: f64,
    /// The first one at this period, and the last one.
    first: f64,
    began: f64,
    /// The mean of them all: that of one alone would follow our own delays.
    period: f64,
    /// How often in a row the period was the same.
    same: u32,
    last: f64,
    /// Would there be too few calls at the beat?
    saves: bool,
}

/// As often as that the same period is no chance.
const SURE: u32 = 2;

/// A beat comes at its time to a second or so.
pub(super) const SCATTER: f64 = 1.0;

impl Beat {
    pub(super) fn new(window: f64, call_gap: f64) -> Self {
        Beat { window, call_gap, first: 0.0, began: 0.0, period: 0.0, same: 0, last: 0.0, saves: false }
    }

    /// A look sent at that time found the next completion. Their mean gap tells which silence is no chance.
    pub(super) fn hit(&mut self, sent: f64, mean_gap: f64) {
        let silence = sent - self.last;
        self.last = sent;
        if silence < (2.0 * self.window).max(8.0 * mean_gap) {
            return;
        }
        let is_same = (sent - self.began - self.period).abs() < (2.0 * self.call_gap).max(SCATTER);
        (self.first, self.same) = if is_same { (self.first, self.same + 1) } else { (self.began, 0) };
        self.period = (sent - self.first) / f64::from(self.same + 1);
        self.began = sent;
    }

    /// In the silence before the next beat, looks pay so often.
    pub(super) fn looks_come_each(&mut self, seconds: f64) {
        self.saves = seconds < 2.0 * self.call_gap;
    }

    /// Is a beat so near that calls are saved for it?
    pub(super) fn is_near(&self, now: f64) -> bool {
        self.saves && self.is_now(now + self.window)
    }

    /// Is there one at this time, as likely as not?
    pub(super) fn is_now(&self, now: f64) -> bool {
        self.next().is_some_and(|next| (next..next + self.window).contains(&now))
    }

    /// When to look again. Until then nothing happens, for all we know.
    pub(super) fn next(&self) -> Option<f64> {
        (self.same >= SURE).then_some(self.began + self.period - self.call_gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_saved_before_the_fourth_beat_and_only_where_they_would_be_missing() {
        let mut beat = Beat::new(5.0, 0.2);
        beat.looks_come_each(0.3);
        for minute in 1..=4 {
            assert!(beat.next().is_none(), "not yet at {minute}");
            (0..25).for_each(|job| beat.hit(1000.0 + f64::from(minute) * 60.0 + f64::from(job) * 0.1, 0.5));
        }
        assert!((beat.next().unwrap() - 1299.8).abs() < 1e-9);
        let near = [1294.7, 1294.9, 1299.7, 1299.9].map(|now| beat.is_near(now));
        assert_eq!(near, [false, true, true, false]);
        let now = [1299.7, 1299.9, 1304.7, 1304.9].map(|now| beat.is_now(now));
        assert_eq!(now, [false, true, true, false]);
        beat.looks_come_each(1.0);
        assert!(!beat.is_near(1299.0) && beat.is_now(1300.0));
        beat.hit(1330.0, 20.0);
        assert!(beat.next().is_some(), "so short a silence may be chance");
        beat.hit(1360.0, 0.5);
        assert!(beat.next().is_none(), "it was none");
    }
}
