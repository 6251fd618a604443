//! The sandbox on a port, seen by a client that knows nothing but sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use activity_status_sandbox::{CallKind, Fault, Planned, Quota, Server, Settings};

const KEYS: &str = "x-api-key: sandbox-api-key\r\nx-lsq-accesskey: sandbox-access-key\r\n\
                    x-lsq-secretkey: sandbox-secret-key\r\ncontent-type: application/json\r\n";

fn start(settings: Settings) -> Server {
    let quota = Quota { calls: 10_000, ..settings.quota.clone() };
    Server::start(Settings { quota, ..settings }, ([127, 0, 0, 1], 0)).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    // For the case that something is broken: no test waits that long.
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: it\r\n{KEYS}content-length: {}\r\n\r\n{body}", body.len())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: it\r\nx-api-key: sandbox-api-key\r\n\r\n")
}

/// What a whole answer or what is left of one looks like on the wire.
struct Seen {
    status: u16,
    head: String,
    promised: usize,
    body: Vec<u8>,
}

/// Reads one answer: as much of it as its head promises, or as comes.
fn read(stream: &mut TcpStream) -> io::Result<Seen> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let promised =
        head.split("content-length: ").nth(1).map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    let mut body = Vec::new();
    stream.take(promised as u64).read_to_end(&mut body)?;
    Ok(Seen { status, head, promised, body })
}

fn exchange(server: &Server, request: &str) -> io::Result<Seen> {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes())?;
    read(&mut stream)
}

#[test]
fn a_connection_serves_many_calls() {
    let server = start(Settings::default());
    let mut stream = connect(&server);
    for _ in 0..3 {
        stream.write_all(post("/lead/capture", "{}").as_bytes()).unwrap();
        assert_eq!(read(&mut stream).unwrap().status, 200);
        let id = server.sandbox().lock().unwrap().ids().last().unwrap();
        stream.write_all(get(&format!("/lead/capture/status?RequestID={id}")).as_bytes()).unwrap();
        let seen = read(&mut stream).unwrap();
        assert!(
            seen.head.contains("content-type: application/json") && seen.body.starts_with(b"{\"RequestId\"")
        );
    }
    assert_eq!((server.book().accepted, server.book().status_calls), (3, 3));
}

#[test]
fn many_connections_at_once() {
    let server = start(Settings::default());
    let mut streams: Vec<TcpStream> = (0..200).map(|_| connect(&server)).collect();
    for stream in &mut streams {
        stream.write_all(get("/lead/capture/metrics").as_bytes()).unwrap();
    }
    assert!(streams.iter_mut().all(|stream| read(stream).unwrap().status == 200));
}

#[test]
fn each_fault_for_real() {
    use Fault::*;
    let server = start(Settings { slow_body: Duration::from_millis(20), ..Settings::default() });
    let strike = |fault: Fault| {
        server.sandbox().lock().unwrap().plan([Planned::on(CallKind::Submit, fault)]);
        let before = server.book().accepted;
        let seen = exchange(&server, &post("/lead/capture", "{}"));
        (seen, server.book().accepted - before)
    };
    for (fault, status, accepted) in [
        (ServerError, 500, 0),
        (HtmlError, 500, 0),
        (TooManyRequests, 429, 0),
        (Redirect, 302, 0),
        (EmptyAnswer, 200, 1),
        (SlowBody, 200, 1),
        (Huge, 200, 1),
        (Truncated, 200, 1),
    ] {
        let (seen, queued) = strike(fault);
        let seen = seen.unwrap();
        assert_eq!((seen.status, queued), (status, accepted), "{fault:?}");
        assert_eq!(seen.body.len() < seen.promised, fault == Truncated, "{fault:?}");
        assert_eq!(seen.body.is_empty(), [Redirect, EmptyAnswer].contains(&fault), "{fault:?}");
        assert_eq!(seen.body.len() > 12_000_000, fault == Huge, "{fault:?}");
        assert_eq!(seen.body.starts_with(b"<html>"), fault == HtmlError);
        assert_eq!(
            seen.head.contains("location: https://elsewhere.invalid/lead/capture\r\n"),
            fault == Redirect
        );
        let whole =
            seen.body.ends_with(b"}") && serde_json::from_slice::<serde_json::Value>(&seen.body).is_ok();
        assert_eq!(whole, [ServerError, TooManyRequests, SlowBody, Huge].contains(&fault), "{fault:?}");
    }
    for (fault, kind, accepted) in [
        (Unreachable, ErrorKind::ConnectionReset, 0),
        (Reset, ErrorKind::ConnectionReset, 0),
        (AnswerLost, ErrorKind::UnexpectedEof, 1),
    ] {
        let (seen, queued) = strike(fault);
        assert_eq!((seen.err().map(|error| error.kind()), queued), (Some(kind), accepted), "{fault:?}");
    }
    assert_eq!(server.book().faults, 11);
}

#[test]
fn silence_is_for_one_caller_alone() {
    let server = start(Settings { faults: vec![Fault::Silence.into()], ..Settings::default() });
    let mut silent = connect(&server);
    silent.write_all(get("/lead/capture/metrics").as_bytes()).unwrap();
    silent.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = read(&mut silent).err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert_eq!(exchange(&server, &get("/lead/capture/metrics")).unwrap().status, 200);
}

#[test]
fn a_call_arrives_even_if_its_sender_hangs_up() {
    let way = Duration::from_millis(100);
    let server = start(Settings { latency_in: (way, way), ..Settings::default() });
    connect(&server).write_all(post("/lead/capture", "{}").as_bytes()).unwrap();
    // Each of these takes as long, so the first but for a hair's breadth should be enough.
    let arrived = (0..20).any(|_| {
        exchange(&server, &get("/lead/capture/metrics")).unwrap();
        server.book().accepted == 1
    });
    assert!(arrived);
}

#[test]
fn what_is_too_large_is_turned_away() {
    let server = start(Settings { max_body: 100_000, ..Settings::default() });
    let body = |len: usize| format!("[{}]", " ".repeat(len - 2));
    let mut stream = connect(&server);
    for (len, status) in [(100_000, 200), (100_001, 413), (3_000_000, 413), (2, 200)] {
        stream.write_all(post("/lead/capture", &body(len)).as_bytes()).unwrap();
        assert_eq!(read(&mut stream).unwrap().status, status, "{len}");
    }
    let long = format!("GET / HTTP/1.1\r\nhost: it\r\nlong: {}\r\n\r\n", "x".repeat(1_000_000));
    assert_eq!(exchange(&server, &long).map_or(431, |seen| seen.status), 431);
    assert_eq!(exchange(&server, "no HTTP at all\r\n\r\n").unwrap().status, 400);
    assert_eq!(server.book().calls(), 2);
}

#[test]
fn its_own_pages_need_no_key_and_count_in_no_quota() {
    let quota = Quota { calls: 1, ..Quota::default() };
    let server = Server::start(Settings { quota, ..Settings::default() }, ([127, 0, 0, 1], 0)).unwrap();
    let ask = |path: &str| exchange(&server, &format!("GET {path} HTTP/1.1\r\nhost: it\r\n\r\n")).unwrap();
    let plan = |json: &str| exchange(&server, &post("/sandbox/faults", json)).unwrap();
    let help = String::from_utf8(ask("/sandbox").body).unwrap();
    use Fault::*;
    for fault in [
        Pass,
        Unreachable,
        ServerError,
        HtmlError,
        TooManyRequests,
        Redirect,
        Silence,
        Reset,
        AnswerLost,
        EmptyAnswer,
        Truncated,
        SlowBody,
        Huge,
        AboutAnother,
    ] {
        let name = serde_json::to_value(fault).unwrap();
        assert!(help.contains(name.as_str().unwrap()), "{fault:?} is not in the help");
    }
    assert_eq!(plan(r#"[{"fault": "server_error", "on": "metrics"}]"#).body, b"{\"planned\":1}");
    let wrong = plan(r#"[{"fault": "frogs"}]"#);
    assert!(wrong.status == 400 && String::from_utf8_lossy(&wrong.body).contains("frogs"));
    assert_eq!(ask("/sandbox/else").status, 404);
    assert_eq!(exchange(&server, &get("/lead/capture/metrics")).unwrap().status, 500);
    assert_eq!(exchange(&server, &get("/lead/capture/metrics")).unwrap().status, 429);
    let book: serde_json::Value = serde_json::from_slice(&ask("/sandbox/book").body).unwrap();
    assert_eq!(
        (&book["metrics_calls"], &book["refused"], &book["faults"]),
        (&2.into(), &1.into(), &1.into())
    );
    assert_eq!(book["unknown_paths"], 0);
}

#[test]
fn it_stays_on_the_machine_unless_told_otherwise() {
    let error = Server::start(Settings::default(), ([0, 0, 0, 0], 0)).unwrap_err();
    assert!(error.to_string().contains("start_public"), "{error}");
    let server = Server::start_public(Settings::default(), ([0, 0, 0, 0], 0)).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.address().port())).unwrap();
    stream.write_all(get("/sandbox").as_bytes()).unwrap();
    assert_eq!(read(&mut stream).unwrap().status, 200);
}

#[test]
fn calls_under_way_are_answered_before_it_stops() {
    let back = Duration::from_millis(100);
    let server = start(Settings { latency_out: (back, back), ..Settings::default() });
    let mut stream = connect(&server);
    stream.write_all(get("/lead/capture/metrics").as_bytes()).unwrap();
    while server.book().metrics_calls == 0 {
        std::thread::yield_now();
    }
    drop(server);
    assert_eq!(read(&mut stream).unwrap().status, 200);
}

#[test]
fn it_stops_when_dropped_whoever_is_connected() {
    let server = start(Settings { faults: vec![Fault::Silence.into()], ..Settings::default() });
    let mut silent = connect(&server);
    silent.write_all(get("/lead/capture/metrics").as_bytes()).unwrap();
    let mut idle = connect(&server);
    idle.write_all(get("/sandbox").as_bytes()).unwrap();
    read(&mut idle).unwrap();
    drop(server);
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0);
}
