use std::collections::VecDeque;
use std::time::Duration;

use crate::plugin::Eta;
use crate::{Error, JobStatus, Outcome};

/// How far a wait for many jobs is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Jobs that were added.
    pub total: u64,
    /// Of these, the ones that are settled: succeeded or failed.
    pub settled: u64,
    /// Of the settled ones, those that failed.
    pub failed: u64,
    /// Jobs that ended with an error in place of a status: they cannot be followed, or the time ran out.
    pub errors: u64,
    /// Jobs that settled in a second of late; 0 as long as fewer than two have.
    pub rate: f64,
    /// When all will be known, as far as anything tells.
    pub eta: Option<Eta>,
}

impl Progress {
    /// Jobs that have not ended.
    pub fn open(&self) -> u64 {
        self.total - self.settled - self.errors
    }
}

/// Counts what a [`Progress`] tells.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) total: u64,
    settled: u64,
    failed: u64,
    errors: u64,
    /// When the last few settled.
    recent: VecDeque<Duration>,
}

/// The rate is taken over so many settled jobs.
const RECENT: usize = 32;

impl Tally {
    pub(crate) fn end(&mut self, now: Duration, outcome: &Result<JobStatus, Error>) {
        let Ok(status) = outcome else {
            self.errors += 1;
            return;
        };
        self.settled += 1;
        self.failed += u64::from(status.outcome() == Outcome::Failed);
        self.recent.push_back(now);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    pub(crate) fn progress(&self, now: Duration, eta: Option<Eta>) -> Progress {
        let since_first = self.recent.front().map_or(0.0, |first| now.saturating_sub(*first).as_secs_f64());
        let gaps = self.recent.len().saturating_sub(1) as f64;
        Progress {
            total: self.total,
            settled: self.settled,
            failed: self.failed,
            errors: self.errors,
            rate: if since_first > 0.0 { gaps / since_first } else { 0.0 },
            eta,
        }
    }
}
