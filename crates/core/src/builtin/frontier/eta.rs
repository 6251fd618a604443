use std::time::Duration;

use super::late::Straggler;
use crate::builtin::round_robin::eta;
use crate::plugin::Eta;

/// How the turns of a lane go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turns {
    /// Turns of foreign jobs before the first one of ours.
    ahead: f64,
    gap: f64,
    /// How many turns that was learned from.
    seen: f64,
    /// How long ago the last one ended.
    silence: f64,
}

/// A rate that was told and not seen may be off by a half.
const TOLD: f64 = 4.0;

impl Turns {
    /// The first turn of ours was said to end in so many seconds.
    pub(super) fn told(first: f64, gap: f64) -> Self {
        Turns { ahead: (first / gap - 1.0).max(0.0), gap, seen: TOLD, silence: 0.0 }
    }

    pub(super) fn seen(gap: f64, seen: f64, silence: f64) -> Self {
        Turns { ahead: 0.0, gap, seen, silence }
    }

    /// When so many jobs have had their turn and can have been asked about. If nothing happens for long, it may be as long again until
    /// something does.
    pub(super) fn eta(&self, jobs: usize, call_gap: f64) -> Option<Eta> {
        let least = jobs as f64 * call_gap;
        let Eta { remaining, uncertainty } = eta(self.ahead + jobs as f64, self.gap, self.seen, least)?;
        Some(Eta { remaining, uncertainty: uncertainty.max(seconds(self.silence)) })
    }
}

impl Straggler {
    /// It is known after the next retry that it can have had since it was last seen unfinished; or else, just as likely, after a
    /// later one. Past the last one it takes as long again, for all we know.
    pub(super) fn eta(&self, now: f64, ladder: &[f64]) -> Eta {
        let age = now - self.ended;
        let to_come = self.retries(ladder).filter(|(due, length)| due + length > self.seen - self.ended);
        let mut from_now = to_come.map(|(due, length)| (due + length / 2.0 - age).max(0.0));
        let next = from_now.next().unwrap_or(age);
        let later = from_now.next().unwrap_or(next + age);
        Eta { remaining: seconds(next), uncertainty: seconds(later - next) }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
