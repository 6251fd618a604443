//! Servers that misbehave, over real sockets: an error of the right kind, inside the deadline, with nothing leaked.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use activity_status::builtin::{Quota, Slots, SystemClock, Timeouts, UreqTransport};
use activity_status::plugin::{Clock, Delivery, Failure, Header, Limiter, Method, Request, Transport};
use activity_status::{
    Client, Credentials, Endpoint, Error, ErrorKind, Operation, RequestId, Resend, RetryPolicy,
};
use activity_status_tests::{API_KEY, Answer, RawServer, credentials, http, impatient_client, shows_a_key};

const ID: &str = "72003d66-aa5d-4533-9e13-73da598dedf4";
const BODY: &str = r#"{"RelatedProspectId":"b8e49bf4","ActivityEvent":380}"#;

fn ask(base_url: &str) -> Error {
    let client = impatient_client(base_url).timeouts(brief()).build().unwrap();
    let error = client.status(&Operation::ACTIVITY_CREATE, &RequestId::new(ID).unwrap()).unwrap_err();
    leaks_nothing(&error);
    error
}

fn submit(base_url: &str) -> Error {
    let client = impatient_client(base_url).timeouts(brief()).build().unwrap();
    let error = client.submit(&Operation::ACTIVITY_CREATE, BODY).unwrap_err();
    leaks_nothing(&error);
    error
}

/// Time-outs short enough to wait for, long enough for a busy machine to answer in.
fn brief() -> Timeouts {
    let short = Duration::from_millis(700);
    Timeouts { resolve: short, connect: short, send: short, head: short, body: short }
}

fn leaks_nothing(error: &Error) {
    assert!(!shows_a_key(&format!("{error} {error:?} {error:#?} {}", error.to_json())), "{error}");
}

fn always(answer: Answer) -> RawServer {
    RawServer::start(move |_| answer.clone())
}

#[test]
fn each_bad_answer_is_the_error_that_it_is() {
    let cut_off = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"RequestId\":".to_vec();
    let huge = http(200, "application/json", &vec![b' '; 12 << 20]);
    let endless_head = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(50_000)].concat();
    let redirect =
        b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.invalid/\r\ncontent-length: 0\r\n\r\n".to_vec();
    use ErrorKind::*;
    for (name, answer, asked, submitted) in [
        ("HTML", Answer::Bytes(http(200, "text/html", b"<html>Bad gateway</html>")), Malformed, Malformed),
        ("an empty body", Answer::Bytes(http(200, "application/json", b"")), Malformed, Malformed),
        ("nothing", Answer::BytesThenClose(vec![]), Transport, InDoubt),
        ("half a head", Answer::BytesThenClose(b"HTTP/1.1 200 O".to_vec()), Transport, InDoubt),
        ("half an answer", Answer::BytesThenClose(cut_off), Malformed, InDoubt),
        ("12 MB", Answer::Bytes(huge), Malformed, InDoubt),
        ("an endless head", Answer::Bytes(endless_head), Malformed, InDoubt),
        ("no HTTP", Answer::BytesThenClose(b"SSH-2.0-OpenSSH_9\r\n\r\n".to_vec()), Malformed, InDoubt),
        ("a redirect", Answer::Bytes(redirect), Malformed, Malformed),
        ("a reset", Answer::Reset, Transport, InDoubt),
        ("silence", Answer::BytesThenSilence(vec![]), TimedOut, InDoubt),
        (
            "a silent body",
            Answer::BytesThenSilence(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec()),
            TimedOut,
            InDoubt,
        ),
        (
            "gzip unasked",
            Answer::Bytes(http(200, "application/json", b"\x1f\x8b\x08\0\0\0")),
            Malformed,
            Malformed,
        ),
        ("a 500 of HTML", Answer::Bytes(http(500, "text/html", b"<h1>oops</h1>")), Server, Server),
        ("a 502 of nothing", Answer::Bytes(http(502, "text/html", b"")), Server, Server),
    ] {
        let server = always(answer);
        let error = ask(server.url());
        assert_eq!((error.kind(), error.resend()), (asked, Resend::Safe), "{name}, asked: {error}");
        assert_eq!(error.attempts(), 1, "{name}");
        let error = submit(server.url());
        assert_eq!(
            (error.kind(), error.resend()),
            (submitted, Resend::MayDuplicate),
            "{name}, submitted: {error}"
        );
        assert_eq!(error.lost().is_some(), submitted == InDoubt, "{name}: {:?}", error.lost());
        let came = matches!(name, "half an answer" | "12 MB" | "a silent body").then_some(200);
        assert_eq!(error.lost().and_then(|lost| lost.head), came, "{name}");
        let posts = server.requests().iter().filter(|request| request.starts_with(b"POST")).count();
        assert_eq!(posts, 1, "{name}: a submit that may have arrived goes out once");
    }
}

#[test]
fn nobody_there_means_surely_not_sent() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    for error in [ask(&url), submit(&url)] {
        assert_eq!((error.kind(), error.resend()), (ErrorKind::Transport, Resend::Safe), "{error}");
    }
}

#[test]
fn a_connection_that_is_never_accepted_is_surely_not_sent() {
    // Its queue of waiting connections is filled, so the next one hangs in connecting.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let waiting: Vec<_> = (0..4)
        .map_while(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok())
        .collect();
    assert!(!waiting.is_empty());
    let error = submit(&format!("http://{address}"));
    assert_eq!((error.kind(), error.resend()), (ErrorKind::TimedOut, Resend::Safe), "{error}");
}

#[test]
fn a_body_that_is_never_read_whole_was_surely_not_sent() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = impatient_client(&format!("http://{}", deaf.local_addr().unwrap()));
    let client = client.timeouts(brief()).build().unwrap();
    let large = format!("[{}]", " ".repeat(10_000_000));
    let error = client.submit(&Operation::LEAD_CAPTURE, &large).unwrap_err();
    assert_eq!((error.kind(), error.resend()), (ErrorKind::TimedOut, Resend::Safe), "{error}");
}

#[test]
fn a_redirect_is_never_followed_so_the_keys_stay_here() {
    let elsewhere = always(Answer::Bytes(http(200, "application/json", b"{}")));
    let location = elsewhere.url().to_owned();
    for status in [301, 302, 303, 307, 308] {
        let head = format!("HTTP/1.1 {status} Go\r\nlocation: {location}/x\r\ncontent-length: 0\r\n\r\n");
        let server = always(Answer::Bytes(head.into_bytes()));
        assert_eq!(ask(server.url()).http_status(), Some(status));
        assert_eq!(submit(server.url()).http_status(), Some(status));
        assert_eq!(server.requests().len(), 2);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_server_that_repeats_the_keys_finds_them_masked() {
    let server = RawServer::start(|request| {
        let said = serde_json::to_string(&String::from_utf8_lossy(request)).unwrap();
        let body =
            format!(r#"{{"Status":"Error","ExceptionType":"MXEcho{API_KEY}","ExceptionMessage":{said}}}"#);
        Answer::Bytes(http(500, "application/json", body.as_bytes()))
    });
    for error in [ask(server.url()), submit(server.url())] {
        let vendor = error.vendor().expect("it said something").exception_message.clone().unwrap();
        assert!(vendor.contains("x-api-key: ***"), "{vendor}");
    }
}

#[test]
fn wrong_keys_name_the_region_as_a_possible_cause() {
    for status in [401, 403] {
        let server = always(Answer::Bytes(http(status, "application/json", b"{\"message\":\"Forbidden\"}")));
        let error = ask(server.url());
        assert_eq!((error.kind(), error.resend()), (ErrorKind::Unauthorized, Resend::Pointless));
        assert!(error.to_string().contains("region"), "{error}");
    }
}

#[test]
fn a_refused_call_waits_and_ends_with_the_deadline() {
    let server = always(Answer::Bytes(http(429, "application/json", b"")));
    let client = impatient_client(server.url()).retry(RetryPolicy::new());
    let client = client.call_deadline(Duration::from_millis(1200)).build().unwrap();
    let error = client.status(&Operation::ACTIVITY_CREATE, &RequestId::new(ID).unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.resend()), (ErrorKind::Refused, Resend::Safe), "{error}");
    assert!(server.requests().len() <= 3, "it pauses a window, a second here, after each refusal");
}

#[test]
fn the_deadline_holds_over_a_server_that_trickles() {
    let server =
        always(Answer::BytesThenSilence(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\":".to_vec()));
    let client = impatient_client(server.url()).call_deadline(Duration::from_millis(500)).build().unwrap();
    let clock = SystemClock::new();
    let started = clock.now();
    let error = client.status(&Operation::ACTIVITY_CREATE, &RequestId::new(ID).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    // The time-outs of each phase are 30 s: it was the deadline that ended it.
    assert!(clock.now() - started < Duration::from_secs(25));
}

#[test]
fn clients_that_share_a_limiter_need_not_be_built_together() {
    let server = always(Answer::Bytes(http(404, "application/json", b"")));
    let id = RequestId::new(ID).unwrap();
    let shared = Arc::new(Slots::new(Quota::new(2, Duration::from_secs(600))).unwrap());
    let build = || impatient_client(server.url()).limiter(shared.clone()).build().unwrap();
    let ask = |client: &Client| client.status(&Operation::ACTIVITY_CREATE, &id).unwrap_err().kind();
    let first = build();
    assert_eq!((ask(&first), ask(&first)), (ErrorKind::NotFound, ErrorKind::NotFound));
    SystemClock::new().sleep(Duration::from_millis(50)).unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&build()), ErrorKind::Deadline, "the window is not over for a younger client");
    }
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_proxy_never_sees_what_is_for_this_machine() {
    let body = format!(r#"{{"RequestId":"{ID}","TaskStatus":{{"Status":"Success"}}}}"#);
    let server = always(Answer::Bytes(http(200, "application/json", body.as_bytes())));
    let proxy = always(Answer::Bytes(http(200, "text/plain", b"")));
    let transport = UreqTransport::with_proxy(brief(), proxy.url()).unwrap();
    let client =
        impatient_client(&server.url().replace("127.0.0.1", "localhost")).transport(transport).build();
    assert!(client.unwrap().status(&Operation::ACTIVITY_CREATE, &RequestId::new(ID).unwrap()).is_ok());
    assert_eq!((server.requests().len(), proxy.connections()), (1, 0));
}

#[test]
fn a_request_that_another_plugin_spoiled_does_not_leave() {
    let server = always(Answer::Bytes(http(200, "text/plain", b"")));
    let transport = UreqTransport::new(brief()).unwrap();
    let (url, good) = (server.url(), [Header { name: "x-api-key", value: "fine" }]);
    for (url, headers) in [
        (format!("{url}/a"), [Header { name: "x-trace", value: "1\r\nx-evil: 2" }]),
        (format!("{url}/a HTTP/1.1\r\nx-evil: 1"), good),
        (format!("{url}/a\u{e9}"), good),
        (format!("{url}?x=1"), good),
    ] {
        let time_left = Duration::from_secs(5);
        let new_connection = &AtomicBool::new(false);
        let request = Request {
            method: Method::Get,
            url: &url,
            headers: &headers,
            body: None,
            time_left,
            cancelled: &Arc::default(),
            new_connection,
        };
        let error = transport.send(&request, &mut |_| {}).unwrap_err();
        assert_eq!((error.failure, error.delivery), (Failure::Config, Delivery::NotSent), "{url:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_call_that_is_cancelled_or_out_of_time_does_not_leave() {
    let server = always(Answer::Bytes(http(200, "text/plain", b"")));
    let transport = UreqTransport::new(brief()).unwrap();
    for (cancelled, time_left, failure) in
        [(true, Duration::from_secs(5), Failure::Interrupted), (false, Duration::ZERO, Failure::TimedOut)]
    {
        let request = Request {
            method: Method::Get,
            url: server.url(),
            headers: &[],
            body: None,
            time_left,
            new_connection: &AtomicBool::new(false),
            cancelled: &Arc::new(AtomicBool::new(cancelled)),
        };
        let error = transport.send(&request, &mut |_| {}).unwrap_err();
        assert_eq!((error.failure, error.delivery), (failure, Delivery::NotSent));
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn what_the_server_said_is_kept_whatever_its_form() {
    for (body, said) in [
        (&br#"{"message":"Missing Authentication Token"}"#[..], "Missing Authentication Token"),
        (b"Tenant\r\n\tis   suspended", "Tenant is suspended"),
        (b"\xff\xfe odd", "odd"),
    ] {
        let server = always(Answer::Bytes(http(403, "text/plain", body)));
        let error = ask(server.url());
        assert!(error.vendor().unwrap().body.contains(said) && error.to_string().contains(said), "{error}");
    }
    let long = "word ".repeat(9999);
    let server = always(Answer::Bytes(http(400, "text/plain", long.as_bytes())));
    assert!(ask(server.url()).to_string().len() < 600, "a message stays a message");
}

#[test]
fn a_deadline_without_end_is_one_too() {
    let body = format!(r#"{{"RequestId":"{ID}","TaskStatus":{{"Status":"Success"}}}}"#);
    let server = always(Answer::Bytes(http(200, "application/json", body.as_bytes())));
    let client = impatient_client(server.url()).call_deadline(Duration::MAX).build().unwrap();
    let forever = activity_status::WaitOptions::new().deadline(Duration::MAX);
    let id = RequestId::new(ID).unwrap();
    assert!(client.wait(&Operation::ACTIVITY_CREATE, &id, &forever).is_ok());
}

#[test]
fn calls_share_a_connection() {
    let body = format!(r#"{{"RequestId":"{ID}","TaskStatus":{{"Status":"In-Queue"}}}}"#);
    let server = always(Answer::Bytes(http(200, "application/json", body.as_bytes())));
    let client = impatient_client(server.url()).build().unwrap();
    for _ in 0..20 {
        client.status(&Operation::ACTIVITY_CREATE, &RequestId::new(ID).unwrap()).unwrap();
    }
    assert_eq!((server.requests().len(), server.connections()), (20, 1));
}

#[test]
fn every_call_carries_the_keys_it_needs_and_no_other() {
    let server = always(Answer::Bytes(http(200, "application/json", br#"{"RequestID":"1"}"#)));
    let client = impatient_client(server.url()).build().unwrap();
    let _ = client.status(&Operation::ACTIVITY_CREATE, &RequestId::new("a/b+c").unwrap());
    client.submit(&Operation::ACTIVITY_CREATE, BODY).unwrap();
    let in_url = credentials().with_placement(activity_status::KeyPlacement::Query);
    let client = Client::builder(Endpoint::url(server.url()).unwrap(), in_url).build().unwrap();
    client
        .submit(&Operation::LEAD_UPDATE, activity_status::Submission::from(BODY).query("leadId", "7"))
        .unwrap();

    let sent: Vec<String> =
        server.requests().iter().map(|bytes| String::from_utf8(bytes.clone()).unwrap()).collect();
    let has = |i: usize, text: &str| sent[i].contains(text);
    assert!(has(0, "GET /activity/create/status?RequestID=a%2Fb%2Bc HTTP/1.1\r\n"), "{}", sent[0]);
    assert!(has(0, &format!("x-api-key: {API_KEY}\r\n")) && !has(0, "x-lsq"));
    assert!(
        has(1, "POST /activity/create HTTP/1.1\r\n")
            && has(1, "x-lsq-accesskey: ")
            && has(1, "x-lsq-secretkey: ")
    );
    assert!(
        has(1, "content-type: application/json\r\n")
            && has(1, &format!("content-length: {}\r\n", BODY.len()))
    );
    assert!(sent[1].ends_with(BODY) && !has(1, "transfer-encoding"));
    let query =
        "POST /lead/update?leadId=7&accessKey=u%24r%2Fk3yB-LhRf4NcYd8&secretKey=k3yC%26Gs%2BWk6VxMtEa1 HTTP";
    assert!(has(2, query) && !has(2, "x-lsq"), "{}", sent[2]);
    assert!(sent.iter().all(|request| !request.to_ascii_lowercase().contains("accept-encoding: gzip")));
}

#[test]
fn bad_input_is_refused_before_anything_is_sent() {
    let server = always(Answer::Bytes(http(200, "application/json", b"{}")));
    let asking_only =
        Client::builder(Endpoint::url(server.url()).unwrap(), Credentials::new(API_KEY).unwrap());
    let error = asking_only.build().unwrap().submit(&Operation::ACTIVITY_CREATE, BODY).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("secret key"), "{error}");
    let client = impatient_client(server.url()).build().unwrap();
    for body in ["", "not json", "{\"a\":1", "7"] {
        let error = client.submit(&Operation::ACTIVITY_CREATE, body).unwrap_err();
        assert_eq!(
            (error.kind(), error.resend(), error.attempts()),
            (ErrorKind::Config, Resend::Pointless, 0)
        );
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_transport_tells_when_it_had_to_connect() {
    let body = format!(r#"{{"RequestId":"{ID}","TaskStatus":{{"Status":"Success"}}}}"#);
    let server = always(Answer::Bytes(http(200, "application/json", body.as_bytes())));
    let transport = UreqTransport::new(brief()).unwrap();
    let url = format!("{}/status", server.url());
    let mut made = Vec::new();
    for _ in 0..3 {
        let new_connection = &AtomicBool::new(false);
        let time_left = Duration::from_secs(5);
        let request = Request {
            method: Method::Get,
            url: &url,
            headers: &[],
            body: None,
            time_left,
            new_connection,
            cancelled: &Arc::default(),
        };
        let mut told = None;
        transport.send(&request, &mut |_| told = Some(new_connection.load(Ordering::SeqCst))).unwrap();
        made.push(told.unwrap());
    }
    assert_eq!(made, [true, false, false]);
}

/// A gateway may count, and refuse, what it has seen the head of.
#[test]
fn a_submit_that_left_in_part_holds_its_slot() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It reads the head, refuses, and closes.
    let refusing = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1000]).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n");
    });
    let slots = Arc::new(Slots::new(Quota::new(1, Duration::from_secs(60))).unwrap());
    let client = impatient_client(&url).limiter(slots.clone()).build().unwrap();
    let note = "x".repeat(8_000_000);
    let body = format!(r#"{{"RelatedProspectId":"a","ActivityEvent":1,"ActivityNote":"{note}"}}"#);
    client.submit(&Operation::ACTIVITY_CREATE, body.as_str()).unwrap_err();
    refusing.join().unwrap();
    let seen = slots.snapshot(&SystemClock::new()).unwrap().unwrap();
    assert_eq!(seen.free, 0, "{seen:?}");
}
