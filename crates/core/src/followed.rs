use std::collections::btree_map::Entry::Vacant;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::plugin::JobKey;
use crate::{Error, Job, JobStatus, Operation, RequestId};

/// The jobs that a tracker follows, by the schedule's key and by their names.
#[derive(Default)]
pub(crate) struct Followed {
    pub(crate) lanes: Vec<Lane>,
    lane_of: HashMap<Operation, usize>,
    /// In the order in which they were added, if the schedule counts.
    pub(crate) open: BTreeMap<JobKey, Open>,
    keys: HashMap<(usize, RequestId), JobKey>,
    added: u64,
}

/// One operation, and its queue at the vendor's.
pub(crate) struct Lane {
    pub(crate) operation: Operation,
    pub(crate) metrics: Metrics,
}

/// The one question about the queue itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metrics {
    /// Not asked: it does not pay yet.
    Idle,
    Due,
    Asked,
}

/// A job that has not ended, and what is known of it.
pub(crate) struct Open {
    pub(crate) lane: usize,
    pub(crate) id: RequestId,
    pub(crate) submitted_at: Option<Duration>,
    pub(crate) added_at: Duration,
    /// Differs for each job that was ever added, whatever keys the schedule gives.
    pub(crate) number: u64,
    pub(crate) in_flight: bool,
    pub(crate) looks: u32,
    pub(crate) asked_at: Duration,
    pub(crate) last: Option<Box<JobStatus>>,
    /// Why the last look brought no answer.
    pub(crate) trouble: Option<Error>,
}

impl Followed {
    /// The number of the operation's lane.
    pub(crate) fn lane(&mut self, operation: &Operation) -> usize {
        if let Some(lane) = self.lane_of.get(operation) {
            return *lane;
        }
        self.lanes.push(Lane { operation: operation.clone(), metrics: Metrics::Idle });
        self.lane_of.insert(operation.clone(), self.lanes.len() - 1);
        self.lanes.len() - 1
    }

    /// Follows one more job by this key; `false` if another one has the key or the name.
    pub(crate) fn add(&mut self, key: JobKey, lane: usize, job: &Job, now: Duration) -> bool {
        let Entry::Vacant(name) = self.keys.entry((lane, job.id.clone())) else { return false };
        let Vacant(place) = self.open.entry(key) else { return false };
        name.insert(key);
        self.added += 1;
        place.insert(Open {
            lane,
            id: job.id.clone(),
            submitted_at: job.submitted_at,
            added_at: now,
            number: self.added,
            in_flight: false,
            looks: 0,
            asked_at: Duration::ZERO,
            last: None,
            trouble: None,
        });
        true
    }

    /// Follows it no more.
    pub(crate) fn remove(&mut self, key: JobKey) -> Option<Open> {
        let open = self.open.remove(&key)?;
        self.keys.remove(&(open.lane, open.id.clone()));
        Some(open)
    }

    pub(crate) fn key_of(&self, job: &Job) -> Option<JobKey> {
        let lane = *self.lane_of.get(&job.operation)?;
        self.keys.get(&(lane, job.id.clone())).copied()
    }

    /// What is known of a job, if it has not ended.
    pub(crate) fn find(&self, job: &Job) -> Option<&Open> {
        self.open.get(&self.key_of(job)?)
    }

    /// The job as it was added.
    pub(crate) fn job(&self, open: &Open) -> Job {
        let operation = self.lanes[open.lane].operation.clone();
        Job { operation, id: open.id.clone(), submitted_at: open.submitted_at }
    }
}

#[cfg(test)]
impl Followed {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.keys.is_empty()
    }
}
