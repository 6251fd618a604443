//! The vendor's texts: what each answer says, to the letter.

use serde_json::Value;

use crate::fate::{Ending, Fate};
use crate::queue::Progress;
use crate::rng::Uuid;
use crate::{Payload, Quota, Reply, Spelling};

/// What a status tells of a job, besides how far it has come.
pub(crate) struct Told<'a> {
    pub(crate) id: &'a str,
    pub(crate) task_type: &'a str,
    pub(crate) body: &'a str,
    /// What the ordinary API would have answered.
    pub(crate) message: &'a str,
}

pub(crate) fn accepted(spelling: &Spelling, id: Uuid) -> Reply {
    let status = "Request accepted. Please use below request id to check the status";
    Reply::json(200, format!(r#"{{"Status":"{status}","{}":"{id}"}}"#, spelling.submit_id))
}

pub(crate) fn status(spelling: &Spelling, told: &Told<'_>, progress: &Progress) -> Reply {
    let retried_out = "MXSystemException: The request could not be processed, and the retries are used up";
    let (word, reason, current, last) = match progress.settled {
        Some((_, Ending::Success)) => {
            (spelling.success, "Request was successfully completed", None, Some("In-Process-Queue"))
        }
        Some((_, Ending::Failure)) => {
            let asked = "MXInvalidActivityException: The sandbox was asked to fail this job";
            let reason = Fate::reason(told.body).unwrap_or(asked);
            (spelling.failure, reason, None, Some("In-Process-Queue"))
        }
        Some((_, Ending::Error)) if progress.failures > 0 => {
            (spelling.error, retried_out, None, Some("Retry-Queue"))
        }
        Some((_, Ending::Error)) => {
            let asked = "MXSystemException: The sandbox was asked to end this job with an error";
            let reason = Fate::reason(told.body).unwrap_or(asked);
            (spelling.error, reason, None, Some("In-Process-Queue"))
        }
        None if progress.failures > 0 => {
            let reason = "MXSystemException: The request could not be processed and will be tried again";
            (spelling.retrying, reason, Some("Retry-Queue"), Some("In-Process-Queue"))
        }
        None if progress.in_work => {
            (spelling.in_queue, "Request is being processed", Some("In-Process-Queue"), Some("In-Queue"))
        }
        None => (spelling.in_queue, "Request is in the queue", Some("In-Queue"), None),
    };
    let message = matches!(progress.settled, Some((_, Ending::Success))).then_some(told.message);
    let payload = |text: Option<&str>| match (text, spelling.payload) {
        (None, _) | (_, Payload::Null) => "null".into(),
        (Some(text), Payload::Text) => quoted(text),
        (Some(text), Payload::Object) => text.to_owned(),
    };
    Reply::json(
        200,
        format!(
            r#"{{"{}":{},"TaskStatus":{{"TaskType":{},"Status":"{word}","StatusReason":"{reason}","TaskCurrentStep":{},"TaskLastStep":{},"RequestBody":{},"Message":{}}}}}"#,
            spelling.status_id,
            quoted(told.id),
            quoted(told.task_type),
            current.map_or("null".into(), quoted),
            last.map_or("null".into(), quoted),
            payload(Some(told.body)),
            payload(message),
        ),
    )
}

/// What the ordinary API would have answered to a body from which something with this id was made.
pub(crate) fn created(id: Uuid, body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let related = match &body["RelatedProspectId"] {
        Value::String(related) => format!(r#","RelatedId":{}"#, quoted(related)),
        _ => String::new(),
    };
    format!(r#"{{"Status":"Success","Message":{{"Id":"{id}"{related}}}}}"#)
}

pub(crate) fn updated() -> String {
    r#"{"Status":"Success","Message":{"AffectedRows":1}}"#.into()
}

pub(crate) fn metrics(spelling: &Spelling, pending: usize, nominal_rate: f64, rate: f64) -> Reply {
    let delay = pending as f64 / nominal_rate * 60.0;
    // A queue that is never processed has no longest delay that JSON could name.
    let delay = if delay.is_finite() { delay as u64 } else { 0 };
    let rate_name = spelling.rate;
    Reply::json(
        200,
        format!(r#"{{"PendingMessages":{pending},"MaxDelayInSeconds":{delay},"{rate_name}":{rate:.1}}}"#),
    )
}

pub(crate) fn empty_status(spelling: &Spelling, id: &str) -> Reply {
    Reply::json(200, format!(r#"{{"{}":{},"TaskStatus":null}}"#, spelling.status_id, quoted(id)))
}

pub(crate) fn refusal(quota: &Quota) -> Reply {
    let (calls, seconds) = (quota.calls, quota.window.as_secs_f64());
    let message = format!("API calls exceeded the limit of {calls} in {seconds} second(s)");
    vendor_error(429, "MXAPIRateLimitExceededException", &message)
}

pub(crate) fn vendor_error(status: u16, exception: &str, message: &str) -> Reply {
    let message = quoted(message);
    let body = format!(r#"{{"Status":"Error","ExceptionType":"{exception}","ExceptionMessage":{message}}}"#);
    Reply::json(status, body)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
