//! No key in any text that this project makes: errors, `Debug`, events, and what the HTTP library logs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::{Clock, Delivery, Event, Failure, Head, Request, Response, TransportError};
use activity_status::{
    Client, Credentials, Endpoint, Job, KeyPlacement, Operation, RequestId, Settings, Step, Submission,
    WaitOptions,
};
use activity_status_tests::{
    ACCESS_KEY, API_KEY, Answer, RawServer, SECRET_KEY, credentials, http, impatient_client, shows_a_key,
};

const BODY: &str = r#"{"RelatedProspectId":"b8e49bf4","ActivityEvent":380}"#;
const TAIL: &str = "k3yT-telephonyConnector9";

/// Everything that the HTTP library and anything else logs in this process.
static LOGGED: Mutex<String> = Mutex::new(String::new());

struct Everything;

impl log::Log for Everything {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let mut logged = LOGGED.lock().unwrap();
        logged.push_str(&format!("{} {} {}\n", record.level(), record.target(), record.args()));
    }
    fn flush(&self) {}
}

type Answering = Box<dyn Fn(&[u8]) -> Answer + Send + Sync>;

#[test]
fn no_text_holds_a_key_whatever_the_server_does() {
    log::set_logger(&Everything).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let mut texts: Vec<String> = vec![format!("{:?} {:#?}", credentials(), credentials())];

    let echo = |request: &[u8]| {
        let said = String::from_utf8_lossy(request).into_owned();
        let json =
            serde_json::json!({ "ExceptionType": said, "ExceptionMessage": format!("you sent {said}") });
        json.to_string()
    };
    let answers: Vec<Answering> = vec![
        Box::new(move |request| Answer::Bytes(http(400, "application/json", echo(request).as_bytes()))),
        Box::new(move |request| Answer::Bytes(http(200, "application/json", echo(request).as_bytes()))),
        Box::new(|request| Answer::Bytes(http(500, "text/html", request))),
        Box::new(|request| Answer::BytesThenClose(request.to_vec())),
        Box::new(|request| Answer::BytesThenClose([b"HTTP/1.1 200 OK\r\n", request].concat())),
        Box::new(|request| {
            let id = serde_json::to_string(&String::from_utf8_lossy(request)).unwrap();
            Answer::Bytes(http(
                200,
                "application/json",
                format!("{{\"RequestID\":{id},\"TaskStatus\":{{}}}}").as_bytes(),
            ))
        }),
        Box::new(|_| Answer::Reset),
    ];
    for answer in answers {
        let server = RawServer::start(answer);
        let seen = Arc::new(Mutex::new(String::new()));
        let events = seen.clone();
        let client = impatient_client(server.url()).observer(move |event: &Event<'_>| {
            events.lock().unwrap().push_str(&format!("{event:?} {event:#?}\n"))
        });
        texts.push(format!("{client:?}"));
        let client = client.build().unwrap();
        texts.push(format!("{client:?} {client:#?}"));
        let id = RequestId::new("1").unwrap();
        let soon = WaitOptions::new().deadline(Duration::from_millis(20));
        for error in [
            client.status(&Operation::ACTIVITY_CREATE, &id).unwrap_err(),
            client.metrics(&Operation::ACTIVITY_CREATE).unwrap_err(),
            client.submit(&Operation::ACTIVITY_CREATE, BODY).unwrap_err(),
            client.wait(&Operation::ACTIVITY_CREATE, &id, &soon).unwrap_err(),
        ] {
            let source = std::error::Error::source(&error).map(|s| format!("{s} {s:?}"));
            texts.push(format!("{error} {error:?} {error:#?} {} {source:?}", error.to_json()));
        }
        let jobs = ["1", "2"].map(|id| Job::new(Operation::ACTIVITY_CREATE, RequestId::new(id).unwrap()));
        let mut all = client.wait_all(jobs.clone(), &soon);
        for (job, outcome) in all.by_ref() {
            texts.push(format!("{job:?} {outcome:?} {}", outcome.as_ref().unwrap_err().to_json()));
        }
        texts.push(format!("{all:?} {:?}", all.tracker()));
        texts.push(std::mem::take(&mut seen.lock().unwrap()));
    }
    // Asked by a client of one's own, which passes on what the server repeats.
    let client = impatient_client("http://127.0.0.1:9").build().unwrap();
    let mut tracker = client.tracker(&WaitOptions::new().deadline(Duration::from_secs(1)));
    tracker.add(Job::new(Operation::ACTIVITY_CREATE, RequestId::new("1").unwrap()));
    let mut told = 0;
    loop {
        match tracker.step() {
            Step::Look(look) => {
                texts.push(format!("{look:?} {:?} {}", look.headers(), look.url()));
                assert!(look.headers().iter().any(|header| header.value == API_KEY));
                let (repeated, message) =
                    (API_KEY.as_bytes().to_vec(), format!("x-api-key: {API_KEY} was not sent"));
                told += 1;
                match told {
                    1 => look
                        .answered(Response { head: Head { status: 500, headers: vec![] }, body: repeated }),
                    2 => drop(look),
                    _ => look.failed(TransportError {
                        delivery: Delivery::NotSent,
                        failure: Failure::Connection,
                        message,
                        source: None,
                    }),
                }
            }
            Step::Sleep(pause) => SystemClock::new().sleep(pause).unwrap(),
            Step::Ended(_, outcome) => texts.push(format!("{:?}", outcome.unwrap_err())),
            Step::Done => break,
        }
        texts.push(format!("{tracker:?}"));
    }
    assert!(told > 2, "it was told of a key, dropped, and told of one again");
    texts.push(std::mem::take(&mut LOGGED.lock().unwrap()));
    assert!(texts.last().unwrap().contains("ureq"), "the log was listened to");
    assert!(texts.iter().any(|text| text.contains("***")));
    for text in &texts {
        assert!(!shows_a_key(text), "{text}");
    }

    // Down to the last byte that is logged, with keys in headers and, because that was asked for, in the URL.
    log::set_max_level(log::LevelFilter::Trace);
    let server = RawServer::start(|_| Answer::Bytes(http(500, "text/plain", b"no")));
    let client = impatient_client(server.url()).build().unwrap();
    client.status(&Operation::ACTIVITY_CREATE, &RequestId::new("1").unwrap()).unwrap_err();
    client.submit(&Operation::ACTIVITY_CREATE, BODY).unwrap_err();
    let sent = server.requests().concat();
    let sent = String::from_utf8_lossy(&sent);
    assert!(
        sent.contains(API_KEY)
            && sent.contains(ACCESS_KEY)
            && sent.contains(SECRET_KEY)
            && !sent.contains("sealed")
    );
    let in_url = Client::builder(
        Endpoint::url(server.url()).unwrap(),
        credentials().with_placement(KeyPlacement::Query),
    );
    let client = in_url.build().unwrap();
    let call_log = Submission::from(BODY).path_tail(TAIL);
    let shown = format!("{call_log:?}");
    let error = client.submit(&Operation::TELEPHONY_LOG_CALL, call_log).unwrap_err();
    let text = format!("{shown} {error} {error:?} {}", LOGGED.lock().unwrap());
    assert!(text.contains("TRACE ureq_proto"), "the log was listened to");
    assert!(server.requests()[2].windows(TAIL.len()).any(|part| part == TAIL.as_bytes()));
    assert!(String::from_utf8_lossy(&server.requests()[2]).contains("accessKey=u%24r"));
    assert!(!shows_a_key(&text) && !text.contains("telephonyConn"), "{text}");
    // ureq logs bytes in rows of sixteen, in hex and beside it as text: put together again they hold no key either.
    let rows = text.lines().filter(|line| line.contains("ureq_proto::util"));
    let bytes: String = rows.filter_map(|row| row.get(row.len().saturating_sub(16)..)).collect();
    assert!(bytes.contains("x-api-key"), "the dump was put together: {bytes}");
    assert!(!shows_a_key(&bytes) && !bytes.contains("telephonyConn") && bytes.contains("sealed-"), "{bytes}");
}

#[test]
fn a_plugin_that_prints_its_request_prints_no_key() {
    let printed = Arc::new(Mutex::new(String::new()));
    let into = printed.clone();
    let printing = move |request: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
        into.lock().unwrap().push_str(&format!("{request:?} {request:#?}"));
        let response =
            Response { head: Head { status: 200, headers: vec![] }, body: b"{\"RequestID\":\"1\"}".to_vec() };
        on_head(&response.head);
        into.lock().unwrap().push_str(&format!("{response:?}"));
        Ok::<_, TransportError>(response)
    };
    for placement in [KeyPlacement::Headers, KeyPlacement::Query] {
        let keys = credentials().with_placement(placement);
        let client = Client::builder(Endpoint::INDIA, keys).transport(printing.clone()).build().unwrap();
        client.submit(&Operation::TELEPHONY_LOG_CALL, Submission::from(BODY).path_tail(TAIL)).unwrap();
    }
    let text = printed.lock().unwrap();
    assert!(text.contains("asyncapi-in21") && text.contains("x-api-key"));
    assert!(!shows_a_key(&text) && !text.contains(TAIL), "{text}");
}

#[test]
fn bad_input_is_not_repeated_where_it_could_be_a_key() {
    let mut settings = Settings::new();
    for (key, value) in [("api_key", API_KEY), ("access_key", ACCESS_KEY), ("secret_key", SECRET_KEY)] {
        settings.set(key, value).unwrap();
    }
    let mut texts = vec![format!("{settings:?}")];
    for (key, value) in [
        ("base_url", format!("https://h.example/?accessKey={ACCESS_KEY}")),
        ("base_url", format!("http://{API_KEY}@h.example/")),
        ("proxy", format!("socks9://u:{SECRET_KEY}@h.example")),
        ("api_key", format!("{API_KEY}\r\n")),
        ("secret_key", format!("{SECRET_KEY} ")),
        ("key_placement", API_KEY.to_owned()),
        ("max_attempts", API_KEY.to_owned()),
        ("quota", ACCESS_KEY.to_owned() + ACCESS_KEY),
        ("head_timeout", SECRET_KEY.to_owned() + SECRET_KEY),
    ] {
        let mut bad = settings.clone();
        if key != "base_url" {
            bad.set("region", "in").unwrap();
        }
        let error = bad.set(key, &value).unwrap().builder().unwrap_err();
        texts.push(format!("{error} {error:?}"));
    }
    let long = API_KEY.repeat(2);
    let error = long.parse::<Endpoint>().unwrap_err();
    texts.push(format!("{error} {error:?}"));
    let error = settings.set(&long, "1").unwrap_err();
    texts.push(format!("{error} {error:?}"));
    let error = Credentials::new(&format!("{API_KEY}\n")).unwrap_err();
    texts.push(format!("{error} {error:?}"));
    for text in texts {
        assert!(!shows_a_key(&text), "{text}");
    }
}
