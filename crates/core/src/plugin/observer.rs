use std::sync::Arc;
use std::time::Duration;

use super::{CallClass, LimiterError};
use crate::{ErrorKind, JobStatus};

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
        /// What the call is for.
        class: CallClass,
        /// How long.
        wait: Duration,
    },
    /// A call is about to be sent.
    Sending {
        /// The operation's name.
        operation: &'a str,
        /// What the call is for.
        class: CallClass,
        /// 1 for the first try.
        attempt: u32,
    },
    /// An answer came, of whatever kind.
    Answered {
        /// The operation's name.
        operation: &'a str,
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
        /// What the call was for.
        class: CallClass,
    },
    /// A try failed and another will follow.
    Retrying {
        /// The operation's name.
        operation: &'a str,
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
