use std::borrow::Cow;
use std::fmt;

use percent_encoding::utf8_percent_encode;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::wire::{QUERY, shortened};
use crate::{Error, Operation};

/// What a submit sends: a body of JSON, sent byte for byte, and what two operations add to the address.
///
/// ```
/// use activity_status::Submission;
///
/// let plain = Submission::from(r#"{"RelatedProspectId":"b8e4…","ActivityEvent":380}"#);
/// let lead_update = Submission::from(r#"[{"Attribute":"City","Value":"Pune"}]"#).query("leadId", "b8e4");
/// ```
#[derive(Clone)]
pub struct Submission<'a> {
    body: Cow<'a, [u8]>,
    query: Vec<(String, String)>,
    path_tail: Option<Zeroizing<String>>,
}

/// Larger bodies are a mistake: the vendor's own limits are far below.
const MAX_BODY: usize = 10 * 1024 * 1024;

impl<'a> Submission<'a> {
    /// A body of JSON: an object, or an array of them.
    pub fn new(body: impl Into<Cow<'a, [u8]>>) -> Self {
        Submission { body: body.into(), query: Vec::new(), path_tail: None }
    }

    /// Adds a parameter to the query string, such as the `leadId` of [`LEAD_UPDATE`](crate::Operation::LEAD_UPDATE).
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a last segment to the path: the vendor's key of a
    /// [telephony connector](crate::Operation::TELEPHONY_LOG_CALL). It is treated as a secret.
    pub fn path_tail(mut self, key: &str) -> Self {
        self.path_tail = Some(Zeroizing::new(key.to_owned()));
        self
    }

    pub(crate) fn tail(&self) -> Option<&str> {
        self.path_tail.as_ref().map(|tail| tail.as_str())
    }

    /// Is there what this operation cannot do without?
    pub(crate) fn check_for(&self, operation: &Operation) -> Result<(), Error> {
        let names_lead =
            self.query.iter().any(|(name, value)| name.eq_ignore_ascii_case("leadId") && !value.is_empty());
        if *operation == Operation::LEAD_UPDATE && !names_lead {
            return Err(Error::config("lead.update needs the query parameter leadId; nothing was sent"));
        }
        if *operation == Operation::TELEPHONY_LOG_CALL && self.tail().is_none() {
            return Err(Error::config(
                "telephony.logcall needs the connector's key as the path's tail; nothing was sent",
            ));
        }
        Ok(())
    }

    pub(crate) fn append_to(&self, url: &mut String) -> Result<(), Error> {
        if let Some(tail) = &self.path_tail {
            if tail.is_empty() || tail.as_str() == "." || tail.as_str() == ".." {
                return Err(Error::config(
                    "the path's last segment is empty or a dot; give the key of the connector",
                ));
            }
            url.push('/');
            url.extend(utf8_percent_encode(tail, QUERY));
        }
        for (i, (name, value)) in self.query.iter().enumerate() {
            let key = name.to_ascii_lowercase();
            if name.is_empty() || ["accesskey", "secretkey", "x-api-key"].contains(&key.as_str()) {
                return Err(Error::config(
                    "a query parameter is a key or has no name: keys belong in the credentials",
                ));
            }
            url.push(if i == 0 { '?' } else { '&' });
            url.extend(utf8_percent_encode(name, QUERY));
            url.push('=');
            url.extend(utf8_percent_encode(value, QUERY));
        }
        Ok(())
    }

    /// The body, if it is one that the vendor could read.
    pub(crate) fn checked_body(&self) -> Result<&[u8], Error> {
        let problem = match std::str::from_utf8(&self.body) {
            _ if self.body.len() > MAX_BODY => "is larger than 10 MiB".to_owned(),
            Err(_) => "is not UTF-8 text".to_owned(),
            Ok(text) if text.trim().is_empty() => "is empty".to_owned(),
            Ok(text) => match serde_json::from_str::<IgnoredAny>(text) {
                Err(error) => format!("is not JSON (line {}, column {})", error.line(), error.column()),
                Ok(_) if !text.trim_start().starts_with(['{', '[']) => {
                    format!(
                        "is not a JSON object or array: it begins with {:?}",
                        shortened(text.trim_start(), 12)
                    )
                }
                Ok(_) => return Ok(&self.body),
            },
        };
        Err(Error::config(format!("the body {problem}; nothing was sent")))
    }
}

impl fmt::Debug for Submission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission")
            .field("body_len", &self.body.len())
            .field("path_tail", &self.path_tail.as_ref().map(|_| "***"))
            .finish_non_exhaustive()
    }
}

impl<'a> From<&'a str> for Submission<'a> {
    fn from(body: &'a str) -> Self {
        Submission::new(body.as_bytes())
    }
}

impl<'a> From<&'a String> for Submission<'a> {
    fn from(body: &'a String) -> Self {
        Submission::new(body.as_bytes())
    }
}

impl From<String> for Submission<'_> {
    fn from(body: String) -> Self {
        Submission::new(body.into_bytes())
    }
}

impl<'a> From<&'a [u8]> for Submission<'a> {
    fn from(body: &'a [u8]) -> Self {
        Submission::new(body)
    }
}

impl From<&serde_json::Value> for Submission<'_> {
    fn from(body: &serde_json::Value) -> Self {
        Submission::new(body.to_string().into_bytes())
    }
}

impl<'a> From<&'a Submission<'a>> for Submission<'a> {
    fn from(it: &'a Submission<'a>) -> Self {
        Submission { body: Cow::Borrowed(&it.body), query: it.query.clone(), path_tail: it.path_tail.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_objects_and_arrays_are_bodies() {
        for ok in ["{}", " [1]\r\n", r#"{"a":"é"}"#] {
            assert_eq!(Submission::from(ok).checked_body().unwrap(), ok.as_bytes());
        }
        for bad in ["", " ", "null", "7", "\"x\"", "{", "{}{}", "<a/>", "\u{feff}{}"] {
            let error = Submission::from(bad).checked_body().expect_err(bad);
            assert!(error.to_string().ends_with("nothing was sent"), "{error}");
        }
        assert!(Submission::from(&b"{\"a\":\"\xff\"}"[..]).checked_body().is_err());
        let large = format!("{}[]", " ".repeat(MAX_BODY));
        assert!(Submission::from(large).checked_body().is_err());
    }

    #[test]
    fn two_operations_need_more_than_a_body() {
        let bare = Submission::from("{}");
        let (lead, call) = (Operation::LEAD_UPDATE, Operation::TELEPHONY_LOG_CALL);
        assert!(bare.check_for(&lead).is_err() && bare.check_for(&call).is_err());
        assert!(bare.check_for(&Operation::ACTIVITY_CREATE).is_ok());
        assert!(bare.clone().query("leadid", "1").check_for(&lead).is_ok());
        assert!(bare.clone().path_tail("key").check_for(&call).is_ok());
    }

    #[test]
    fn what_is_added_to_the_address_is_escaped_and_never_a_key() {
        let mut url = "https://h/p".to_owned();
        let it = Submission::from("{}").path_tail("a/b?c").query("leadId", "1&x=2").query("n", "é ");
        it.append_to(&mut url).unwrap();
        assert_eq!(url, "https://h/p/a%2Fb%3Fc?leadId=1%26x%3D2&n=%C3%A9%20");
        assert!(!format!("{it:?}").contains("a/b"));
        for name in ["accessKey", "SECRETKEY", ""] {
            assert!(Submission::from("{}").query(name, "v").append_to(&mut url).is_err());
        }
        for tail in ["", ".", ".."] {
            assert!(Submission::from("{}").path_tail(tail).append_to(&mut url).is_err());
        }
    }
}
