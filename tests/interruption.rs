//! An exchange that hangs, wherever it does, ends when its call is cancelled or the program says so.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use activity_status::builtin::{SystemClock, Timeouts, UreqTransport};
use activity_status::plugin::{
    Clock, Delivery, Failure, Method, Request, Response, Transport, TransportError,
};
use activity_status_tests::{Answer, RawServer, http};
use socket2::{Domain, Socket, Type};

/// So long an exchange would hang if nobody ended it. It catches those that hang, and no slow machine.
const HANG: Duration = Duration::from_secs(20);

fn transport() -> UreqTransport {
    UreqTransport::new(Timeouts { resolve: HANG, connect: HANG, send: HANG, head: HANG, body: HANG }).unwrap()
}

fn send(
    transport: &UreqTransport,
    url: &str,
    body: Option<&[u8]>,
    cancelled: &Arc<AtomicBool>,
) -> Result<Response, TransportError> {
    let method = if body.is_some() { Method::Post } else { Method::Get };
    let new_connection = &AtomicBool::new(false);
    let request = Request { method, url, headers: &[], body, time_left: 2 * HANG, new_connection, cancelled };
    transport.send(&request, &mut |_| {})
}

/// Somewhere to hang.
struct Place {
    name: &'static str,
    url: String,
    body: Option<Vec<u8>>,
    delivery: Delivery,
    _server: Box<dyn Send>,
}

fn places() -> Vec<Place> {
    let address = |listener: &TcpListener| listener.local_addr().unwrap();
    let (full, waiting) = full();
    let (deaf, mute) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let silent = RawServer::start(|_| Answer::BytesThenSilence(vec![]));
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec();
    let half = RawServer::start(move |_| Answer::BytesThenSilence(begun.clone()));
    let place = |name, url: String, delivery, _server: Box<dyn Send>| Place {
        name,
        url,
        body: None,
        delivery,
        _server,
    };
    let large = Some(vec![b'x'; 64 << 20]);
    vec![
        place("connect", format!("http://{}", address(&full)), Delivery::NotSent, Box::new((full, waiting))),
        place("TLS", format!("https://{}", address(&mute)), Delivery::NotSent, Box::new(mute)),
        Place {
            body: large,
            ..place("send", format!("http://{}", address(&deaf)), Delivery::Partly, Box::new(deaf))
        },
        place("head", silent.url().to_owned(), Delivery::InDoubt, Box::new(silent)),
        place("body", half.url().to_owned(), Delivery::InDoubt, Box::new(half)),
    ]
}

/// A listener that takes no connection any more, and those that it has.
fn full() -> (TcpListener, Vec<TcpStream>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().unwrap();
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let waiting = (0..64).map_while(connect).collect::<Vec<_>>();
    assert!(waiting.len() < 64, "it takes everything");
    (listener, waiting)
}

fn assert_ended(place: &Place, result: Result<Response, TransportError>, took: Duration) {
    let error = result.expect_err(place.name);
    assert_eq!(
        (error.failure, error.delivery),
        (Failure::Interrupted, place.delivery),
        "{}: {error}",
        place.name
    );
    assert!(took < HANG / 2, "{}: {took:?}", place.name);
}

#[test]
fn a_cancelled_call_ends_wherever_it_hangs() {
    for place in places() {
        let (transport, clock, cancelled) = (transport(), SystemClock::new(), Arc::<AtomicBool>::default());
        let canceller = thread::spawn({
            let cancelled = Arc::clone(&cancelled);
            move || {
                clock.sleep(Duration::from_millis(500)).unwrap();
                cancelled.store(true, Ordering::SeqCst);
            }
        });
        let started = clock.now();
        let result = send(&transport, &place.url, place.body.as_deref(), &cancelled);
        assert_ended(&place, result, clock.now() - started);
        assert!(cancelled.load(Ordering::SeqCst), "{} ended by itself", place.name);
        canceller.join().unwrap();
    }
}

#[test]
fn the_program_is_asked_on_the_sending_thread_and_ends_the_exchange() {
    for place in places() {
        let (asked, sender) = (Arc::<AtomicU32>::default(), thread::current().id());
        let counted = Arc::clone(&asked);
        let transport = transport().interruptible(move || {
            assert_eq!(thread::current().id(), sender);
            counted.fetch_add(1, Ordering::SeqCst) == 19
        });
        let clock = SystemClock::new();
        let started = clock.now();
        let result = send(&transport, &place.url, place.body.as_deref(), &Arc::default());
        assert_ended(&place, result, clock.now() - started);
        assert_eq!(asked.load(Ordering::SeqCst), 20, "{}: asked until it says so, and no more", place.name);
    }
}

#[test]
fn a_call_that_is_over_is_not_sent() {
    let server = RawServer::start(|_| Answer::Bytes(http(200, "text/plain", b"late")));
    for (is_over, cancelled) in [(true, false), (false, true)] {
        let transport = transport().interruptible(move || is_over);
        let error = send(&transport, server.url(), Some(b"{}"), &Arc::new(cancelled.into())).unwrap_err();
        assert_eq!((error.failure, error.delivery), (Failure::Interrupted, Delivery::NotSent));
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_was_left_is_not_taken_for_the_answer_to_another_call() {
    let first = AtomicBool::new(true);
    let server = RawServer::start(move |_| match first.swap(false, Ordering::SeqCst) {
        true => Answer::BytesThenSilence(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nlate".to_vec()),
        false => Answer::Bytes(http(200, "text/plain", b"second")),
    });
    let asked = AtomicU32::new(0);
    // It is asked before the first call is sent, and then while that waits.
    let transport = transport().interruptible(move || asked.fetch_add(1, Ordering::SeqCst) == 1);
    assert!(send(&transport, server.url(), None, &Arc::default()).is_err());
    for _ in 0..2 {
        assert_eq!(send(&transport, server.url(), None, &Arc::default()).unwrap().body, b"second");
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn who_is_asked_may_make_a_call_itself() {
    let silent = RawServer::start(|_| Answer::BytesThenSilence(vec![]));
    let other = RawServer::start(|_| Answer::Bytes(http(200, "text/plain", b"other")));
    let (cancelled, bodies) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<Vec<u8>>>>::default());
    let whole = Arc::<OnceLock<UreqTransport>>::default();
    let inside = (Arc::clone(&whole), other.url().to_owned(), Arc::clone(&bodies), Arc::clone(&cancelled));
    let asked = AtomicU32::new(0);
    let transport = transport().interruptible(move || {
        let (transport, url, bodies, cancelled) = &inside;
        // Once, while the call waits.
        if let Some(transport) = transport.get()
            && asked.fetch_add(1, Ordering::SeqCst) == 1
        {
            let answer = send(transport, url, None, &Arc::default());
            bodies.lock().unwrap().push(answer.unwrap().body);
            // The outer one's: it is still known after the inner one.
            cancelled.store(true, Ordering::SeqCst);
        }
        false
    });
    let transport = whole.get_or_init(|| transport);
    let error = send(transport, silent.url(), None, &cancelled).unwrap_err();
    assert_eq!((error.failure, error.delivery), (Failure::Interrupted, Delivery::InDoubt));
    assert_eq!(*bodies.lock().unwrap(), [b"other"]);
}
