use serde::Serialize;

/// What happened, counted: for tests, and for whoever wants to know whether a client behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Book {
    /// Calls that asked to submit a job, whatever came of them.
    pub submit_calls: u64,
    /// Calls that asked how a job went.
    pub status_calls: u64,
    /// Calls that asked for the queue's metrics.
    pub metrics_calls: u64,
    /// Calls to a path that is none of the vendor's. They do not count in the quota.
    pub unknown_paths: u64,
    /// Calls refused because the quota was used up (429).
    pub refused: u64,
    /// Calls with missing or wrong keys (401).
    pub unauthorized: u64,
    /// Calls that were not as specified (400).
    pub bad_requests: u64,
    /// Questions about a job that is not known.
    pub unknown_ids: u64,
    /// Calls that met a planned or drawn fault.
    pub faults: u64,
    /// Jobs that came into the queue.
    pub accepted: u64,
    /// Of these, how many had been submitted before: same operation, same query, same text.
    pub duplicates: u64,
    /// Jobs of which nothing more will become.
    pub settled: u64,
    /// Of these, how many succeeded.
    pub succeeded: u64,
    /// The most calls judged in any one window of the quota, refused ones included.
    pub busiest_window: u64,
}

impl Book {
    /// Calls to the vendor's paths.
    pub fn calls(&self) -> u64 {
        self.submit_calls + self.status_calls + self.metrics_calls
    }

    /// Jobs that settled without success.
    pub fn failed(&self) -> u64 {
        self.settled - self.succeeded
    }
}
