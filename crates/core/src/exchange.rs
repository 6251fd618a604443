//! How the exchange behind an answer or an error went.

use std::fmt;
use std::time::Duration;

use crate::plugin::{Clock, Delivery, Failure, Head, TransportError};

/// How an answer came: beside what it says, for logs and for whoever looks for a cause. No header's value is in its `Debug`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http {
    /// The HTTP status.
    pub status: u16,
    /// Names (in lower case) and values, in the order they came.
    pub headers: Vec<(String, String)>,
    /// Of one call, the HTTP tries that it took; of a job that was followed, the looks at it so far.
    pub attempts: u32,
    /// How long the call had to wait for the quota; of a job that was followed, the last look at it.
    pub waited: Duration,
    /// How long the last exchange took, from sending to the whole answer.
    pub elapsed: Duration,
}

/// How a call went that got no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// When it was sent, as time since the Unix epoch (UTC).
    pub sent_at: Duration,
    /// Can it have arrived?
    pub delivery: Delivery,
    /// In which way no whole answer came.
    pub failure: Failure,
    /// The HTTP status, if the head of an answer had come: it was very probably carried out, or refused, as that says.
    pub head: Option<u16>,
}

/// One attempt of a call, as far as it has come.
#[derive(Clone, Copy)]
pub(crate) struct Attempt {
    /// The first one is 1.
    pub(crate) number: u32,
    /// How long the call has waited for the quota so far.
    pub(crate) waited: Duration,
    /// When it was sent.
    pub(crate) at: Duration,
    /// The HTTP status, since the head came.
    pub(crate) head: Option<u16>,
}

impl Attempt {
    pub(crate) fn new(number: u32, waited: Duration) -> Self {
        Attempt { number, waited, at: Duration::ZERO, head: None }
    }

    /// The whole answer came so long after it was sent.
    pub(crate) fn answered(&self, head: Head, elapsed: Duration) -> Http {
        let Head { status, headers } = head;
        Http { status, headers, attempts: self.number, waited: self.waited, elapsed }
    }

    /// No whole answer came.
    pub(crate) fn lost(&self, error: &TransportError, clock: &dyn Clock) -> Lost {
        let ago = clock.now().saturating_sub(self.at);
        let sent_at = clock.wall().saturating_sub(ago);
        Lost { sent_at, delivery: error.delivery, failure: error.failure, head: self.head }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Http")
            .field("status", &self.status)
            .field("headers", &names)
            .field("attempts", &self.attempts)
            .field("waited", &self.waited)
            .field("elapsed", &self.elapsed)
            .finish()
    }
}
