//! Whether the server's clock has been set.

use std::time::Duration;

/// The server's time less ours, in microseconds: it lies between these two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offset {
    least: i64,
    most: i64,
    /// When that was so, by our clock.
    at: Duration,
}

/// What two good clocks differ by in a second. A server's clock that is slewed faster counts as one that was set.
const DRIFT_PER_SECOND: i64 = 1_000;

/// Beyond drift, so much is let pass, in microseconds. With the drift of a window it is less than what a slot is held too long:
/// the way back of the answer.
const TOLERANCE: i64 = 1_000;

impl Offset {
    /// The server told its time between two moments of ours.
    pub(crate) fn seen(before: Duration, server: Duration, after: Duration) -> Self {
        Offset { least: micros(server) - micros(after), most: micros(server) - micros(before), at: after }
    }

    /// What is known after one more sight, or `None` if a clock was set in between: the server's, or ours stood still
    /// while the machine slept.
    pub(crate) fn narrowed(self, seen: Offset) -> Option<Offset> {
        let elapsed = micros(seen.at.abs_diff(self.at));
        let drift = elapsed.saturating_mul(DRIFT_PER_SECOND) / 1_000_000 + 1;
        let (least, most) = (self.least.saturating_sub(drift), self.most.saturating_add(drift));
        let was_set = seen.least > most + TOLERANCE || seen.most < least - TOLERANCE;
        // Clamped and not replaced, so that many small steps add up to one that is noticed.
        let at = seen.at.max(self.at);
        (!was_set).then(|| Offset {
            least: seen.least.clamp(least, most),
            most: seen.most.clamp(least, most),
            at,
        })
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sight at our second `at`, when the server's clock is `ahead` milliseconds before ours, after `way` there and back.
    fn sight(at: u64, ahead: u64, there: u64, back: u64) -> Offset {
        let sent = Duration::from_secs(at);
        let told = sent + Duration::from_millis(there + ahead);
        Offset::seen(sent, told, sent + Duration::from_millis(there + back))
    }

    fn all(sights: impl IntoIterator<Item = Offset>) -> Option<Offset> {
        let mut sights = sights.into_iter();
        let first = sights.next()?;
        sights.try_fold(first, Offset::narrowed)
    }

    #[test]
    fn slow_and_lopsided_ways_are_no_steps() {
        let ways = [(0, 0), (400, 0), (0, 400), (1, 1), (200, 300), (0, 1)];
        assert!(all((1..).zip(ways).map(|(at, (there, back))| sight(at, 5_000, there, back))).is_some());
    }

    #[test]
    fn a_step_is_noticed_either_way_if_it_is_longer_than_the_ways() {
        for (ahead, noticed) in
            [(5_003, false), (5_040, true), (4_997, false), (4_960, true), (90_000, true), (0, true)]
        {
            let known = all([sight(1, 5_000, 10, 10), sight(2, 5_000, 1, 1)]).unwrap();
            assert_eq!(known.narrowed(sight(3, ahead, 1, 1)).is_none(), noticed, "{ahead}");
        }
        // A slow way hides a step, and the next fast one shows it.
        let hidden = all([sight(1, 5_000, 1, 1), sight(2, 5_100, 50, 200)]).unwrap();
        assert!(hidden.narrowed(sight(3, 5_100, 1, 1)).is_none());
    }

    #[test]
    fn good_clocks_drift_for_hours_and_a_slewed_one_is_noticed() {
        let drifting = |parts_per_million: u64| {
            all((0..7200).map(|at| {
                let sent = Duration::from_secs(at);
                let told = sent + Duration::from_micros(200 + at * parts_per_million);
                Offset::seen(sent, told, sent + Duration::from_micros(400))
            }))
        };
        assert!(drifting(0).is_some() && drifting(500).is_some());
        assert!(drifting(5_000).is_none());
        // A tenth of a millisecond ahead at each of many sights in one second.
        let crept = (0..1000).map(|n| {
            let sent = Duration::from_millis(n);
            Offset::seen(sent, sent + Duration::from_micros(100 * n), sent + Duration::from_micros(50))
        });
        assert!(all(crept).is_none());
    }
}
