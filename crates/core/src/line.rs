//! An answer as one line of JSON, the same in every language and on the command line, and back.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::job::not_an_answer;
use crate::{Error, JobStatus, QueueMetrics, RequestId, wire};

impl JobStatus {
    /// The status as one line of JSON, the same in every language and on the command line: `{"request_id",
    /// "operation", "outcome", "state", "reason", "created_id", "related_id", "raw"}`. `operation` is the operation's name.
    pub fn to_json(&self, operation: &str) -> String {
        let line = StatusLine {
            request_id: self.request_id().as_str().into(),
            operation: operation.into(),
            outcome: self.outcome().as_str().into(),
            state: self.state().as_str().into(),
            reason: self.reason().into(),
            created_id: self.created_id().map(Cow::from),
            related_id: self.related_id().map(Cow::from),
            raw: compact(self.raw()),
        };
        serde_json::to_string(&line).expect("strings always serialise")
    }

    /// Reads a line that [`to_json`](JobStatus::to_json) wrote: the status, and its operation's name. The raw answer in
    /// it has no white space between its tokens any more.
    ///
    /// # Errors
    /// Kind [`Malformed`](crate::ErrorKind::Malformed) if it is not one.
    pub fn from_line(line: &str) -> Result<(Self, String), Error> {
        let line: StatusLine<'_> = wire::from_json(line).map_err(not_an_answer)?;
        let read = || {
            let id = RequestId::new(&line.request_id)?;
            JobStatus::restore(line.raw.get(), &id, line.outcome.parse()?)
        };
        let status =
            read().map_err(|error| not_an_answer(format!("is not a line of ours: {}", error.message())))?;
        Ok((status, line.operation.into_owned()))
    }
}

impl QueueMetrics {
    /// The metrics as one line of JSON, the same on the command line: `{"operation", "pending", "max_delay_seconds",
    /// "rate_per_minute", "raw"}`. `operation` is the operation's name.
    pub fn to_json(&self, operation: &str) -> String {
        let line = MetricsLine {
            operation: operation.into(),
            pending: self.pending(),
            max_delay_seconds: self.max_delay().map(|delay| delay.as_secs_f64()),
            rate_per_minute: self.rate_per_minute(),
            raw: compact(self.raw()),
        };
        serde_json::to_string(&line).expect("strings and numbers always serialise")
    }

    /// Reads a line that [`to_json`](QueueMetrics::to_json) wrote: the metrics, and their operation's name.
    ///
    /// # Errors
    /// Kind [`Malformed`](crate::ErrorKind::Malformed) if it is not one.
    pub fn from_line(line: &str) -> Result<(Self, String), Error> {
        let line: MetricsLine<'_> = wire::from_json(line).map_err(not_an_answer)?;
        Ok((QueueMetrics::from_json(line.raw.get())?, line.operation.into_owned()))
    }
}

#[derive(Serialize, Deserialize)]
struct StatusLine<'a> {
    #[serde(borrow)]
    request_id: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    created_id: Option<Cow<'a, str>>,
    related_id: Option<Cow<'a, str>>,
    raw: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
struct MetricsLine<'a> {
    #[serde(borrow)]
    operation: Cow<'a, str>,
    pending: Option<u64>,
    max_delay_seconds: Option<f64>,
    rate_per_minute: Option<f64>,
    raw: Box<RawValue>,
}

fn compact(raw: &str) -> Box<RawValue> {
    RawValue::from_string(wire::compact(raw)).expect("it was read as JSON once")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Outcome};

    #[test]
    fn one_line_of_json_keeps_the_vendors_object() {
        let raw =
            "{ \"RequestID\" : \"1\",\r\n \"TaskStatus\":{\"Status\":\"Later\\n\",\"New\":[1.0, 1e400]} }";
        let status = JobStatus::from_json(raw).unwrap();
        assert_eq!(status.raw(), raw);
        assert_eq!(
            status.to_json("lead.update"),
            r#"{"request_id":"1","operation":"lead.update","outcome":"pending","state":"Later\n","reason":"","created_id":null,"related_id":null,"raw":{"RequestID":"1","TaskStatus":{"Status":"Later\n","New":[1.0,1e400]}}}"#
        );
        let metrics = QueueMetrics::from_json("{\"PendingMessages\":\r\n 1, \"New\":1e400}").unwrap();
        assert_eq!(
            metrics.to_json("lead.update"),
            r#"{"operation":"lead.update","pending":1,"max_delay_seconds":null,"rate_per_minute":null,"raw":{"PendingMessages":1,"New":1e400}}"#
        );
    }

    #[test]
    fn a_line_leads_back() {
        let raw = r#"{"RequestId":"A-1","TaskStatus":{"Status":"Parked","New":1e400}}"#;
        let id = RequestId::new("a-1").unwrap();
        let status = JobStatus::restore(raw, &id, Outcome::Failed).unwrap();
        let line = status.to_json("task.create");
        assert_eq!(JobStatus::from_line(&line).unwrap(), (status, "task.create".to_owned()));
        let metrics = QueueMetrics::from_json(r#"{"MaxDelayInSeconds":1.5}"#).unwrap();
        let said = metrics.to_json("lead.update");
        assert_eq!(QueueMetrics::from_line(&said).unwrap(), (metrics, "lead.update".to_owned()));

        let spoiled = [
            raw.to_owned(),
            said,
            format!("[{line}]"),
            line.replace("failed", "over"),
            line.replace("\"a-1\"", "\"a 1\""),
            line.replace("\"a-1\"", "\"b-2\""),
            line.replace("Parked", ""),
        ];
        for line in spoiled {
            assert_eq!(JobStatus::from_line(&line).unwrap_err().kind(), ErrorKind::Malformed, "{line}");
            assert_eq!(QueueMetrics::from_line(&line).is_ok(), line.contains("MaxDelay"), "{line}");
        }
    }
}
