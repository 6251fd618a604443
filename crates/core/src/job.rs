use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::wire::{self, StatusFields};
use crate::{Error, ErrorKind, Http, Operation, Resend};

/// The name of a job, given by the vendor when it was submitted.
///
/// ```
/// use activity_status::RequestId;
///
/// let id: RequestId = "72003d66-aa5d-4533-9e13-73da598dedf4".parse()?;
/// assert!(RequestId::new("id with spaces").is_err());
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Takes an id as it was given; surrounding white space is dropped.
    ///
    /// # Errors
    /// Kind [`Config`](ErrorKind::Config) for what cannot be one: nothing, over 200 characters, or characters that no id has (spaces,
    /// quotes, brackets, `?`, `#`, `%`, `&`, `\`, anything not ASCII).
    pub fn new(id: &str) -> Result<Self, Error> {
        let id = id.trim();
        let odd = br#""'`<>{}[]()|^?#%&\,;"#;
        let plain = |b: u8| b.is_ascii_alphanumeric() || (b.is_ascii_graphic() && !odd.contains(&b));
        if id.is_empty() {
            Err(Error::config("the request id is empty; give the RequestID that the submit returned"))
        } else if id.len() > 200 || !id.bytes().all(plain) {
            let quotes = if id.starts_with(['"', '\'', '`']) { " without the quotes" } else { "" };
            Err(Error::config(format!(
                "{:?} is no request id; give the RequestID that the submit returned{quotes}, such as \
                 72003d66-aa5d-4533-9e13-73da598dedf4",
                wire::shortened(id, 44)
            )))
        } else {
            Ok(RequestId(id.into()))
        }
    }

    /// The id as the vendor gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = Error;
    fn from_str(id: &str) -> Result<Self, Error> {
        RequestId::new(id)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job to follow: what was submitted, and the id that the vendor gave it.
///
/// ```
/// use activity_status::{Job, Operation, RequestId};
///
/// let job = Job::new(Operation::LEAD_UPDATE, RequestId::new("72003d66-aa5d-4533-9e13-73da598dedf4")?);
/// assert_eq!(job.operation().name(), "lead.update");
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    pub(crate) operation: Operation,
    pub(crate) id: RequestId,
    pub(crate) submitted_at: Option<Duration>,
}

impl Job {
    /// A job of this operation.
    pub fn new(operation: Operation, id: RequestId) -> Self {
        Job { operation, id, submitted_at: None }
    }

    /// When it was submitted, as time since the Unix epoch (UTC). Worth telling for a job that was submitted a moment ago: the
    /// queue's metrics then say how long it will take.
    pub fn submitted_at(mut self, since_epoch: Duration) -> Self {
        self.submitted_at = Some(since_epoch);
        self
    }

    /// What was submitted.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The name that the vendor gave it.
    pub fn request_id(&self) -> &RequestId {
        &self.id
    }

    /// When it was submitted, if that was told.
    pub fn submitted(&self) -> Option<Duration> {
        self.submitted_at
    }
}

/// All that the vendor said of one job.
///
/// Every text is kept exactly, and [`raw`](JobStatus::raw) is the whole answer, unknown fields included. `RequestBody`
/// and `Message` are documented as objects and sent as strings of JSON: both are accepted, and null.
///
/// ```
/// use activity_status::{JobStatus, Outcome};
///
/// let status = JobStatus::from_json(
///     r#"{"RequestId":"1","TaskStatus":{"TaskType":"Activity Create","Status":"FAILURE",
///         "StatusReason":"MXInvalidActivityEventException","TaskCurrentStep":null}}"#,
/// )?;
/// assert_eq!(status.outcome(), Outcome::Failed);
/// assert_eq!(status.reason(), "MXInvalidActivityEventException");
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Clone)]
pub struct JobStatus {
    request_id: RequestId,
    state: JobState,
    outcome: Outcome,
    fields: Box<StatusFields>,
    raw: Box<str>,
    http: Option<Box<Http>>,
}

impl JobStatus {
    /// Reads a stored answer of the status call.
    ///
    /// # Errors
    /// Kind [`Malformed`](ErrorKind::Malformed) if it is not one.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        JobStatus::read(json, None).map_err(not_an_answer)
    }

    /// Reads once more an answer that was kept, with the job and the outcome that were known then.
    ///
    /// # Errors
    /// Kind [`Malformed`](ErrorKind::Malformed) if it is not an answer about that job.
    pub fn restore(json: &str, id: &RequestId, outcome: Outcome) -> Result<Self, Error> {
        let status = JobStatus::read(json, Some(id)).map_err(not_an_answer)?;
        Ok(status.with_outcome(outcome))
    }

    /// Reads an answer about the job that was `asked` about.
    pub(crate) fn read(json: &str, asked: Option<&RequestId>) -> Result<Self, String> {
        let (request_id, mut fields) = wire::read_status(json, asked)?;
        let state = JobState(std::mem::take(&mut fields.state).into());
        let mut status = JobStatus {
            request_id,
            state,
            outcome: Outcome::Pending,
            fields: Box::new(fields),
            raw: json.into(),
            http: None,
        };
        status.outcome = documented_outcome(&status);
        Ok(status)
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    pub(crate) fn with_http(mut self, http: Http) -> Self {
        self.http = Some(Box::new(http));
        self
    }

    /// The job.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// What kind of task it is, such as `Activity Create`: an open set. Empty if the vendor did not say.
    pub fn task_type(&self) -> &str {
        self.fields.task_type.as_deref().unwrap_or_default()
    }

    /// The vendor's word for how it stands.
    pub fn state(&self) -> &JobState {
        &self.state
    }

    /// What that word means: pending, succeeded or failed, by [`documented_outcome`] or the client's own rule.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why, in the vendor's words. Empty if it did not say.
    pub fn reason(&self) -> &str {
        self.fields.reason.as_deref().unwrap_or_default()
    }

    /// The step that it is in; `None` once it is over.
    pub fn current_step(&self) -> Option<&str> {
        self.fields.current_step.as_deref()
    }

    /// The step that it was in before.
    pub fn last_step(&self) -> Option<&str> {
        self.fields.last_step.as_deref()
    }

    /// The body that was submitted, character for character.
    pub fn request_body(&self) -> Option<&str> {
        self.fields.request_body.as_deref()
    }

    /// What the original call answered, as JSON; `None` unless it succeeded.
    pub fn message(&self) -> Option<&str> {
        self.fields.message.as_deref()
    }

    /// The id of what was created (`Id` in the message), such as the new activity's.
    pub fn created_id(&self) -> Option<&str> {
        self.fields.created_id.as_deref()
    }

    /// The id that it belongs to (`RelatedId` in the message), such as the lead's.
    pub fn related_id(&self) -> Option<&str> {
        self.fields.related_id.as_deref()
    }

    /// The whole answer, as it came.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The fields of the answer, and of the `TaskStatus` in it, that have no name here: one JSON object, each value as it
    /// came. Of two of one name it has that of the `TaskStatus`; [`raw`](JobStatus::raw) has both.
    pub fn extra(&self) -> String {
        wire::unnamed_fields(&self.raw)
    }

    /// How the answer came; `None` for one that was kept and read once more.
    pub fn http(&self) -> Option<&Http> {
        self.http.as_deref()
    }
}

/// The same was said of the same job, and means the same; how it came makes no difference.
impl PartialEq for JobStatus {
    fn eq(&self, other: &Self) -> bool {
        // All else was read from the text.
        (&self.request_id, self.outcome, &self.raw) == (&other.request_id, other.outcome, &other.raw)
    }
}

impl Eq for JobStatus {}

impl fmt::Debug for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobStatus")
            .field("request_id", &self.request_id.as_str())
            .field("state", &self.state.as_str())
            .field("outcome", &self.outcome)
            .field("reason", &self.reason())
            .finish_non_exhaustive()
    }
}

/// The vendor's word for how a job stands, kept as it came. `Display` and [`as_str`](JobState::as_str) give it exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobState(Box<str>);

impl JobState {
    /// The word, exactly.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which documented word it is, without regard to case; `None` for any other.
    pub fn known(&self) -> Option<KnownState> {
        let word = self.0.trim();
        let is = |known: &str| word.eq_ignore_ascii_case(known);
        match () {
            () if is("In-Queue") => Some(KnownState::InQueue),
            () if is("Success") => Some(KnownState::Success),
            () if is("Failure") => Some(KnownState::Failure),
            () if is("Error") => Some(KnownState::Error),
            () => None,
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The four documented words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownState {
    /// `In-Queue`
    InQueue,
    /// `Success`
    Success,
    /// `FAILURE`
    Failure,
    /// `ERROR`; some of the vendor's pages write `Error`
    Error,
}

/// What a status means for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not settled: it may still change.
    Pending,
    /// Settled: it was carried out.
    Succeeded,
    /// Settled: it was not.
    Failed,
}

impl Outcome {
    /// The outcome as one lower-case word: `pending`, `succeeded` or `failed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Pending => "pending",
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
        }
    }

    /// Is no further change expected?
    pub fn is_settled(self) -> bool {
        self != Outcome::Pending
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = Error;
    fn from_str(word: &str) -> Result<Self, Error> {
        let all = [Outcome::Pending, Outcome::Succeeded, Outcome::Failed];
        all.into_iter().find(|outcome| outcome.as_str() == word).ok_or_else(|| {
            Error::config(format!("{} is no outcome: pending, succeeded or failed", wire::quoted(word)))
        })
    }
}

/// The rule for what counts as settled, unless the client was given
/// [another](crate::ClientBuilder::outcome_rule).
///
/// `Success` succeeded. A failure word (`FAILURE`, `ERROR`) failed if there is no current step; with one the vendor
/// is still retrying, and it is pending. `In-Queue` and every unknown word are pending. The words and the null step
/// are documented, that a failure with a step goes on is inferred from the vendor's retry rules.
pub fn documented_outcome(status: &JobStatus) -> Outcome {
    let in_a_step = status.current_step().is_some_and(|step| !step.trim().is_empty());
    match status.state().known() {
        Some(KnownState::Success) => Outcome::Succeeded,
        Some(KnownState::Failure | KnownState::Error) if !in_a_step => Outcome::Failed,
        _ => Outcome::Pending,
    }
}

/// How long the vendor's queue is.
#[derive(Debug, Clone)]
pub struct QueueMetrics {
    pending: Option<u64>,
    max_delay: Option<Duration>,
    rate_per_minute: Option<f64>,
    raw: Box<str>,
    http: Option<Box<Http>>,
}

impl QueueMetrics {
    /// Reads a stored answer of the metrics call.
    ///
    /// # Errors
    /// Kind [`Malformed`](ErrorKind::Malformed) if it is not one.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        QueueMetrics::read(json).map_err(not_an_answer)
    }

    pub(crate) fn read(json: &str) -> Result<Self, String> {
        let metrics = wire::read_metrics(json)?;
        let delay = |seconds| Duration::try_from_secs_f64(seconds).ok();
        Ok(QueueMetrics {
            pending: metrics.pending.map(|count| count as u64),
            max_delay: metrics.delay_seconds.and_then(delay),
            rate_per_minute: metrics.rate_per_minute,
            raw: json.into(),
            http: None,
        })
    }

    pub(crate) fn with_http(mut self, http: Http) -> Self {
        self.http = Some(Box::new(http));
        self
    }

    /// About how many jobs are queued (`PendingMessages`).
    pub fn pending(&self) -> Option<u64> {
        self.pending
    }

    /// The longest that it takes to process all of the queue (`MaxDelayInSeconds`).
    pub fn max_delay(&self) -> Option<Duration> {
        self.max_delay
    }

    /// Jobs a minute over the last ten minutes (`ProcessingRatePerMinute`, in either spelling).
    pub fn rate_per_minute(&self) -> Option<f64> {
        self.rate_per_minute
    }

    /// The whole answer, as it came.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// How the answer came; `None` for one that was kept and read once more.
    pub fn http(&self) -> Option<&Http> {
        self.http.as_deref()
    }
}

/// The same was said; how it came makes no difference.
impl PartialEq for QueueMetrics {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

pub(crate) fn not_an_answer(what: String) -> Error {
    Error::new(ErrorKind::Malformed, Resend::Pointless, format!("the text {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_cannot_be_ids_are_refused_in_words_that_help() {
        for bad in
            ["", "  ", "a b", "a\nb", "https://x/?RequestID=1", "\"7200\"", "{1}", "é", &"7".repeat(201)]
        {
            let error = RequestId::new(bad).expect_err(bad);
            assert!(error.to_string().contains("give the RequestID"), "{error}");
            assert!(!error.to_string().contains('\n'));
        }
        assert_eq!(RequestId::new(" 72003d66-aa5d \r\n").unwrap().as_str(), "72003d66-aa5d");
    }

    #[test]
    fn an_answer_that_was_kept_comes_back_as_it_was() {
        let raw = r#"{"RequestId":"A-1","TaskStatus":{"Status":"Parked"}}"#;
        let id = RequestId::new("a-1").unwrap();
        let asked = JobStatus::read(raw, Some(&id)).unwrap().with_outcome(Outcome::Failed);
        assert_eq!(JobStatus::restore(raw, &id, Outcome::Failed).unwrap(), asked);
        let other = JobStatus::restore(raw, &RequestId::new("b-2").unwrap(), Outcome::Failed).unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Malformed);
        assert_eq!(QueueMetrics::from_json(r#"{"PendingMessages":2}"#).unwrap().pending(), Some(2));
        assert!(QueueMetrics::from_json("{}").is_err());
    }
}
