use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::wire::{date, shortened};
use crate::{JobStatus, Lost, Operation, RequestId};

/// A call that brought no answer to your question.
///
/// A job that failed is not an error: it is a [`JobStatus`] whose outcome is
/// [`Failed`](crate::Outcome::Failed). `Display` says what happened, to which request, and what to do next; neither
/// it nor `Debug` ever holds a key.
///
/// ```
/// use activity_status::{ErrorKind, RequestId, Resend};
///
/// let error = RequestId::new("").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert_eq!(error.resend(), Resend::Pointless);
/// ```
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentence())]
struct Inner {
    kind: ErrorKind,
    message: String,
    resend: Resend,
    operation: Option<String>,
    request_id: Option<RequestId>,
    http_status: Option<u16>,
    vendor: Option<VendorError>,
    attempts: u32,
    elapsed: Option<Duration>,
    lost: Option<Lost>,
    last_status: Option<JobStatus>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// What went wrong, in one word that is the same in every language.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// May the same call be made again?
    pub fn resend(&self) -> Resend {
        self.0.resend
    }

    /// What happened, without the context that `Display` adds.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The HTTP status of the answer, if there was one, or at least the beginning of one.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status.or_else(|| self.lost()?.head)
    }

    /// What the vendor said of it, if it did.
    pub fn vendor(&self) -> Option<&VendorError> {
        self.0.vendor.as_ref()
    }

    /// The name of the operation, such as `activity.create`, if one was begun.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation.as_deref()
    }

    /// The job that was asked about.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.0.request_id.as_ref()
    }

    /// How many HTTP calls were tried; 0 if nothing was sent.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long the whole call took, with its waits and attempts; of a job that was followed, how long it was. `None` if nothing was begun.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// How the call went, if it got no whole answer. Of one that may [duplicate](Resend::MayDuplicate), the attempt that is in doubt: the last of
    /// them, whatever came of others.
    pub fn lost(&self) -> Option<&Lost> {
        self.0.lost.as_ref()
    }

    /// The last thing the vendor said of the job, if a [`wait`](crate::Client::wait) ended before its outcome.
    pub fn last_status(&self) -> Option<&JobStatus> {
        self.0.last_status.as_ref()
    }

    /// The error as one line of JSON, the same in every language and on the command line:
    /// `{"request_id", "operation", "error": {"kind", "message", "resend", "http_status"}}`.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            request_id: Option<&'a str>,
            operation: Option<&'a str>,
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            kind: &'a str,
            message: String,
            resend: &'a str,
            http_status: Option<u16>,
        }
        let line = Line {
            request_id: self.request_id().map(RequestId::as_str),
            operation: self.operation(),
            error: Body {
                kind: self.kind().as_str(),
                message: self.to_string(),
                resend: self.resend().as_str(),
                http_status: self.http_status(),
            },
        };
        serde_json::to_string(&line).expect("strings and numbers always serialise")
    }

    pub(crate) fn new(kind: ErrorKind, resend: Resend, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            resend,
            operation: None,
            request_id: None,
            http_status: None,
            vendor: None,
            attempts: 0,
            elapsed: None,
            lost: None,
            last_status: None,
            source: None,
        }))
    }

    /// Bad input or settings, found before anything was sent.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Config, Resend::Pointless, message)
    }

    pub(crate) fn with_http(mut self, status: u16, vendor: Option<VendorError>) -> Self {
        self.0.http_status = Some(status);
        self.0.vendor = vendor;
        self
    }

    pub(crate) fn with_source(mut self, source: Option<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = source;
        self
    }

    pub(crate) fn with_last_status(mut self, status: Option<JobStatus>) -> Self {
        self.0.last_status = status;
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_elapsed(mut self, elapsed: Duration) -> Self {
        self.0.elapsed = Some(elapsed);
        self
    }

    pub(crate) fn with_lost(mut self, lost: Option<Lost>) -> Self {
        self.0.lost = lost;
        self
    }

    pub(crate) fn with_resend(mut self, resend: Resend) -> Self {
        self.0.resend = resend;
        self
    }

    /// The same said once more, of another job.
    pub(crate) fn copy(&self) -> Self {
        let copy = Error::new(self.kind(), self.resend(), self.message());
        let (http_status, vendor, lost) = (self.0.http_status, self.0.vendor.clone(), self.0.lost);
        Error(Box::new(Inner { http_status, vendor, lost, ..*copy.0 }))
    }

    /// Says which call this was about.
    pub(crate) fn about(mut self, operation: &Operation, id: Option<&RequestId>) -> Self {
        self.0.operation = Some(operation.name().to_owned());
        self.0.request_id = id.cloned();
        self
    }
}

impl fmt::Debug for Error {
    /// The kind and the sentence: it is what a `main` that returns an error prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind())
    }
}

impl Inner {
    /// What happened, to which request, and what to do next.
    fn sentence(&self) -> String {
        let mut text = self.message.clone();
        if let Some(vendor) = &self.vendor {
            text.push_str(&format!(": {vendor}"));
        }
        let tries = match self.attempts {
            0 => None,
            1 => Some("1 attempt".to_owned()),
            n => Some(format!("{n} attempts")),
        };
        let request = self.request_id.as_ref().map(|id| format!("request {id}"));
        let lost = self.lost.filter(|_| self.kind == ErrorKind::InDoubt);
        let sent = lost.map(|lost| format!("sent at {} UTC", date(lost.sent_at)));
        let head = lost.and_then(|lost| lost.head).map(|status| format!("its answer began with {status}"));
        let context: Vec<String> =
            [self.operation.clone(), request, sent, head, tries].into_iter().flatten().collect();
        if !context.is_empty() {
            text.push_str(&format!(" ({})", context.join(", ")));
        }
        match self.kind.advice() {
            "" => text,
            advice => text + ". " + advice,
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $advice:literal;)*) => {
        /// What went wrong. The words are the same in every language: `InDoubt` is `in_doubt` on the command
        /// line, `ASTAT_E_IN_DOUBT` in C and `InDoubtError` in Python.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorKind {
            /// Every kind there is.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$variant,)*];

            /// The kind as one lower-case word.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorKind::$variant => $word,)* }
            }

            /// What to do next, as one sentence; empty where the message says it already.
            pub fn advice(self) -> &'static str {
                match self { $(ErrorKind::$variant => $advice,)* }
            }
        }
    };
}

kinds! {
    /// Bad input or settings. Nothing was sent.
    Config = "config", "";
    /// No connection, or it broke.
    Transport = "transport", "Check the network and the base URL, then try again";
    /// No answer within the time-out.
    TimedOut = "timed_out", "Try again, or raise the time-outs";
    /// 401 (or 403): the keys were not accepted.
    Unauthorized = "unauthorized",
        "Check the keys, and the region: a key of another region is refused like a wrong one";
    /// 400, or another 4xx that is not listed: the vendor did not accept the request.
    BadRequest = "bad_request", "Correct the request; sending it again unchanged will fail again";
    /// 404: the path, or the job, does not exist.
    NotFound = "not_found", "Check the request id, the operation and the base URL";
    /// 429: more calls than the quota, by this program or another one with the same key.
    Refused = "refused", "Lower the quota setting, or share one limiter among all that use this key";
    /// 5xx: the vendor failed.
    Server = "server", "Look at the vendor's text; the failure is on its side";
    /// What came is not an answer: HTML, cut off, too large, a redirect, or about another job.
    Malformed = "malformed", "Check the base URL and any proxy or gateway on the way";
    /// A submit was sent and its answer was lost: the job may exist, or not.
    InDoubt = "in_doubt", "Look in the CRM before you send it again: that may create it twice";
    /// The limiter could not tell whether a call may be sent, so it was not.
    Limiter = "limiter", "See to the limiter, then try again";
    /// The ledger could not be written, so nothing was sent. (No part of 0.1 keeps one yet.)
    Ledger = "ledger", "Look at the ledger's file";
    /// The deadline passed first.
    Deadline = "deadline", "Give it more time, or try again later";
    /// The wait was cut short by a signal or a cancellation.
    Interrupted = "interrupted", "Try again later";
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// May the same call be made again?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resend {
    /// Yes: it never arrived, was refused, or is harmless to repeat.
    Safe,
    /// It may already have been carried out: a second one may create a duplicate.
    MayDuplicate,
    /// It would fail again.
    Pointless,
}

impl Resend {
    /// The advice as one lower-case word: `safe`, `may_duplicate` or `pointless`.
    pub fn as_str(self) -> &'static str {
        match self {
            Resend::Safe => "safe",
            Resend::MayDuplicate => "may_duplicate",
            Resend::Pointless => "pointless",
        }
    }
}

/// What the vendor, or whatever answered in its place, said in the body of an error, with our keys masked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VendorError {
    /// Its `ExceptionType`, such as `MXInvalidAccessKeyException`.
    pub exception_type: Option<String>,
    /// Its `ExceptionMessage`.
    pub exception_message: Option<String>,
    /// The beginning of the body, its white space folded.
    pub body: String,
}

impl VendorError {
    /// Is it an error in the vendor's own form?
    pub(crate) fn is_named(&self) -> bool {
        self.exception_type.is_some() || self.exception_message.is_some()
    }
}

impl fmt::Display for VendorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.exception_type, &self.exception_message) {
            (Some(t), Some(m)) => write!(f, "{t}: {m}"),
            (Some(one), None) | (None, Some(one)) => f.write_str(one),
            (None, None) => write!(f, "\u{201c}{}\u{201d}", shortened(&self.body, 120)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide_so_results_stay_small() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn the_words_are_the_names_of_the_variants() {
        for kind in ErrorKind::ALL {
            let variant: String = format!("{kind:?}");
            let word: String = kind.as_str().split('_').map(|w| w[..1].to_uppercase() + &w[1..]).collect();
            assert_eq!(word, variant);
        }
    }

    #[test]
    fn display_says_what_happened_to_which_request_and_what_next() {
        let id = RequestId::new("42").unwrap();
        let error = Error::new(ErrorKind::InDoubt, Resend::MayDuplicate, "the connection broke")
            .about(&Operation::ACTIVITY_CREATE, Some(&id))
            .with_attempts(2);
        assert_eq!(
            error.to_string(),
            "the connection broke (activity.create, request 42, 2 attempts). Look in the CRM before you send it \
             again: that may create it twice"
        );
        assert_eq!(
            error.to_json(),
            format!(
                r#"{{"request_id":"42","operation":"activity.create","error":{{"kind":"in_doubt","message":"{error}","resend":"may_duplicate","http_status":null}}}}"#
            )
        );
    }
}
