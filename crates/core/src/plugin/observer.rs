use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{CallClass, LimiterError};
use crate::{ErrorKind, JobStatus, RequestId};

/// Sees what the client does: for logs, metrics, traces and progress. It cannot change or fail a call.
///
/// Called on the thread that makes the call; be quick. Any `Fn(&Event)` is one. No event holds a key.
///
/// ```
/// use activity_status::{Client, Credentials, Endpoint, plugin::Event};
///
/// let client = Client::builder(Endpoint::INDIA, Credentials::new("your-api-key")?)
///     .observer(|event: &Event<'_>| if let Event::Refused { .. } = event { eprintln!("over the quota") })
///     .build()?;
/// # Ok::<(), activity_status::Error>(())
/// ```
pub trait Observer: Send + Sync {
    /// One thing happened.
    fn on_event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn on_event(&self, event: &Event<'_>) {
        (**self).on_event(event);
    }
}

/// One thing that the client did. `operation` is the operation's name, such as `activity.create`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The quota is used up; the call waits this long before it asks again.
    WaitingForPermit {
        /// The operation's name.
        operation: &'a str,
        /// The job that is asked about, if it is about one.
        request_id: Option<&'a RequestId>,
        /// What the call is for.
        class: CallClass,
        /// How long.
        wait: Duration,
    },
    /// A call is about to be sent.
    Sending {
        /// The operation's name.
        operation: &'a str,
        /// The job that is asked about, if it is about one.
        request_id: Option<&'a RequestId>,
        /// What the call is for.
        class: CallClass,
        /// 1 for the first try.
        attempt: u32,
    },
    /// An answer came, of whatever kind.
    Answered {
        /// The operation's name.
        operation: &'a str,
        /// The job that is asked about, if it is about one.
        request_id: Option<&'a RequestId>,
        /// What the call was for.
        class: CallClass,
        /// The HTTP status.
        http_status: u16,
        /// From sending to the whole answer.
        elapsed: Duration,
    },
    /// The answer was a refusal: more calls than the quota were made with this key, by us or by another program.
    Refused {
        /// The operation's name.
        operation: &'a str,
        /// The job that is asked about, if it is about one.
        request_id: Option<&'a RequestId>,
        /// What the call was for.
        class: CallClass,
    },
    /// A try failed and another will follow.
    Retrying {
        /// The operation's name.
        operation: &'a str,
        /// The job that is asked about, if it is about one.
        request_id: Option<&'a RequestId>,
        /// What failed.
        kind: ErrorKind,
        /// How long until the next try at the least.
        wait: Duration,
    },
    /// The limiter could not record what became of a call, which goes on nevertheless.
    SettleFailed {
        /// Why.
        error: &'a LimiterError,
    },
    /// A job's status was read.
    Status {
        /// The operation's name.
        operation: &'a str,
        /// All that the vendor said.
        status: &'a JobStatus,
    },
}

impl Event<'_> {
    /// What it was, as one word.
    pub fn name(&self) -> &'static str {
        match self {
            Event::WaitingForPermit { .. } => "waiting_for_permit",
            Event::Sending { .. } => "sending",
            Event::Answered { .. } => "answered",
            Event::Refused { .. } => "refused",
            Event::Retrying { .. } => "retrying",
            Event::SettleFailed { .. } => "settle_failed",
            Event::Status { .. } => "status",
        }
    }
}

impl fmt::Display for Event<'_> {
    /// One line for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = |f: &mut fmt::Formatter<'_>, operation: &str, id: &Option<&RequestId>| match id {
            Some(id) => write!(f, "{operation} {id}: "),
            None => write!(f, "{operation}: "),
        };
        match self {
            Event::WaitingForPermit { operation, request_id, wait, .. } => {
                about(f, operation, request_id)?;
                write!(f, "waits {wait:?} for the quota")
            }
            Event::Sending { operation, request_id, attempt, .. } => {
                about(f, operation, request_id)?;
                write!(f, "attempt {attempt}")
            }
            Event::Answered { operation, request_id, http_status, elapsed, .. } => {
                about(f, operation, request_id)?;
                write!(f, "answered {http_status} after {elapsed:?}")
            }
            Event::Refused { operation, request_id, .. } => {
                about(f, operation, request_id)?;
                f.write_str("refused (429): more than the quota")
            }
            Event::Retrying { operation, request_id, kind, wait } => {
                about(f, operation, request_id)?;
                write!(f, "{kind}, tried again in {wait:?}")
            }
            Event::SettleFailed { error } => {
                write!(f, "the limiter could not note what became of a call: {error}")
            }
            Event::Status { operation, status } => {
                about(f, operation, &Some(status.request_id()))?;
                write!(f, "{} ({})", status.outcome(), status.state())
            }
        }
    }
}
