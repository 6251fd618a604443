use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Failed;
use super::limiter::lock;
use super::server::{Arrived, PATIENCE, Server, Then, serve, serve_reading};
use crate::builtin::SystemClock;
use crate::plugin::{
    Clock, Delivery, Failure, Head, Header, Method, Request, Response, Transport, TransportError,
};

type Check = fn(&dyn Transport) -> Result<(), String>;

const HEADS: &str = "the head is told of when it comes";

/// Every check, by its name.
const CHECKS: &[(&str, Check)] = &[
    ("a request arrives as it was given", requests_arrive),
    ("every status is an answer", statuses_are_answers),
    ("no redirect is followed", redirects_are_answers),
    (HEADS, heads_are_told),
    ("a body is read whole, whatever its form", bodies_are_whole),
    ("half an answer is none", halves_are_errors),
    ("an endless answer is none", endless_answers_are_errors),
    ("not sent is what did not leave", not_sent_is_certain),
    ("what may have arrived is in doubt, and sent once", doubts_are_told),
    ("a call ends in its time", calls_end),
    ("an error shows no key", errors_show_no_key),
    ("calls at once get their own answers", answers_are_not_mixed),
];

/// Puts a transport through every check, against servers on this machine's loopback; stops at the first that it does not pass.
///
/// It takes about a second; ten more for each call that had to end by itself and did not. TLS, proxies, and names that have to
/// be looked up are not checked.
///
/// # Errors
/// [`Failed`] says which check and what the transport did.
///
/// # Panics
/// If the transport does.
pub fn check_transport(transport: &dyn Transport) -> Result<(), Failed> {
    super::run(CHECKS, |check| check(transport))
}

/// The same for a transport that can tell of a head only with the whole answer, as a function that returns it.
///
/// # Errors
/// [`Failed`] says which check and what the transport did.
///
/// # Panics
/// If the transport does.
pub fn check_transport_without_heads(transport: &dyn Transport) -> Result<(), Failed> {
    let checks: Vec<_> = CHECKS.iter().copied().filter(|(name, _)| *name != HEADS).collect();
    super::run(&checks, |check| check(transport))
}

const KEY: &str = "k3y-W4xQz9";
const HEADERS: &[Header<'_>] = &[
    Header { name: "accept", value: "application/json" },
    Header { name: "content-type", value: "application/json" },
    Header { name: "user-agent", value: "conformance/1 (a; b=\"c\")" },
    Header { name: "x-api-key", value: KEY },
    Header { name: "x-odd", value: "a, b;c=\"d\"  e:f@g\\h %41 '*'" },
];

/// A call to make.
#[derive(Clone, Copy)]
struct Call<'a> {
    method: Method,
    url: &'a str,
    headers: &'a [Header<'a>],
    body: Option<&'a [u8]>,
    time_left: Duration,
    cancelled: bool,
}

/// What came of it.
struct Outcome {
    /// Those that were told of.
    heads: Vec<Head>,
    /// Was a new connection told of, before the first head?
    connected: bool,
    result: Result<Response, TransportError>,
}

impl<'a> Call<'a> {
    fn get(url: &'a str) -> Self {
        Call {
            method: Method::Get,
            url,
            headers: HEADERS,
            body: None,
            time_left: 3 * PATIENCE,
            cancelled: false,
        }
    }

    fn post(url: &'a str, body: &'a [u8]) -> Self {
        Call { method: Method::Post, body: Some(body), ..Call::get(url) }
    }

    fn make(&self, subject: &dyn Transport) -> Outcome {
        self.make_telling(subject, &|| {})
    }

    fn make_telling(&self, subject: &dyn Transport, head_came: &dyn Fn()) -> Outcome {
        let (new_connection, cancelled) = (AtomicBool::new(false), Arc::new(AtomicBool::new(self.cancelled)));
        let request = Request {
            method: self.method,
            url: self.url,
            headers: self.headers,
            body: self.body,
            time_left: self.time_left,
            new_connection: &new_connection,
            cancelled: &cancelled,
        };
        let (mut heads, mut connected) = (Vec::new(), false);
        let mut on_head = |head: &Head| {
            connected |= heads.is_empty() && new_connection.load(Ordering::SeqCst);
            heads.push(head.clone());
            head_came();
        };
        let result = subject.send(&request, &mut on_head);
        Outcome { heads, connected, result }
    }

    /// Makes it, of which an answer must come.
    fn answer(&self, transport: &dyn Transport) -> Result<Response, String> {
        let Outcome { heads, result, .. } = self.make(transport);
        let response = result.map_err(|error| format!("an answer became an error: {error}"))?;
        match &heads[..] {
            [head] if head.status == response.head.status && head.headers == response.head.headers => {
                Ok(response)
            }
            _ => Err(format!("of the head {:?} it told {heads:?}", response.head)),
        }
    }

    /// Makes it, of which an error must come.
    fn error(&self, transport: &dyn Transport) -> Result<TransportError, String> {
        match self.make(transport).result {
            Err(error) => Ok(error),
            Ok(Response { head, body }) => {
                Err(format!("it took for an answer: {head:?}, and {} bytes", body.len()))
            }
        }
    }
}

fn with_body(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    [format!("HTTP/1.1 {status} So\r\n{headers}Content-Length: {length}\r\n\r\n").as_bytes(), body].concat()
}

/// Answers every request in the same way.
fn always(bytes: &[u8], then: Then) -> impl Fn(&Arrived, &mut &TcpStream) -> io::Result<Then> + Sync {
    move |_, stream| stream.write_all(bytes).map(|()| then)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, want: T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("{what} is {got:?} and not {want:?}")) }
}

fn requests_arrive(transport: &dyn Transport) -> Result<(), String> {
    let every: String = (0..=255_u8).map(char::from).collect();
    let large = every.repeat(8000);
    let bodies = ["{}", "\r\n\r\n0\r\n\r\n", &every, &large].map(str::as_bytes);
    let targets =
        ["/", "/a%2Fb/./c+d;e=1/../~f%C3%A9", "/a?RequestID=%7B1%7d&q=a+b&empty=&again=1&again=%26"];
    serve(always(&with_body(200, "", b"{}"), Then::Keep), |server| {
        for target in targets {
            Call::get(&server.url(target)).answer(transport)?;
            for body in bodies {
                Call::post(&server.url(target), body).answer(transport)?;
            }
        }
        let arrived = server.arrived();
        let expected = targets.iter().flat_map(|target| {
            let posts = bodies.iter().map(move |body| ("POST", target, *body));
            std::iter::once(("GET", target, &[][..])).chain(posts)
        });
        same("the number of requests", arrived.len(), targets.len() * (1 + bodies.len()))?;
        for (arrived, (method, target, body)) in arrived.iter().zip(expected) {
            same("the method", arrived.method.as_str(), method)?;
            same("the target", arrived.target.as_str(), target)?;
            headers_are_those(arrived)?;
            let length = arrived.header("content-length").map(String::from_utf8_lossy);
            match method {
                "GET" => same("a body's length in a GET", length.is_some_and(|length| length != "0"), false)?,
                _ => same("a body's length", length, Some(body.len().to_string().into()))?,
            }
            if arrived.body != body {
                return Err(format!("a body of {} bytes arrived otherwise", body.len()));
            }
        }
        Ok(())
    })
}

/// What a transport may say besides what it was given.
const ITS_OWN: &[&str] = &["host", "content-length", "connection", "expect", "te", "accept-encoding"];

fn headers_are_those(arrived: &Arrived) -> Result<(), String> {
    for Header { name, value } in HEADERS {
        let there = arrived.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let there: Vec<_> = there.map(|(_, value)| String::from_utf8_lossy(value)).collect();
        same(&format!("the header {name}"), there, vec![(*value).into()])?;
    }
    let given = HEADERS.iter().map(|header| header.name);
    let known: Vec<&str> = given.chain(ITS_OWN.iter().copied()).collect();
    match arrived.headers.iter().find(|(name, _)| !known.contains(&&*name.to_ascii_lowercase())) {
        Some((name, _)) => Err(format!("it added a header of its own: {name}")),
        None => Ok(()),
    }
}

fn statuses_are_answers(transport: &dyn Transport) -> Result<(), String> {
    let statuses = [200, 201, 202, 400, 401, 403, 404, 405, 408, 409, 410, 418, 429, 500, 502, 503, 504, 599];
    let headers = "Retry-After: 7\r\nX-MiXed: A b\r\nx-twice: 1\r\nX-Twice: 2\r\n\
                   WWW-Authenticate: Basic realm=\"x\"\r\nX-Bytes: \u{e9}\r\nX-None:\r\n";
    let status_of = |target: &str| target.trim_start_matches('/').parse().unwrap_or(0);
    let answer = |arrived: &Arrived, stream: &mut &TcpStream| {
        let body = format!("{{\"of\":\"{}\"}}", arrived.target);
        stream.write_all(&with_body(status_of(&arrived.target), headers, body.as_bytes()))?;
        Ok(Then::Keep)
    };
    serve(answer, |server| {
        for status in statuses {
            let Response { head, body } = Call::get(&server.url(&format!("/{status}"))).answer(transport)?;
            same("the status", head.status, status)?;
            for (name, values) in
                [("retry-after", &["7"][..]), ("x-mixed", &["A b"]), ("x-twice", &["1", "2"])]
            {
                let got: Vec<&str> = head
                    .headers
                    .iter()
                    .filter(|(other, _)| other == name)
                    .map(|(_, value)| &**value)
                    .collect();
                same(&format!("the answer's header {name}"), &got[..], values)?;
            }
            same("the body", String::from_utf8_lossy(&body), format!("{{\"of\":\"/{status}\"}}").into())?;
        }
        same("the number of requests", server.arrived().len(), statuses.len())
    })
}

fn redirects_are_answers(transport: &dyn Transport) -> Result<(), String> {
    serve(always(&with_body(200, "", b""), Then::Keep), |elsewhere| {
        for location in [elsewhere.url("/x"), "/x".to_owned()] {
            let answer = |arrived: &Arrived, stream: &mut &TcpStream| {
                let status = arrived.target.trim_start_matches('/').parse().unwrap_or(0);
                stream.write_all(&with_body(status, &format!("Location: {location}\r\n"), b"gone"))?;
                Ok(Then::Keep)
            };
            serve(answer, |server| {
                for status in [301, 302, 303, 307, 308] {
                    let url = server.url(&format!("/{status}"));
                    for call in [Call::get(&url), Call::post(&url, b"{}")] {
                        let Response { head, body } = call.answer(transport)?;
                        same("the status", head.status, status)?;
                        same("the location", head.header("location"), Some(&*location))?;
                        same("the body", &body[..], b"gone")?;
                    }
                }
                same("the number of requests", server.arrived().len(), 10)
            })?;
        }
        same("the number of requests elsewhere", elsewhere.arrived().len(), 0)
    })
}

fn heads_are_told(transport: &dyn Transport) -> Result<(), String> {
    for status in [200, 429, 500] {
        let (told, late) = (Signal::default(), AtomicBool::new(false));
        let answer = |_: &Arrived, stream: &mut &TcpStream| {
            stream.write_all(format!("HTTP/1.1 {status} So\r\nContent-Length: 4\r\n\r\nbo").as_bytes())?;
            late.store(!told.comes(), Ordering::SeqCst);
            stream.write_all(b"dy").map(|()| Then::Keep)
        };
        serve(answer, |server| {
            let url = server.url("/");
            let Outcome { heads, connected, result } =
                Call::get(&url).make_telling(transport, &|| told.give());
            if late.load(Ordering::SeqCst) {
                return Err("the head had come, and it was not told of before the body".to_owned());
            }
            let statuses: Vec<u16> = heads.iter().map(|head| head.status).collect();
            same("what it told of", statuses, vec![status])?;
            same("a new connection told of before the head", connected, true)?;
            let response = result.map_err(|error| format!("an answer became an error: {error}"))?;
            same("the body", &response.body[..], b"body")
        })?;
    }
    Ok(())
}

/// Something that one thread waits for and another one gives.
#[derive(Default)]
struct Signal {
    given: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    fn give(&self) {
        *lock(&self.given) = true;
        self.changed.notify_all();
    }

    /// Does it come while there is patience?
    fn comes(&self) -> bool {
        let waited = self.changed.wait_timeout_while(lock(&self.given), PATIENCE, |given| !*given);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn bodies_are_whole(transport: &dyn Transport) -> Result<(), String> {
    let long: Vec<u8> = (0..1_000_000_u32).map(|i| (i ^ (i >> 8)) as u8).collect();
    let chunked = |chunks: &[&[u8]]| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in chunks {
            bytes.extend_from_slice(format!("{:X};x=y\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        [&bytes, b"0\r\nX-Late: 1\r\n\r\n".as_slice()].concat()
    };
    let early: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n";
    let until_close = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", &long[..]].concat();
    for (form, bytes, then, body) in [
        ("of a length", with_body(200, "", &long), Then::Keep, &long[..]),
        ("of no length", with_body(200, "", b""), Then::Keep, b""),
        (
            "in chunks",
            chunked(&[b"one", &long[..70_000], b"\r\n0\r\n"]),
            Then::Keep,
            &[b"one", &long[..70_000], b"\r\n0\r\n"].concat(),
        ),
        ("in no chunk", chunked(&[]), Then::Keep, b""),
        ("until the end of the connection", until_close, Then::Close, &long),
        ("none, by its status", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), Then::Keep, b""),
        ("after 100 Continue", [early, &with_body(200, "", b"late")].concat(), Then::Keep, b"late"),
    ] {
        serve(always(&bytes, then), |server| {
            let url = server.url("/");
            for call in [Call::get(&url), Call::post(&url, b"{}"), Call::get(&url)] {
                let response = call.answer(transport).map_err(|what| format!("a body {form}: {what}"))?;
                same("the status", response.head.status / 100, 2)?;
                let extra = ["x-early", "x-late"].iter().any(|name| response.head.header(name).is_some());
                if response.body != body || extra {
                    let (got, head) = (response.body.len(), response.head);
                    return Err(format!("a body {form} came otherwise: {got} bytes, after {head:?}"));
                }
            }
            same("the number of requests", server.arrived().len(), 3)
        })?;
    }
    Ok(())
}

fn halves_are_errors(transport: &dyn Transport) -> Result<(), String> {
    let halves: [(&str, &[u8]); 8] = [
        ("of nothing", b""),
        ("of half a line", b"HTTP/1.1 200 O"),
        ("of half a head", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
        ("of another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        ("whose body is cut off", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        ("whose body did not begin", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("whose chunk is cut off", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
        (
            "whose last chunk is missing",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ),
    ];
    for (half, bytes) in halves {
        serve(always(bytes, Then::Close), |server| {
            let error = Call::get(&server.url("/")).error(transport);
            let error = error.map_err(|what| format!("of an answer {half}: {what}"))?;
            if half.contains("bod") || half.contains("chunk") {
                same(&format!("after an answer {half}, the failure"), error.failure, Failure::Malformed)?;
            }
            same(&format!("after an answer {half}, delivery"), error.delivery, Delivery::InDoubt)
        })?;
    }
    Ok(())
}

fn endless_answers_are_errors(transport: &dyn Transport) -> Result<(), String> {
    let line = "x".repeat(1000);
    let (chunk, header) = (format!("3E8\r\n{line}\r\n"), format!("X-Y: {line}\r\n"));
    for (form, begins, piece, ends) in [
        ("a body", "Content-Length: 64000000\r\n\r\n", &line, ""),
        ("a body in chunks", "Transfer-Encoding: chunked\r\n\r\n", &chunk, "0\r\n\r\n"),
        ("a head", "", &header, "Content-Length: 0\r\n\r\n"),
    ] {
        let pieces = piece.repeat(64);
        let answer = |_: &Arrived, stream: &mut &TcpStream| {
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{begins}").as_bytes())?;
            (0..1000).try_for_each(|_| stream.write_all(pieces.as_bytes()))?;
            stream.write_all(ends.as_bytes()).map(|()| Then::Close)
        };
        serve(answer, |server| {
            let error = Call::get(&server.url("/")).error(transport);
            let error = error.map_err(|what| format!("{form} of 64 MB: {what}"))?;
            same(&format!("of {form} of 64 MB, the failure ({error})"), error.failure, Failure::Malformed)?;
            same("delivery", error.delivery, Delivery::InDoubt)
        })?;
    }
    Ok(())
}

fn not_sent_is_certain(transport: &dyn Transport) -> Result<(), String> {
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let unused = unused.map_err(|error| format!("no port is free on the loopback: {error}"))?;
    let nobody = format!("http://{unused}/");
    for call in [Call::get(&nobody), Call::post(&nobody, b"{}")] {
        let error = call.error(transport)?;
        same("where nobody listens, delivery", error.delivery, Delivery::NotSent)?;
        same("where nobody listens, the failure", error.failure, Failure::Connection)?;
    }
    serve(always(&with_body(200, "", b""), Then::Keep), |server| {
        let url = server.url("/");
        for call in [Call::get(&url), Call::post(&url, b"{}")] {
            let error = Call { time_left: Duration::ZERO, ..call }.error(transport)?;
            same("with no time left, delivery", error.delivery, Delivery::NotSent)?;
            let error = Call { cancelled: true, ..call }.error(transport)?;
            same("of a cancelled call, delivery", error.delivery, Delivery::NotSent)?;
            same("of a cancelled call, the failure", error.failure, Failure::Interrupted)?;
        }
        same("the number of requests", server.arrived().len(), 0)
    })
}

fn doubts_are_told(transport: &dyn Transport) -> Result<(), String> {
    // The first request is answered, so that the second one may go out on the same connection.
    for answered in [false, true] {
        let answer = |arrived: &Arrived, stream: &mut &TcpStream| match arrived.target.as_str() {
            "/first" => stream.write_all(&with_body(200, "", b"")).map(|()| Then::Keep),
            _ => Ok(Then::Close),
        };
        for method in [Method::Post, Method::Get] {
            serve(answer, |server| {
                if answered {
                    Call::post(&server.url("/first"), b"{}").answer(transport)?;
                }
                let url = server.url("/second");
                let call = if method == Method::Post { Call::post(&url, b"{}") } else { Call::get(&url) };
                let error = call.error(transport)?;
                let times = server.arrived().iter().filter(|arrived| arrived.target == "/second").count();
                same(&format!("how often a {method:?} arrived that was not answered"), times, 1)?;
                same("when the server had it all and closed, delivery", error.delivery, Delivery::InDoubt)
            })?;
        }
    }
    let large = vec![b' '; 16 << 20];
    serve_reading(
        1,
        |_, _| Ok(Then::Close),
        |server| {
            let error = Call::post(&server.url("/"), &large).error(transport)?;
            match error.delivery {
                Delivery::NotSent => Err("a body had gone half its way and was called not sent".to_owned()),
                _ => Ok(()),
            }
        },
    )
}

fn calls_end(transport: &dyn Transport) -> Result<(), String> {
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    for (how, begins) in [
        ("is silent", ""),
        ("sends its head byte by byte", "HTTP/1.1 200 OK\r\nX-Y: "),
        ("sends its body byte by byte", whole),
    ] {
        let outlasted = AtomicBool::new(false);
        let answer = |_: &Arrived, stream: &mut &TcpStream| {
            stream.write_all(begins.as_bytes())?;
            let drips = !begins.is_empty();
            outlasted.store(drip(stream, drips)?, Ordering::SeqCst);
            Ok(Then::Close)
        };
        serve(answer, |server| {
            let url = server.url("/");
            let call = Call { time_left: Duration::from_millis(200), ..Call::get(&url) };
            let error = call.error(transport)?;
            if outlasted.load(Ordering::SeqCst) {
                return Err(format!("where a server {how}, it had 200 ms and did not end in {PATIENCE:?}"));
            }
            same(&format!("where a server {how}, the failure"), error.failure, Failure::TimedOut)?;
            same(&format!("where a server {how}, delivery"), error.delivery, Delivery::InDoubt)
        })?;
    }
    Ok(())
}

/// Says nothing, or next to nothing, until the other side closes; true if it does not.
fn drip(stream: &mut &TcpStream, drips: bool) -> io::Result<bool> {
    let clock = SystemClock::new();
    let until = clock.now() + PATIENCE;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    while clock.now() < until {
        match stream.read(&mut [0]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if drips {
                    stream.write_all(b"x")?;
                }
            }
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn errors_show_no_key(transport: &dyn Transport) -> Result<(), String> {
    let shows_none = |error: TransportError| {
        let mut said = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            said.push_str(&format!(" {cause} {cause:?}"));
            source = cause.source();
        }
        match said.contains(KEY) {
            true => Err(format!("a key of the URL or of a header is in {:?}", said.replace(KEY, "***"))),
            false => Ok(()),
        }
    };
    let echo = format!("HTTP/1.1 200 OK\r\nX-{KEY}\r\n: {KEY}\r\n\r\n");
    let answers: [&[u8]; 3] = [b"", echo.as_bytes(), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"];
    for bytes in answers {
        serve(always(bytes, Then::Close), |server| {
            let url = server.url(&format!("/?secretKey={KEY}"));
            for call in [
                Call::get(&url),
                Call { cancelled: true, ..Call::get(&url) },
                Call { time_left: Duration::ZERO, ..Call::get(&url) },
            ] {
                call.make(transport).result.map_or_else(shows_none, |_| Ok(()))?;
            }
            // Nothing says that these must fail, but an error must not repeat them.
            for url in [
                url.replace("?", " ?"),
                url.replace("http:", "gopher:"),
                format!("{KEY}://{KEY}"),
                format!("http://{KEY}@[/"),
            ] {
                Call::get(&url).make(transport).result.map_or_else(shows_none, |_| Ok(()))?;
            }
            let spoiled = format!("{KEY}\r\nx-y: {KEY}");
            let headers = [Header { name: "x-api-key", value: &spoiled }];
            Call { headers: &headers, ..Call::get(&url) }
                .make(transport)
                .result
                .map_or_else(shows_none, |_| Ok(()))
        })?;
    }
    Ok(())
}

/// So many callers ask at the same time, and the server answers when all have.
const CALLERS: usize = 4;

fn answers_are_not_mixed(transport: &dyn Transport) -> Result<(), String> {
    let (arrived, changed) = (Mutex::new(0_usize), Condvar::new());
    let alone = AtomicBool::new(false);
    let answer = |request: &Arrived, stream: &mut &TcpStream| {
        let all = {
            let mut arrived = lock(&arrived);
            *arrived += 1;
            arrived.div_ceil(CALLERS) * CALLERS
        };
        changed.notify_all();
        let missing = |arrived: &mut usize| *arrived < all && !alone.load(Ordering::SeqCst);
        let waited = changed.wait_timeout_while(lock(&arrived), PATIENCE, missing);
        if waited.unwrap_or_else(PoisonError::into_inner).1.timed_out() {
            alone.store(true, Ordering::SeqCst);
        }
        stream.write_all(&with_body(200, "", request.target.as_bytes())).map(|()| Then::Keep)
    };
    let ask = |server: &Server, caller: usize| {
        (0..5).try_for_each(|round| {
            let target = format!("/{caller}/{round}");
            let response = Call::get(&server.url(&target)).answer(transport)?;
            same("the body", String::from_utf8_lossy(&response.body), (&*target).into())
        })
    };
    serve(answer, |server| {
        std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..CALLERS).map(|caller| scope.spawn(move || ask(server, caller))).collect();
            callers.into_iter().try_for_each(|caller| caller.join().expect("the transport panicked"))
        })?;
        same("a call of several that went out alone", alone.load(Ordering::SeqCst), false)
    })
}
