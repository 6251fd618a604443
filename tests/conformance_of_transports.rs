//! The checks for a transport of one's own: ours passes them, and each finds the mistake that it is there for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use activity_status::builtin::{Timeouts, UreqTransport};
use activity_status::conformance::check_transport;
use activity_status::plugin::{
    Delivery, Failure, Head, Header, Request, Response, Transport, TransportError,
};

#[test]
fn our_transport_passes() {
    check_transport(&UreqTransport::new(Timeouts::default()).unwrap()).unwrap();
}

type Answered = Result<Response, TransportError>;

/// A transport that makes one mistake.
fn mistaken(
    mistake: impl Fn(&UreqTransport, &Request<'_>, &mut dyn FnMut(&Head)) -> Answered + Send + Sync + 'static,
) -> Box<dyn Transport> {
    let ours = UreqTransport::new(Timeouts::default()).unwrap();
    Box::new(move |request: &Request<'_>, on_head: &mut dyn FnMut(&Head)| mistake(&ours, request, on_head))
}

/// One that changes what it sends.
fn changing(change: impl Fn(&mut Request<'_>) + Send + Sync + 'static) -> Box<dyn Transport> {
    mistaken(move |ours, request, on_head| {
        let mut request = request.clone();
        change(&mut request);
        ours.send(&request, on_head)
    })
}

/// One that changes what came of it.
fn making_of_it(
    make: impl Fn(&Request<'_>, Answered) -> Answered + Send + Sync + 'static,
) -> Box<dyn Transport> {
    mistaken(move |ours, request, on_head| make(request, ours.send(request, on_head)))
}

fn failed(message: &str) -> TransportError {
    let (delivery, failure) = (Delivery::InDoubt, Failure::Connection);
    TransportError { delivery, failure, message: message.to_owned(), source: None }
}

#[test]
fn each_mistake_of_a_transport_is_found_by_its_check() {
    let arrives = "a request arrives as it was given";
    let [status, redirect] = ["every status is an answer", "no redirect is followed"];
    let [head, whole] = ["the head is told of when it comes", "a body is read whole, whatever its form"];
    let [half, endless] = ["half an answer is none", "an endless answer is none"];
    let [not_sent, doubt] =
        ["not sent is what did not leave", "what may have arrived is in doubt, and sent once"];
    let [ends, key, mixed] =
        ["a call ends in its time", "an error shows no key", "calls at once get their own answers"];
    let never = &*Box::leak(Box::default());

    let mistakes: Vec<(&str, &str, Box<dyn Transport>)> = vec![
        ("it drops a header", arrives, changing(|request| request.headers = &request.headers[1..])),
        (
            "it adds a header",
            arrives,
            mistaken(|ours, request, on_head| {
                let headers = [request.headers, &[Header { name: "x-trace", value: "1" }]].concat();
                ours.send(&Request { headers: &headers, ..request.clone() }, on_head)
            }),
        ),
        (
            "it doubles a header",
            arrives,
            mistaken(|ours, request, on_head| {
                let headers = [request.headers, &request.headers[..1]].concat();
                ours.send(&Request { headers: &headers, ..request.clone() }, on_head)
            }),
        ),
        (
            "it decodes the URL",
            arrives,
            mistaken(|ours, request, on_head| {
                let url = request.url.replace("%7B", "{").replace("%2F", "/");
                ours.send(&Request { url: &url, ..request.clone() }, on_head)
            }),
        ),
        ("it sends no body", arrives, changing(|request| request.body = None)),
        ("it trims a body", arrives, changing(|request| request.body = request.body.map(<[u8]>::trim_ascii))),
        (
            "it makes errors of statuses",
            status,
            making_of_it(|_, sent| match sent {
                Ok(response) if response.head.status == 503 => Err(failed("the server is busy")),
                other => other,
            }),
        ),
        (
            "it makes the names of headers large",
            status,
            mistaken(|ours, request, on_head| {
                let large = |head: &Head| Head {
                    headers: head
                        .headers
                        .iter()
                        .map(|(name, value)| (name.to_uppercase(), value.clone()))
                        .collect(),
                    ..head.clone()
                };
                let Response { head, body } = ours.send(request, &mut |head| on_head(&large(head)))?;
                Ok(Response { head: large(&head), body })
            }),
        ),
        (
            "it sends again what was refused",
            status,
            mistaken(|ours, request, on_head| match ours.send(request, &mut |_| {}) {
                Ok(response) if response.head.status != 429 => {
                    on_head(&response.head);
                    Ok(response)
                }
                _ => ours.send(request, on_head),
            }),
        ),
        (
            "it follows redirects",
            redirect,
            mistaken(|ours, request, on_head| {
                let response = ours.send(request, &mut |_| {})?;
                let location =
                    response.head.header("location").filter(|location| location.starts_with("http"));
                if let Some(url) = location {
                    return ours.send(&Request { url, ..request.clone() }, on_head);
                }
                on_head(&response.head);
                Ok(response)
            }),
        ),
        (
            "it tells of the head at the end",
            head,
            mistaken(|ours, request, on_head| {
                let response = ours.send(request, &mut |_| {})?;
                on_head(&response.head);
                Ok(response)
            }),
        ),
        (
            "it tells of the head twice",
            arrives,
            mistaken(|ours, request, on_head| {
                ours.send(request, &mut |head| {
                    on_head(head);
                    on_head(head);
                })
            }),
        ),
        (
            "it does not tell of the head",
            arrives,
            mistaken(|ours, request, _| ours.send(request, &mut |_| {})),
        ),
        (
            "it does not tell of connections",
            head,
            mistaken(|ours, request, on_head| {
                let new_connection = &AtomicBool::new(false);
                ours.send(&Request { new_connection, ..request.clone() }, on_head)
            }),
        ),
        (
            "it shortens a body",
            whole,
            making_of_it(|request, sent| {
                let mut response = sent?;
                if request.body.is_none() {
                    response.body.truncate(100_000);
                }
                Ok(response)
            }),
        ),
        (
            "it takes half an answer for one",
            half,
            making_of_it(|_, sent| match sent {
                Err(error) if error.message.contains("cut off") => Ok(Response::default()),
                other => other,
            }),
        ),
        (
            "it says not sent of half an answer",
            half,
            making_of_it(|_, sent| {
                sent.map_err(|error| TransportError { delivery: Delivery::NotSent, ..error })
            }),
        ),
        (
            "it shortens what is too long",
            endless,
            making_of_it(|_, sent| match sent {
                Err(error) if error.message.contains("10 MiB") => Ok(Response::default()),
                other => other,
            }),
        ),
        (
            "it doubts that nothing left",
            not_sent,
            making_of_it(|_, sent| {
                sent.map_err(|error| TransportError { delivery: Delivery::InDoubt, ..error })
            }),
        ),
        (
            "it sends with no time left",
            not_sent,
            changing(|request| {
                request.time_left = request.time_left.max(Duration::from_secs(1));
            }),
        ),
        ("it sends what is cancelled", not_sent, changing(|request| request.cancelled = never)),
        (
            "it calls a broken connection not sent",
            doubt,
            making_of_it(|request, sent| {
                sent.map_err(|error| match request.url.contains("second") {
                    true => TransportError { delivery: Delivery::NotSent, ..error },
                    false => error,
                })
            }),
        ),
        (
            "it sends again what was not answered",
            doubt,
            mistaken(|ours, request, on_head| match ours.send(request, on_head) {
                Err(error) if error.delivery == Delivery::InDoubt => ours.send(request, on_head),
                other => other,
            }),
        ),
        (
            "it calls half a body not sent",
            doubt,
            making_of_it(|_, sent| {
                sent.map_err(|error| match error.delivery {
                    Delivery::Partly => TransportError { delivery: Delivery::NotSent, ..error },
                    _ => error,
                })
            }),
        ),
        (
            "it takes its time",
            ends,
            changing(|request| {
                if !request.time_left.is_zero() {
                    request.time_left = Duration::from_secs(3600);
                }
            }),
        ),
        (
            "it calls a time-out a lost connection",
            ends,
            making_of_it(|_, sent| {
                sent.map_err(|error| TransportError {
                    failure: match error.failure {
                        Failure::TimedOut => Failure::Connection,
                        other => other,
                    },
                    ..error
                })
            }),
        ),
        (
            "it says the URL",
            key,
            making_of_it(|request, sent| {
                sent.map_err(|error| TransportError { message: request.url.to_owned(), ..error })
            }),
        ),
        (
            "its cause says the headers",
            key,
            making_of_it(|request, sent| {
                let said = request.headers.iter().map(|header| header.value).collect::<Vec<_>>().join(" ");
                sent.map_err(|error| TransportError { source: Some(said.into()), ..error })
            }),
        ),
        ("it sends one at a time", mixed, {
            let one = Mutex::new(());
            mistaken(move |ours, request, on_head| {
                let _one = one.lock().unwrap();
                ours.send(request, on_head)
            })
        }),
        ("it mixes answers", mixed, {
            let (at_once, last) = (AtomicU32::new(0), Mutex::new(None));
            mistaken(move |ours, request, on_head| {
                at_once.fetch_add(1, Ordering::SeqCst);
                let response = ours.send(request, on_head);
                let mut last = last.lock().unwrap();
                let others = at_once.fetch_sub(1, Ordering::SeqCst) > 1;
                let response = response?;
                let other = last.replace(response.clone()).filter(|_| others);
                Ok(other.unwrap_or(response))
            })
        }),
    ];
    // Side by side, because some of them are found by a wait.
    std::thread::scope(|scope| {
        for (mistake, by, transport) in &mistakes {
            scope.spawn(move || {
                let found = check_transport(&**transport).expect_err(mistake);
                assert_eq!(found.check, *by, "{mistake}: {found}");
            });
        }
    });
}
