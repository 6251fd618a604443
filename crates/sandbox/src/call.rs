use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// One HTTP request, as it reaches the vendor.
#[derive(Clone, Default)]
pub struct Call {
    /// The method, in capitals.
    pub method: String,
    /// The path, with its leading slash.
    pub path: String,
    /// What follows the question mark; empty if nothing does.
    pub query: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// A GET of a path, with a query if there is one.
    pub fn get(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Call { method: "GET".into(), path: path.into(), query: query.into(), ..Call::default() }
    }

    /// A POST of JSON.
    pub fn post(target: &str, json: &str) -> Self {
        let call = Call { method: "POST".into(), body: json.into(), ..Call::get(target) };
        call.header("content-type", "application/json")
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, whichever way its name is capitalised.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn parameters(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        self.query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
    }

    pub(crate) fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}

impl fmt::Debug for Call {
    /// Shows neither query nor header values: somebody may try the sandbox with keys that are real.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "{} {} {names:?}, {} bytes", self.method, self.path, self.body.len())
    }
}

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// To queue a job.
    Submit,
    /// How a job went.
    Status,
    /// How the queue is.
    Metrics,
}

/// The answer to a [`Call`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status; 0 if no answer comes.
    pub status: u16,
    /// Names (in lower case) and values; the length is left to whoever delivers it.
    pub headers: Vec<(String, String)>,
    /// The whole body, even if only a part of it is delivered.
    pub body: Vec<u8>,
    /// How it is delivered.
    pub manner: Manner,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".into(), content_type.into())];
        Reply { status, headers, body, manner: Manner::Whole }
    }

    pub(crate) fn json(status: u16, body: String) -> Self {
        Reply::new(status, "application/json; charset=utf-8", body.into())
    }

    pub(crate) fn odd(manner: Manner) -> Self {
        Reply { manner, ..Reply::default() }
    }

    /// The body as text, for a look at it.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// How an answer is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// As it should be.
    #[default]
    Whole,
    /// The body takes this long.
    Slow(Duration),
    /// The head promises the whole body, and the connection closes half-way through it.
    Truncated,
    /// The connection closes without an answer.
    Closed,
    /// The connection is reset without an answer.
    Reset,
    /// Nothing comes; the connection stays.
    Never,
}
