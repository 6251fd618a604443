use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Sends one HTTP request and brings back the answer: the only part that touches the network, and the only place
/// to stack things (a recorder, a proxy of your own, a fake).
///
/// A transport must not follow redirects, retry, or turn a 4xx or 5xx into an error: those are answers.
/// Any `Fn(&Request, &mut dyn FnMut(&Head)) -> Result<Response, TransportError>` is one.
///
/// ```
/// use activity_status::plugin::{Head, Request, Response, TransportError};
/// use activity_status::{Client, Credentials, Endpoint, Operation, RequestId};
///
/// let canned = |_request: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
///     let head = Head { status: 200, headers: vec![] };
///     on_head(&head);
///     let body = br#"{"RequestId":"1","TaskStatus":{"TaskType":"Activity Create","Status":"In-Queue"}}"#.to_vec();
///     Ok::<_, TransportError>(Response { head, body })
/// };
/// let client = Client::builder(Endpoint::INDIA, Credentials::new("your-api-key")?).transport(canned).build()?;
/// let status = client.status(&Operation::ACTIVITY_CREATE, &RequestId::new("1")?)?;
/// assert_eq!(status.state().as_str(), "In-Queue");
/// # Ok::<(), activity_status::Error>(())
/// ```
pub trait Transport: Send + Sync {
    /// Sends `request` and reads the whole answer, calling `on_head` once at the moment its head has arrived.
    ///
    /// # Errors
    /// [`TransportError`] if no whole answer came. Its [`delivery`](TransportError::delivery) decides whether the
    /// call may be sent again, so it says [`NotSent`](Delivery::NotSent) only when that is certain.
    fn send(&self, request: &Request<'_>, on_head: &mut dyn FnMut(&Head))
    -> Result<Response, TransportError>;
}

impl<F> Transport for F
where
    F: Fn(&Request<'_>, &mut dyn FnMut(&Head)) -> Result<Response, TransportError> + Send + Sync,
{
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        self(request, on_head)
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        (**self).send(request, on_head)
    }
}

/// The two HTTP methods that the vendor's Async API uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Asks; harmless to repeat.
    Get,
    /// Submits; each one that arrives makes a new job.
    Post,
}

/// What to send. Its `Debug` shows neither the header values nor the URL beyond its host: both can hold keys.
#[derive(Clone)]
pub struct Request<'a> {
    /// GET or POST.
    pub method: Method,
    /// The whole URL. It holds keys if the query-string form of the keys was asked for.
    pub url: &'a str,
    /// Every header to send, keys among them. Send no others that would identify the caller.
    pub headers: &'a [Header<'a>],
    /// The body, sent byte for byte.
    pub body: Option<&'a [u8]>,
    /// How long the whole exchange may take at the most.
    pub time_left: Duration,
    /// To be set by a transport that makes a connection for this call, before it tells of the head: the time between the two
    /// is then more than a round trip, from which a limiter might learn.
    pub new_connection: &'a AtomicBool,
    /// Becomes true when the caller gives the call up: a transport that can stop then, does.
    pub cancelled: &'a Arc<AtomicBool>,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.split('/').nth(2).unwrap_or_default();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &host)
            .field("headers", &self.headers)
            .field("body_len", &self.body.map(<[u8]>::len))
            .field("time_left", &self.time_left)
            .finish_non_exhaustive()
    }
}

/// One header to send. Its `Debug` shows the name alone: the value can be a key.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// The name, in lower case.
    pub name: &'a str,
    /// The value.
    pub value: &'a str,
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

/// The head of an answer. Its `Debug` shows no header's value: a server may repeat a key in one.
#[derive(Clone, Default)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// Names (in lower case) and values, in the order they came. Values that are not text may be left out.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Head").field("status", &self.status).field("headers", &names).finish()
    }
}

impl Head {
    /// The value of the first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// A whole answer.
#[derive(Clone, Default)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body, all of it.
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("head", &self.head).field("body_len", &self.body.len()).finish()
    }
}

/// Can the request have reached the server?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Certainly not: no byte of it was handed to the network.
    NotSent,
    /// Not all of it, so nobody can have acted on it. Yet it may have been counted, or refused, by its beginning.
    Partly,
    /// It may have.
    InDoubt,
}

impl Delivery {
    /// The answer as one lower-case word: `not_sent`, `partly` or `in_doubt`.
    pub fn as_str(self) -> &'static str {
        match self {
            Delivery::NotSent => "not_sent",
            Delivery::Partly => "partly",
            Delivery::InDoubt => "in_doubt",
        }
    }
}

/// In which way no whole answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// No connection, or it broke.
    Connection,
    /// A time-out passed.
    TimedOut,
    /// What came is not an answer: cut off, over the size limit, not HTTP.
    Malformed,
    /// The settings forbid it or make no sense.
    Config,
    /// It was cut short from our side.
    Interrupted,
}

impl Failure {
    /// The failure as one lower-case word: `connection`, `timed_out`, `malformed`, `config` or `interrupted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Failure::Connection => "connection",
            Failure::TimedOut => "timed_out",
            Failure::Malformed => "malformed",
            Failure::Config => "config",
            Failure::Interrupted => "interrupted",
        }
    }
}

/// No whole answer came.
#[derive(Debug)]
pub struct TransportError {
    /// Can the request have arrived?
    pub delivery: Delivery,
    /// In which way it failed.
    pub failure: Failure,
    /// What happened, in a phrase without a full stop. It must hold no URL and no key.
    pub message: String,
    /// What caused it, if that is an error of its own; it must print no URL and no key either.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
