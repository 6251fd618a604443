//! HTTP on ureq. The only place that names it.

mod interruption;
mod resolver;
mod socket;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ureq::http::{HeaderName, HeaderValue, Request as HttpRequest, Response as HttpResponse};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector,
};
use ureq::{Agent, Body, Proxy, SendBody};

use self::interruption::{Exchange, Interruption, is_left, sending};
use self::resolver::{Addresses, RememberingResolver, SystemResolver, lock};
use self::socket::SocketConnector;
use super::SystemClock;
use super::stand_ins::{Sealed, StandIns};
use crate::Error;
use crate::endpoint::is_loopback;
use crate::plugin::{Delivery, Failure, Head, Header, Method, Request, Response, Transport, TransportError};

/// How long each phase of an HTTP exchange may take. The client's deadline bounds their sum.
///
/// ```
/// use activity_status::{Client, Credentials, Endpoint, builtin::Timeouts};
/// use std::time::Duration;
///
/// let impatient = Timeouts { head: Duration::from_secs(5), ..Timeouts::default() };
/// let client = Client::builder(Endpoint::USA, Credentials::new("key")?).timeouts(impatient).build()?;
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Looking the host's name up: 5 s.
    pub resolve: Duration,
    /// Connecting, TLS included: 10 s.
    pub connect: Duration,
    /// Sending the head of the request, and again its body: 15 s each.
    pub send: Duration,
    /// From the end of the request to the head of the answer: 30 s.
    pub head: Duration,
    /// The body of the answer: 30 s.
    pub body: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Timeouts {
            resolve: seconds(5),
            connect: seconds(10),
            send: seconds(15),
            head: seconds(30),
            body: seconds(30),
        }
    }
}

/// The transport that you get if you choose none: HTTP/1.1 on ureq, TLS by rustls with Mozilla's roots.
///
/// It follows no redirect (one would carry the keys to another host), never retries, sends plain HTTP to this machine
/// alone and past any proxy, and uses no proxy unless told. An answer over 10 MiB is refused. It keeps up to 64 connections open, remembers
/// addresses for a minute, and starts no thread for a call on a connection that it has. A call that is cancelled ends
/// within 25 ms wherever it waits. What ureq logs of a request
/// holds no key, at whatever level; at `trace` it also logs the bytes of answers, whatever the server puts there.
#[derive(Debug)]
pub struct UreqTransport {
    agent: Agent,
    known: Addresses,
    sealed: Sealed,
    interruption: Interruption,
    /// How many connections were made.
    connections: Arc<AtomicU64>,
}

const MAX_BODY: u64 = 10 * 1024 * 1024;
const MAX_HEAD: usize = 64 * 1024;
const MAX_CONNECTIONS: usize = 64;

/// No exchange lasts longer, whatever the deadline: the phases have time-outs of their own, and clocks overflow.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A submit goes out on a fresh connection or one that was in use a moment ago: an older one may have been closed at
/// the other end, and then nobody knows whether the submit arrived.
const SUBMIT_IDLE: Duration = Duration::from_millis(250);

impl UreqTransport {
    /// A transport that connects directly.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a time-out of zero.
    pub fn new(timeouts: Timeouts) -> Result<Self, Error> {
        UreqTransport::build(timeouts, None)
    }

    /// A transport that goes through an HTTP proxy (`http://[user:password@]host:port`) by CONNECT.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a time-out of zero, or a URL that names no proxy.
    pub fn with_proxy(timeouts: Timeouts, proxy: &str) -> Result<Self, Error> {
        // The URL can hold a password: it is not repeated.
        let known = Proxy::new(proxy).ok().filter(|_| proxy.starts_with("http://"));
        let proxy =
            known.ok_or_else(|| Error::config("the proxy URL is not of the form http://host:port"))?;
        UreqTransport::build(timeouts, Some(proxy))
    }

    /// The same, whose exchanges end as soon as `is_over` says so, as those of a cancelled call do. It is asked on the thread
    /// that sends: before anything is sent, every 25 ms while that waits, and when a signal has come. It may itself make
    /// calls. One that was given before stays.
    pub fn interruptible(self, is_over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.interruption.also(is_over);
        self
    }

    fn build(timeouts: Timeouts, proxy: Option<Proxy>) -> Result<Self, Error> {
        let Timeouts { resolve, connect, send, head, body } = timeouts;
        let [resolve, connect, send, head, body] =
            [resolve, connect, send, head, body].map(|time| time.min(LONGEST));
        if [resolve, connect, send, head, body].contains(&Duration::ZERO) {
            return Err(Error::config("a time-out of zero lets no call succeed"));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .timeout_resolve(Some(resolve))
            .timeout_connect(Some(connect))
            .timeout_send_request(Some(send))
            .timeout_send_body(Some(send))
            .timeout_recv_response(Some(head))
            .timeout_recv_body(Some(body))
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(2 * MAX_HEAD)
            .output_buffer_size(16 * 1024)
            .max_idle_connections(MAX_CONNECTIONS)
            .max_idle_connections_per_host(MAX_CONNECTIONS)
            .build();
        let known = Addresses::default();
        let interruption = Interruption::default();
        let lookup = SystemResolver(interruption.clone());
        let resolver = RememberingResolver { lookup, known: known.clone(), clock: SystemClock::new() };
        let sealed = Sealed::new();
        let connections = Arc::<AtomicU64>::default();
        let connecting = Connecting { sealed: sealed.clone(), connections: connections.clone() };
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(SocketConnector(interruption.clone()))
                .chain(RustlsConnector::default())
                .chain(connecting);
        let agent = Agent::with_parts(config, connector, resolver);
        Ok(UreqTransport { agent, known, sealed, interruption, connections })
    }
}

impl Transport for UreqTransport {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        let not_sent = |failure, message: &str| {
            Err(TransportError {
                delivery: Delivery::NotSent,
                failure,
                message: message.to_owned(),
                source: None,
            })
        };
        if request.time_left.is_zero() {
            return not_sent(Failure::TimedOut, "no time was left to send the call in");
        }
        let exchange = Exchange::begin(request.cancelled);
        if self.interruption.check().is_err() {
            return not_sent(Failure::Interrupted, "the call was cancelled before it was sent");
        }
        let mut unsent = Unsent(request.body.unwrap_or_default());
        let connections = self.connections.load(Ordering::Relaxed);
        let answer = self.exchange(request, &mut unsent);
        // If another call has made one meanwhile, this one is thought to have: nobody learns anything wrong from that.
        let new = self.connections.load(Ordering::Relaxed) != connections;
        request.new_connection.store(new, Ordering::Relaxed);
        let mut response = answer.map_err(|error| {
            let delivery = match failed_before_sending(&error) {
                true => Delivery::NotSent,
                false if is_left(&error) && !exchange.has_sent() => Delivery::NotSent,
                // The announced body has not all left, so nobody can have acted on it.
                false if !unsent.0.is_empty() => Delivery::Partly,
                false => Delivery::InDoubt,
            };
            if delivery == Delivery::NotSent {
                lock(&self.known).clear();
            }
            describe(delivery, &error, request.url)
        })?;
        let head = head_of(&response);
        on_head(&head);
        let body = response.body_mut().with_config().limit(MAX_BODY).read_to_vec();
        let body = body.map_err(|error| describe_body(&error))?;
        Ok(Response { head, body })
    }
}

impl UreqTransport {
    fn exchange(
        &self,
        request: &Request<'_>,
        unsent: &mut Unsent<'_>,
    ) -> Result<HttpResponse<Body>, ureq::Error> {
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let path_at = request.url.find("://").map_or(0, |scheme| scheme + 3);
        let path_at = request.url[path_at..].find('/').map_or(request.url.len(), |slash| path_at + slash);
        let (host, path) = request.url.split_at(path_at);
        // Judged before it is sealed: a space in it would end the request line.
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) || host.contains('?') {
            return Err(ureq::Error::BadUri(String::new()));
        }
        let mut stand_ins = StandIns::new(&self.sealed);
        let url = format!("{host}{}", stand_ins.seal("/", path.strip_prefix('/').unwrap_or_default()));
        let mut builder = HttpRequest::builder().method(method).uri(url);
        if let Some(bytes) = request.body {
            builder = builder.header("content-length", bytes.len());
        }
        for Header { name, value } in request.headers {
            let public = ["accept", "content-type", "user-agent"].contains(name);
            // Judged before it is sealed: a line break in it would begin another header.
            let value = HeaderValue::from_str(value).map_err(ureq::http::Error::from)?;
            let text = value.to_str().unwrap_or_default();
            builder = builder.header(*name, if public { text.to_owned() } else { stand_ins.seal("", text) });
        }
        let bare = builder.body(())?;
        let plain_allowed = bare.uri().host().is_some_and(is_loopback);
        let mut config = self.agent.configure_request(bare).https_only(!plain_allowed);
        if plain_allowed {
            // What goes to this machine goes nowhere else, and in plain text least of all.
            config = config.proxy(None);
        }
        config = config.timeout_global(Some(request.time_left.min(LONGEST)));
        if request.method == Method::Post {
            config = config.max_idle_age(SUBMIT_IDLE);
        }
        let bare = config.build();
        match request.method {
            Method::Get => self.agent.run(bare),
            Method::Post => self.agent.run(bare.map(|()| SendBody::from_reader(unsent))),
        }
    }
}

/// Puts the last step around each new connection, and counts them.
#[derive(Debug, Clone)]
struct Connecting {
    sealed: Sealed,
    connections: Arc<AtomicU64>,
}

impl<In: ureq::unversioned::transport::Transport> Connector<In> for Connecting {
    type Out = Unsealing<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        inner: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(inner.map(|inner| Unsealing { inner, sealed: self.sealed.clone() }))
    }
}

/// A connection that replaces stand-ins as bytes leave, on the last step before the socket or TLS.
#[derive(Debug)]
pub(super) struct Unsealing<In> {
    inner: In,
    sealed: Sealed,
}

impl<In: ureq::unversioned::transport::Transport> ureq::unversioned::transport::Transport for Unsealing<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        sending();
        let Some(opened) = self.sealed.opened(&self.inner.buffers().output()[..amount]) else {
            return self.inner.transmit_output(amount, timeout);
        };
        let mut rest = &opened[..];
        while !rest.is_empty() {
            let output = self.inner.buffers().output();
            let (now, later) = rest.split_at(rest.len().min(output.len()));
            output[..now.len()].copy_from_slice(now);
            self.inner.transmit_output(now.len(), timeout)?;
            rest = later;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// What of a body has not been handed to the network yet.
struct Unsent<'a>(&'a [u8]);

impl Read for Unsent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

fn head_of(response: &HttpResponse<Body>) -> Head {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    Head { status: response.status().as_u16(), headers: response.headers().iter().filter_map(pair).collect() }
}

/// Is it certain that the request never left? Only what fails before there is a connection is.
fn failed_before_sending(error: &ureq::Error) -> bool {
    use ureq::{Error as E, Timeout};
    match error {
        E::HostNotFound
        | E::ConnectionFailed
        | E::BadUri(_)
        | E::Http(_)
        | E::InvalidProxyUrl
        | E::ConnectProxyFailed(_)
        | E::RequireHttpsOnly(_)
        | E::TlsRequired
        | E::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        E::Io(io) => matches!(
            io.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable
        ),
        _ => false,
    }
}

/// Our own words for each of ureq's errors: several of them print the whole URL, and that can hold keys. Of the URL we
/// say the host alone.
fn describe(delivery: Delivery, error: &ureq::Error, url: &str) -> TransportError {
    let host = url.split('/').nth(2).unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    use ureq::{Error as E, Timeout};
    let (failure, message) = match error {
        E::Timeout(phase) => {
            let phase = match phase {
                Timeout::Resolve => "looking the host's name up took too long",
                Timeout::Connect => "connecting took too long",
                Timeout::SendRequest | Timeout::SendBody => "sending the request took too long",
                Timeout::RecvResponse => "no answer came within the time-out",
                Timeout::RecvBody => "the answer's body took too long",
                _ => "no whole answer came in the time that was left",
            };
            (Failure::TimedOut, phase.to_owned())
        }
        E::HostNotFound => {
            (Failure::Connection, format!("{host} could not be looked up: no network, or no such name"))
        }
        E::ConnectionFailed => (Failure::Connection, format!("no connection to {host} could be made")),
        E::ConnectProxyFailed(_) => (Failure::Connection, "the proxy did not connect us".to_owned()),
        E::Rustls(tls) => (Failure::Connection, format!("TLS failed: {tls}")),
        E::Tls(what) => (Failure::Connection, format!("TLS failed: {what}")),
        _ if is_left(error) => (Failure::Interrupted, "it was interrupted before the answer came".to_owned()),
        E::Io(io) => match (io.kind(), io.get_ref()) {
            (io::ErrorKind::UnexpectedEof, _) => {
                (Failure::Connection, "the connection was closed before the answer came".to_owned())
            }
            (io::ErrorKind::InvalidData, Some(tls)) => (Failure::Connection, format!("TLS failed: {tls}")),
            (io::ErrorKind::TimedOut, _) => (Failure::TimedOut, "the network timed out".to_owned()),
            (io::ErrorKind::ConnectionRefused, _) => {
                (Failure::Connection, format!("{host} refused the connection: nothing listens there"))
            }
            (kind, _) => (Failure::Connection, kind.to_string()),
        },
        E::Protocol(_) => (Failure::Malformed, "what came back is not HTTP".to_owned()),
        E::LargeResponseHeader(..) => (Failure::Malformed, "the head of the answer is too large".to_owned()),
        E::RequireHttpsOnly(_) | E::TlsRequired => {
            (Failure::Config, "plain HTTP may only be sent to this machine itself".to_owned())
        }
        E::BadUri(_) | E::Http(_) | E::InvalidProxyUrl => {
            (Failure::Config, "the URL or a header is not valid HTTP".to_owned())
        }
        _ => (Failure::Connection, "the HTTP exchange failed".to_owned()),
    };
    TransportError { delivery, failure, message, source: None }
}

/// The head had come, so the request arrived; what went wrong is the body.
fn describe_body(error: &ureq::Error) -> TransportError {
    let cut_off = |message: &str| TransportError {
        delivery: Delivery::InDoubt,
        failure: Failure::Malformed,
        message: message.to_owned(),
        source: None,
    };
    match error {
        ureq::Error::BodyExceedsLimit(_) => cut_off("the answer is larger than 10 MiB"),
        ureq::Error::Io(io) if io.kind() == io::ErrorKind::UnexpectedEof => cut_off("the answer was cut off"),
        ureq::Error::Protocol(_) => cut_off("the answer's body is not valid HTTP"),
        other => describe(Delivery::InDoubt, other, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_a_leak_or_a_hang_hides_in_is_set() {
        let transport = UreqTransport::new(Timeouts::default()).unwrap();
        let config = transport.agent.config();
        assert!(!config.http_status_as_error());
        assert_eq!(config.max_redirects(), 0);
        assert!(!config.max_redirects_will_error());
        assert!(config.https_only(), "plain HTTP is allowed for each request to this machine alone");
        assert!(config.proxy().is_none());
        assert_eq!(config.max_idle_connections_per_host(), MAX_CONNECTIONS);
        assert_eq!(config.max_response_header_size(), MAX_HEAD);
        let timeouts = config.timeouts();
        let phases = [
            timeouts.resolve,
            timeouts.connect,
            timeouts.send_request,
            timeouts.send_body,
            timeouts.recv_response,
            timeouts.recv_body,
        ];
        assert!(phases.iter().all(Option::is_some), "{phases:?}");
    }

    #[test]
    fn none_of_our_words_for_an_error_holds_the_url() {
        let url = "http://h/?secretKey=s3cr3t".to_owned();
        for error in [
            ureq::Error::BadUri(url.clone()),
            ureq::Error::RequireHttpsOnly(url.clone()),
            ureq::Error::ConnectProxyFailed(url.clone()),
            ureq::Error::Other(url.clone().into()),
        ] {
            let ours = describe(Delivery::InDoubt, &error, &url);
            assert!(!format!("{ours}{ours:?}").contains("s3cr3t"), "{ours:?}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let none = Timeouts { head: Duration::ZERO, ..Timeouts::default() };
        assert!(UreqTransport::new(none).is_err());
        for proxy in ["nonsense://u:s3cr3t@", "socks5://u:s3cr3t@h:1", "https://u:s3cr3t@h:1", ""] {
            let error = UreqTransport::with_proxy(Timeouts::default(), proxy).expect_err(proxy);
            assert!(!format!("{error}{error:?}").contains("s3cr3t"));
        }
    }
}
