use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Fault, Planned, Quota};

/// How the sandbox behaves: plain data, everything with a default.
///
/// ```
/// use activity_status_sandbox::Settings;
///
/// let hasty = Settings { rate_per_minute: 400.0, seed: 7, ..Settings::default() };
/// assert_eq!(hasty.workers, 1);
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    /// What `x-api-key` must hold. `sandbox-api-key` by default.
    pub api_key: String,
    /// What a submit must give as its access key. `sandbox-access-key` by default.
    pub access_key: String,
    /// What a submit must give as its secret key. `sandbox-secret-key` by default.
    pub secret_key: String,

    /// How many jobs are processed in a minute by all workers together. 25 by default.
    pub rate_per_minute: f64,
    /// How many jobs are processed at the same time. 1 by default.
    pub workers: usize,
    /// How much processing times vary: 0, the default, is exactly regular, 1 is exponential.
    pub spread: f64,
    /// Which waiting job comes next. The oldest by default.
    pub order: Order,
    /// Jobs of other tenants arrive at random, at this share of the processing rate. None (0) by default.
    pub others: f64,
    /// How many jobs of other tenants wait in the queue when the first call comes. 0 by default.
    pub others_ahead: usize,
    /// When processing stands still: start and length of each outage. Calls are answered all the same.
    pub outages: Vec<(Duration, Duration)>,
    /// When all that is processed fails for a system reason: start and length of each spell.
    pub error_spells: Vec<(Duration, Duration)>,
    /// How long after each system failure a job is tried again: the vendor's ten steps by default.
    pub ladder: Vec<Duration>,
    /// How a retry is done when its time has come. In the queue by default.
    pub retries: Retries,

    /// How likely a job ends with an application error. 0 by default.
    pub application_errors: f64,
    /// How likely a job's first try fails for a system reason. 0 by default.
    pub system_errors: f64,
    /// How likely each retry fails again. One half by default.
    pub system_errors_again: f64,

    /// How long a call is under way to the vendor: least and most, evenly drawn. Nothing by default.
    pub latency_in: (Duration, Duration),
    /// How long an answer is under way: least and most, evenly drawn. Nothing by default.
    pub latency_out: (Duration, Duration),
    /// Decides everything that is drawn: the same seed and the same calls give the same history. 0 by default.
    pub seed: u64,
    /// How many calls are let through. 25 in 5 s on a sliding window by default.
    pub quota: Quota,

    /// The spellings of answers, taken in turn from job to job. [`Spelling::DOCUMENTED`] alone by default.
    pub spellings: Vec<Spelling>,
    /// What a question about an unknown job gets. A 404 by default.
    pub unknown_id: UnknownId,
    /// Faults to be used up in order. None by default.
    pub faults: Vec<Planned>,
    /// How likely a call meets a fault once the plan is used up. 0 by default.
    pub fault_probability: f64,
    /// Which faults such a call meets, evenly drawn. None by default.
    pub fault_kinds: Vec<Fault>,
    /// How long the body of a [`Fault::SlowBody`] takes. 10 s by default.
    pub slow_body: Duration,
    /// Where a [`Fault::Redirect`] leads: scheme and host. `https://elsewhere.invalid` by default.
    pub redirect_to: String,

    /// Operations besides the vendor's seven: path and `TaskType`. None by default.
    pub custom: Vec<(String, String)>,
    /// Exact answers to questions about these ids, for replaying recorded ones. None by default.
    pub answers: BTreeMap<String, Canned>,

    /// How many jobs are held at the most; a submit beyond gets a 500. A million by default.
    pub max_jobs: usize,
    /// How many bytes the body of a call may have; the server answers 413 to more. 1 MiB by default.
    pub max_body: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            api_key: "sandbox-api-key".into(),
            access_key: "sandbox-access-key".into(),
            secret_key: "sandbox-secret-key".into(),
            rate_per_minute: 25.0,
            workers: 1,
            spread: 0.0,
            order: Order::Fifo,
            others: 0.0,
            others_ahead: 0,
            outages: Vec::new(),
            error_spells: Vec::new(),
            ladder: [30, 120, 420, 900, 1800, 2700, 3600, 5400, 7200, 10800].map(Duration::from_secs).into(),
            retries: Retries::Queued,
            application_errors: 0.0,
            system_errors: 0.0,
            system_errors_again: 0.5,
            latency_in: (Duration::ZERO, Duration::ZERO),
            latency_out: (Duration::ZERO, Duration::ZERO),
            seed: 0,
            quota: Quota::default(),
            spellings: vec![Spelling::DOCUMENTED],
            unknown_id: UnknownId::NotFound,
            faults: Vec::new(),
            fault_probability: 0.0,
            fault_kinds: Vec::new(),
            slow_body: Duration::from_secs(10),
            redirect_to: "https://elsewhere.invalid".into(),
            custom: Vec::new(),
            answers: BTreeMap::new(),
            max_jobs: 1_000_000,
            max_body: 1 << 20,
        }
    }
}

/// Which waiting job is processed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The one that has waited longest.
    Fifo,
    /// The one that came last.
    Lifo,
    /// Any one, drawn.
    Shuffled,
}

/// How a job that failed for a system reason is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// It joins the queue again and waits for a worker.
    Queued,
    /// It is processed at once, within about a second, besides the queue.
    Direct,
}

/// What a question about an unknown job gets. The vendor does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownId {
    /// A 404 with the vendor's error body.
    NotFound,
    /// A 200 with the id and a `TaskStatus` of null.
    EmptyStatus,
}

/// How answers spell what the vendor's pages spell in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    /// The name of the id in the answer to a submit.
    pub submit_id: &'static str,
    /// The name of the id in a status.
    pub status_id: &'static str,
    /// The name of the rate in the metrics.
    pub rate: &'static str,
    /// The word for a job that is waiting or in work.
    pub in_queue: &'static str,
    /// The word for success.
    pub success: &'static str,
    /// The word for an application error.
    pub failure: &'static str,
    /// The word for a system error that is final.
    pub error: &'static str,
    /// The word for a system error after which the job will be tried again.
    pub retrying: &'static str,
    /// How `RequestBody` and `Message` are given.
    pub payload: Payload,
}

impl Spelling {
    /// As the vendor's page has it.
    pub const DOCUMENTED: Spelling = Spelling {
        submit_id: "RequestID",
        status_id: "RequestId",
        rate: "ProcessingRatePerMinute",
        in_queue: "In-Queue",
        success: "Success",
        failure: "FAILURE",
        error: "ERROR",
        retrying: "ERROR",
        payload: Payload::Text,
    };

    /// The documented one and four others: between them, every spelling that a client should cope with.
    pub const ALL: [Spelling; 5] = [
        Spelling::DOCUMENTED,
        Spelling {
            submit_id: "RequestId",
            status_id: "RequestID",
            rate: "ProcessingratePerMinute",
            error: "Error",
            retrying: "Error",
            payload: Payload::Object,
            ..Spelling::DOCUMENTED
        },
        Spelling {
            in_queue: "IN-QUEUE",
            success: "SUCCESS",
            retrying: "FAILURE",
            payload: Payload::Null,
            ..Spelling::DOCUMENTED
        },
        Spelling {
            in_queue: "in-queue",
            success: "success",
            failure: "failure",
            error: "error",
            retrying: "failure",
            status_id: "RequestID",
            ..Spelling::DOCUMENTED
        },
        Spelling {
            in_queue: "In-Progress",
            failure: "Failure",
            payload: Payload::Object,
            ..Spelling::DOCUMENTED
        },
    ];
}

/// How a status gives `RequestBody` and `Message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// As a string that holds JSON.
    Text,
    /// As JSON.
    Object,
    /// Not at all.
    Null,
}

/// An answer given byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canned {
    /// The HTTP status.
    pub http_status: u16,
    /// The headers, the content type among them; the length is added.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}
