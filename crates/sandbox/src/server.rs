use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::fault::slow_pieces;
use crate::{Book, Call, Manner, Planned, Reply, Sandbox, Settings};

/// The [`Sandbox`] on a port of this machine, in a thread of its own, until it is dropped.
///
/// Besides the vendor's paths it has three of its own, which need no key and count in no quota: `GET /sandbox` is
/// help, `GET /sandbox/book` is the [`Book`] as JSON, `POST /sandbox/faults` takes a JSON array of [`Planned`].
///
/// ```
/// use activity_status_sandbox::{Server, Settings};
///
/// let server = Server::start(Settings::default(), ([127, 0, 0, 1], 0))?;
/// assert!(server.url().starts_with("http://127.0.0.1:"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts on a loopback address; port 0 takes any that is free.
    ///
    /// # Errors
    /// If the address is not a loopback one, or cannot be had.
    pub fn start(settings: Settings, address: impl Into<SocketAddr>) -> io::Result<Self> {
        let address = address.into();
        if !address.ip().is_loopback() {
            let message = format!(
                "{address} can be reached from other machines; use 127.0.0.1 or [::1], or `start_public` if it is meant"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Server::start_public(settings, address)
    }

    /// Starts on any address. Whoever can reach it can use it: it speaks plain HTTP, and its keys are no secret.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn start_public(settings: Settings, address: impl Into<SocketAddr>) -> io::Result<Self> {
        let listener = StdListener::bind(address.into())?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::new(Shared {
            started: Instant::now(),
            sandbox: Arc::new(Mutex::new(Sandbox::new(settings))),
        });
        let (stop, stopped) = watch::channel(false);
        let listener = runtime.block_on(async { TcpListener::from_std(listener) })?;
        let served = shared.clone();
        let thread = std::thread::Builder::new()
            .name("sandbox".into())
            .spawn(move || runtime.block_on(accept(listener, served, stopped)))?;
        Ok(Server { address, shared, stop, thread: Some(thread) })
    }

    /// Its base address, such as `http://127.0.0.1:8025`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has happened by now.
    pub fn book(&self) -> Book {
        self.shared.book()
    }

    /// The sandbox itself, to plan faults in or to look into. While its lock is held, no call is answered.
    pub fn sandbox(&self) -> &Arc<Mutex<Sandbox>> {
        &self.shared.sandbox
    }
}

impl Drop for Server {
    /// Stops: calls under way have two seconds to end.
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported over there; there is nothing to add.
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    sandbox: Arc<Mutex<Sandbox>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> Book {
        let mut sandbox = self.lock();
        sandbox.advance(self.started.elapsed());
        sandbox.book().clone()
    }
}

const MAX_CONNECTIONS: usize = 1024;
const MAX_HEAD: usize = 64 * 1024;
/// Of a body that is too large, so much is read before the caller is told.
const MAX_DRAINED: usize = 64 << 20;

async fn accept(listener: TcpListener, shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stop = pin!(asked_to_stop(stopped.clone()));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            () = &mut stop => break,
            (place, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    let (shared, stopped) = (shared.clone(), stopped.clone());
                    connections.spawn(async move {
                        converse(stream, shared, stopped).await;
                        drop(place);
                    });
                }
                // Too many open files, say: it may pass.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let _ = timeout(Duration::from_secs(2), async { while connections.join_next().await.is_some() {} }).await;
}

/// Serves one connection until it ends or an answer is to be delivered in a way that HTTP does not know.
async fn converse(stream: TcpStream, shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    // Without this, small answers may wait for the caller's acknowledgement; a refusal costs nothing either.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| Box::pin(respond(request, shared.clone())));
    let mut connection =
        http1::Builder::new().max_buf_size(MAX_HEAD).serve_connection(TokioIo::new(stream), service);
    let mut stop = pin!(asked_to_stop(stopped.clone()));
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            () = &mut stop, if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let mut stream = connection.into_parts().io.into_inner();
    let odd = ended.err().and_then(|error| {
        std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<Odd>())
            .map(|odd| odd.0.clone())
    });
    if let Some(reply) = odd {
        let delivery = deliver(&mut stream, &reply);
        tokio::select! {
            // The caller may hang up in the middle, which is the caller's affair.
            _ = delivery => {}
            () = asked_to_stop(stopped) => {}
        }
        if reply.manner == Manner::Reset {
            let _ = stream.set_zero_linger();
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn asked_to_stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the server is gone, which comes to the same.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Delivers by hand what must not come whole.
async fn deliver(stream: &mut TcpStream, reply: &Reply) -> io::Result<()> {
    match reply.manner {
        Manner::Reset | Manner::Closed => return Ok(()),
        Manner::Never => {
            let mut ignored = [0; 1024];
            while stream.read(&mut ignored).await? > 0 {}
            return Ok(());
        }
        Manner::Whole | Manner::Slow(_) | Manner::Truncated => {}
    }
    let mut head = format!(
        "HTTP/1.1 {} \r\ncontent-length: {}\r\nconnection: close\r\n",
        reply.status,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    match reply.manner {
        Manner::Truncated => stream.write_all(&reply.body[..reply.body.len() / 2]).await,
        Manner::Slow(over) => {
            let (size, pause) = slow_pieces(reply.body.len(), over);
            for piece in reply.body.chunks(size) {
                sleep(pause).await;
                stream.write_all(piece).await?;
            }
            Ok(())
        }
        _ => stream.write_all(&reply.body).await,
    }
}

/// A reply that HTTP has no way to deliver: it ends the conversation, and [`converse`] takes it from there.
#[derive(Debug)]
struct Odd(Reply);

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0.manner)
    }
}

impl std::error::Error for Odd {}

async fn respond(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Odd> {
    let (head, body) = request.into_parts();
    let max_body = shared.lock().settings().max_body;
    let Some(body) = read(body, max_body).await else {
        return respond_with(Reply::new(
            413,
            "text/plain",
            "The body is larger than the sandbox takes\n".into(),
        ));
    };
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let call = Call {
        method: head.method.as_str().into(),
        path: head.uri.path().into(),
        query: head.uri.query().unwrap_or_default().into(),
        headers: head.headers.iter().map(|(name, value)| (name.as_str().into(), text(value))).collect(),
        body,
    };
    if call.path == "/sandbox" || call.path.starts_with("/sandbox/") {
        return respond_with(own_page(&call, &shared));
    }
    let Some((there, back)) = shared.lock().travel(&call) else {
        return Err(Odd(Reply::odd(Manner::Reset)));
    };
    // A task of its own, so that a call arrives even if its sender hangs up meanwhile.
    let arrival = tokio::spawn(async move {
        pause(there).await;
        let now = shared.started.elapsed();
        shared.lock().handle(&call, now)
    });
    let reply =
        arrival.await.unwrap_or_else(|_| Reply::new(500, "text/plain", "The sandbox itself failed\n".into()));
    pause(back).await;
    respond_with(reply)
}

fn respond_with(reply: Reply) -> Result<Response<Full<Bytes>>, Odd> {
    if reply.manner != Manner::Whole {
        return Err(Odd(reply));
    }
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

/// The whole body; none if it is too large or does not come.
async fn read(mut body: Incoming, max: usize) -> Option<Vec<u8>> {
    let (mut bytes, mut seen) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let data = frame.ok()?.into_data().unwrap_or_default();
        seen += data.len();
        if seen <= max {
            bytes.extend_from_slice(&data);
        } else if seen > MAX_DRAINED {
            break;
        }
    }
    (seen <= max).then_some(bytes)
}

fn own_page(call: &Call, shared: &Shared) -> Reply {
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/sandbox") => Reply::new(200, "text/plain; charset=utf-8", HELP.into()),
        ("GET", "/sandbox/book") => match serde_json::to_string(&shared.book()) {
            Ok(book) => Reply::json(200, book),
            Err(error) => Reply::new(500, "text/plain", format!("{error}\n").into()),
        },
        ("POST", "/sandbox/faults") => match serde_json::from_slice::<Vec<Planned>>(&call.body) {
            Ok(plan) => {
                let planned = plan.len();
                shared.lock().plan(plan);
                Reply::json(200, format!(r#"{{"planned":{planned}}}"#))
            }
            Err(error) => {
                Reply::new(400, "text/plain", format!("Not a JSON array of faults: {error}\n").into())
            }
        },
        _ => Reply::new(404, "text/plain", HELP.into()),
    }
}

/// Waits, but not at all for nothing: tokio's shortest sleep is a millisecond.
async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

const HELP: &str = "\
A model of LeadSquared's Async API, to try things on.

The vendor's paths:
  POST /activity/create                      and the other operations; x-api-key, access key and secret key
  GET  /activity/create/status?RequestID=ID  x-api-key alone
  GET  /activity/create/metrics              x-api-key alone

In a job's text: sandbox:fail, sandbox:error, sandbox:retry=2, sandbox:never.

The sandbox's own, without a key:
  GET  /sandbox          this text
  GET  /sandbox/book     what has happened, counted
  POST /sandbox/faults   what is to go wrong next: [{\"fault\": \"reset\", \"on\": \"submit\", \"times\": 2}]
       faults: pass unreachable server_error html_error too_many_requests redirect silence reset
               answer_lost empty_answer truncated slow_body huge about_another
";
