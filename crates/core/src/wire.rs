//! The vendor's JSON, read tolerantly. What is accepted, and why, is in the documentation of the types it becomes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::RequestId;

/// Everything but the unreserved characters of RFC 3986 is escaped.
pub(crate) const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The fields of a status answer, each as exact text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct StatusFields {
    pub(crate) state: String,
    pub(crate) task_type: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) current_step: Option<String>,
    pub(crate) last_step: Option<String>,
    pub(crate) request_body: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) created_id: Option<String>,
    pub(crate) related_id: Option<String>,
}

/// Reads a status answer about `asked`, or about whichever job it names. What is wrong with it is said in a phrase
/// that goes after "the answer".
pub(crate) fn read_status(
    json: &str,
    asked: Option<&RequestId>,
) -> Result<(RequestId, StatusFields), String> {
    // Nearly every answer holds nothing but strings and nulls: then one pass reads it. Any other is read with care, and
    // it is that which says what is wrong.
    if let Ok(Object(reply)) = serde_json::from_str::<Object<Reply<Text<'_>, Object<Task<Text<'_>>>>>>(json)
        && let Some(Object(task)) = reply.task
    {
        return Ok((Id { one: reply.id, other: reply.other_id }.read(asked)?, status_fields(task)?));
    }
    let reply: Reply<&RawValue, &RawValue> = from_json(json)?;
    let id = Id { one: reply.id, other: reply.other_id }.read(asked)?;
    let task = reply.task.ok_or("holds no TaskStatus")?;
    let task: Task<&RawValue> =
        from_json(task.get()).map_err(|_| "holds a TaskStatus that is not as documented")?;
    Ok((id, status_fields(task)?))
}

#[derive(Deserialize)]
struct Reply<V, T> {
    #[serde(rename = "RequestId")]
    id: Option<V>,
    #[serde(rename = "RequestID")]
    other_id: Option<V>,
    #[serde(rename = "TaskStatus")]
    task: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Task<V> {
    task_type: Option<V>,
    status: Option<V>,
    status_reason: Option<V>,
    task_current_step: Option<V>,
    task_last_step: Option<V>,
    request_body: Option<V>,
    message: Option<V>,
}

fn status_fields<'a>(task: Task<impl Value<'a>>) -> Result<StatusFields, String> {
    let text = |value: Option<_>| value.map(Value::text);
    let state = task.status.and_then(Value::string).filter(|word| !word.trim().is_empty());
    let message = text(task.message);
    let (created_id, related_id) = message.as_deref().map(created_ids).unwrap_or_default();
    Ok(StatusFields {
        state: state.ok_or("holds no Status word")?.into_owned(),
        task_type: text(task.task_type),
        reason: text(task.status_reason),
        current_step: text(task.task_current_step),
        last_step: text(task.task_last_step),
        request_body: text(task.request_body),
        message,
        created_id,
        related_id,
    })
}

/// The fields of a status answer that [`read_status`] has no place for, as one JSON object.
pub(crate) fn unnamed_fields(json: &str) -> String {
    const OF_REPLY: &[&str] = &["RequestId", "RequestID", "TaskStatus"];
    const OF_TASK: &[&str] =
        &["TaskType", "Status", "StatusReason", "TaskCurrentStep", "TaskLastStep", "RequestBody", "Message"];
    type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;
    let mut reply: Fields<'_> = serde_json::from_str(json).unwrap_or_default();
    let task = reply.get("TaskStatus").map(|task| task.get()).unwrap_or_default();
    let task: Fields<'_> = serde_json::from_str(task).unwrap_or_default();
    reply.retain(|name, _| !OF_REPLY.contains(&name.as_ref()));
    reply.extend(task.into_iter().filter(|(name, _)| !OF_TASK.contains(&name.as_ref())));
    serde_json::to_string(&reply).expect("what was read can be written")
}

/// Reads the answer to a submit: the id of the new job.
pub(crate) fn read_submitted(json: &str) -> Result<RequestId, String> {
    from_json::<Id<&RawValue>>(json)?.read(None)
}

/// The queue's metrics; none is negative.
#[derive(Debug, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) pending: Option<f64>,
    pub(crate) delay_seconds: Option<f64>,
    pub(crate) rate_per_minute: Option<f64>,
}

/// Reads the answer to a metrics call.
pub(crate) fn read_metrics(json: &str) -> Result<Metrics, String> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow, rename = "PendingMessages")]
        pending: Option<&'a RawValue>,
        #[serde(borrow, rename = "MaxDelayInSeconds")]
        delay: Option<&'a RawValue>,
        #[serde(borrow, rename = "ProcessingRatePerMinute")]
        rate: Option<&'a RawValue>,
        #[serde(borrow, rename = "ProcessingratePerMinute")]
        other_rate: Option<&'a RawValue>,
    }
    let reply: Reply<'_> = from_json(json)?;
    let number = |value: Option<&RawValue>| {
        value?.text().trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)
    };
    let metrics = Metrics {
        pending: number(reply.pending),
        delay_seconds: number(reply.delay),
        rate_per_minute: number(reply.rate).or_else(|| number(reply.other_rate)),
    };
    match metrics {
        Metrics { pending: None, delay_seconds: None, rate_per_minute: None } => {
            Err("holds no metrics".to_owned())
        }
        found => Ok(found),
    }
}

/// What an error body says: `ExceptionType` and `ExceptionMessage`, if either is there. `None` for the answer to a
/// status call that holds a `TaskStatus`.
pub(crate) fn read_vendor_error(json: &str) -> Option<(Option<String>, Option<String>)> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow, rename = "ExceptionType")]
        kind: Option<&'a RawValue>,
        #[serde(borrow, rename = "ExceptionMessage")]
        message: Option<&'a RawValue>,
        #[serde(borrow, rename = "TaskStatus")]
        task: Option<&'a RawValue>,
    }
    let reply: Reply<'_> = from_json(json).ok()?;
    let said = |value: Option<&RawValue>| value.and_then(Value::string).map(Cow::into_owned);
    match (said(reply.kind), said(reply.message), reply.task) {
        (None, None, _) | (_, _, Some(_)) => None,
        (kind, message, None) => Some((kind, message)),
    }
}

/// The body of an answer as text: UTF-8, a byte order mark tolerated.
pub(crate) fn utf8(body: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(body).map_err(|_| "is not UTF-8 text")?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// `json` without the white space between its tokens; strings stay byte for byte.
pub(crate) fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |c: &char| {
        let kept = in_string || !c.is_ascii_whitespace();
        match (in_string, escaped, c) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, _, '"') => in_string = !in_string,
            _ => {}
        }
        kept
    };
    json.chars().filter(keep).collect()
}

/// The id, in either of the vendor's spellings.
#[derive(Deserialize)]
struct Id<V> {
    #[serde(rename = "RequestId")]
    one: Option<V>,
    #[serde(rename = "RequestID")]
    other: Option<V>,
}

impl<'a, V: Value<'a>> Id<V> {
    fn read(self, asked: Option<&RequestId>) -> Result<RequestId, String> {
        let named = [self.one, self.other].map(|id| id.and_then(Value::string).filter(|id| !id.is_empty()));
        let first = named.iter().flatten().next().ok_or("names no request id")?;
        let expected = asked.map_or(first.as_ref(), RequestId::as_str);
        if !named.iter().flatten().all(|id| id.eq_ignore_ascii_case(expected)) {
            return Err(format!("is about another request: {:?}", shortened(first, 80)));
        }
        asked.map_or_else(
            || RequestId::new(first).map_err(|e| format!("names an odd id: {}", e.message())),
            |id| Ok(id.clone()),
        )
    }
}

/// Reads a JSON object. (A derived struct would also be filled from an array of its values.)
pub(crate) fn from_json<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    let start = json.trim_start();
    let problem = match serde_json::from_str(json) {
        Ok(read) if start.starts_with('{') => return Ok(read),
        Ok(_) => "is JSON, but no object".to_owned(),
        Err(_) if start.is_empty() => "is empty".to_owned(),
        Err(_) if start.starts_with('<') => "is HTML or XML, not JSON".to_owned(),
        Err(error) if error.is_eof() => "is JSON that was cut off".to_owned(),
        Err(error) => {
            format!("is not the JSON that was expected (line {}, column {})", error.line(), error.column())
        }
    };
    Err(problem)
}

/// A value of the vendor's JSON that is not null.
trait Value<'a> {
    /// A string, decoded; `None` for anything else.
    fn string(self) -> Option<Cow<'a, str>>;

    /// A string decoded, the source text of anything else (and of a string that cannot be decoded, so that it is not lost).
    fn text(self) -> String;
}

impl<'a> Value<'a> for &'a RawValue {
    fn string(self) -> Option<Cow<'a, str>> {
        serde_json::from_str::<Text<'_>>(self.get()).ok().map(|text| text.0)
    }

    fn text(self) -> String {
        self.string().map_or_else(|| self.get().to_owned(), Cow::into_owned)
    }
}

/// A value that was found to be a string.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Value<'a> for Text<'a> {
    fn string(self) -> Option<Cow<'a, str>> {
        Some(self.0)
    }

    fn text(self) -> String {
        self.0.into_owned()
    }
}

/// A JSON object. (A derived struct alone would also be filled from an array of its values.)
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// `Id` and `RelatedId` of the inner `Message`, which may be an object or a string that holds one; of the outer object
/// if there is no such thing inside.
fn created_ids(message: &str) -> (Option<String>, Option<String>) {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Made<V, M> {
        id: Option<V>,
        related_id: Option<V>,
        message: Option<M>,
    }
    type Inner<V> = Made<V, IgnoredAny>;

    // As documented, in one pass; see `read_status`.
    if let Ok(Object(Made { message: Some(Object(inner)), .. })) =
        serde_json::from_str::<Object<Made<Text<'_>, Object<Inner<Text<'_>>>>>>(message)
        && let Some(id) = inner.id.map(Value::text).filter(|id| !id.is_empty())
    {
        return (Some(id), inner.related_id.map(Value::text).filter(|id| !id.is_empty()));
    }
    let scalar = |value: Option<&RawValue>| {
        let found =
            value.filter(|v| v.get().starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()));
        found.map(Value::text).filter(|id| !id.is_empty())
    };
    let Ok(outer) = from_json::<Made<&RawValue, &RawValue>>(message) else { return (None, None) };
    let inner_text = outer.message.map(Value::text);
    let inner = inner_text.as_deref().and_then(|json| from_json::<Inner<&RawValue>>(json).ok());
    match inner {
        Some(inner) if scalar(inner.id).is_some() => (scalar(inner.id), scalar(inner.related_id)),
        _ => (scalar(outer.id), scalar(outer.related_id)),
    }
}

/// `text` as a message repeats what it was given: a long one is not repeated, for it could be a key in the wrong place.
pub(crate) fn quoted(text: &str) -> String {
    match text.chars().count() {
        0..=24 => format!("{text:?}"),
        length => format!("what was given ({length} characters)"),
    }
}

/// A moment, as time since the Unix epoch, in the vendor's own form of a date in UTC.
pub(crate) fn date(since_epoch: Duration) -> String {
    let (days, time) = (since_epoch.as_secs() / 86_400, since_epoch.as_secs() % 86_400);
    // Years begin in March here, so that a leap day is a year's last; all days before that of year 0 are added. (Howard Hinnant's
    // `civil_from_days`.)
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (year, hour, minute, second) = (era * 400 + year + next, time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// At most `limit` characters of `text`.
pub(crate) fn shortened(text: &str, limit: usize) -> &str {
    text.char_indices().nth(limit).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_drops_space_between_tokens_only() {
        let json = "{ \"a\" :\r\n [1, \"x \\\" y\\\\\" , \"\u{00a0} \t\"] }";
        assert_eq!(compact(json), "{\"a\":[1,\"x \\\" y\\\\\",\"\u{00a0} \t\"]}");
    }

    #[test]
    fn fields_without_a_name_are_kept_apart() {
        let task = r#""TaskType":"a","Status":"b","StatusReason":null,"TaskCurrentStep":null,"TaskLastStep":1,"RequestBody":{},"Message":"""#;
        let named = format!(r#"{{"RequestId":"1","RequestID":"1","TaskStatus":{{{task}}}}}"#);
        assert_eq!(unnamed_fields(&named), "{}");
        let more = named.replace("{\"RequestId\"", r#"{"Z":1,"A":[1e400, "x"],"RequestId""#);
        assert_eq!(unnamed_fields(&more), r#"{"A":[1e400, "x"],"Z":1}"#);
        let both = more.replace("\"TaskType\"", r#""\u005a":null,"status":"x","TaskType""#);
        assert_eq!(unnamed_fields(&both), r#"{"A":[1e400, "x"],"Z":null,"status":"x"}"#);
    }

    #[test]
    fn dates_are_right_at_the_turn_of_months_leap_years_and_centuries() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_732_405_219, "2024-11-23 23:40:19"),
            (1_735_689_599, "2024-12-31 23:59:59"),
            (1_735_689_600, "2025-01-01 00:00:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
            (253_402_300_799, "9999-12-31 23:59:59"),
        ] {
            assert_eq!(date(Duration::from_secs(seconds)), expected);
        }
        assert!(date(Duration::MAX).ends_with(":15"), "no time is too late");
    }

    #[test]
    fn metrics_come_in_two_spellings_and_as_text() {
        let read = |json| {
            let Metrics { pending, delay_seconds, rate_per_minute } = read_metrics(json).unwrap();
            (pending, delay_seconds, rate_per_minute)
        };
        let sample = r#"{"PendingMessages":1,"MaxDelayInSeconds":0,"ProcessingRatePerMinute":24.8}"#;
        assert_eq!(read(sample), (Some(1.0), Some(0.0), Some(24.8)));
        assert_eq!(read(r#"{"ProcessingratePerMinute":"24.8"}"#), (None, None, Some(24.8)));
        assert_eq!(read(r#"{"PendingMessages":-1,"MaxDelayInSeconds":1e9}"#), (None, Some(1e9), None));
        assert!(read_metrics("{}").is_err());
        assert!(read_metrics("[]").is_err());
    }

    #[test]
    fn a_submit_answer_names_the_job_in_either_spelling() {
        assert_eq!(read_submitted(r#"{"Status":"x","RequestID":"a-1"}"#).unwrap().as_str(), "a-1");
        assert_eq!(read_submitted(r#"{"RequestId":"a-1","Extra":{}}"#).unwrap().as_str(), "a-1");
        for bad in ["", "{}", "[]", r#"{"RequestID":7}"#, r#"{"RequestID":""}"#, r#"{"RequestID":"a b"}"#] {
            assert!(read_submitted(bad).is_err(), "{bad}");
        }
    }
}
