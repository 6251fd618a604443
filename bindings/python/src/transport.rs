//! How requests are sent: ours so that a signal can end the wait for an answer, and those that are written in Python.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use activity_status::plugin::{
    Delivery, Failure, Head, Header, Method, Request, Response, Transport, TransportError,
};
use zeroize::Zeroizing;

use crate::signals::{SLICE, arrived, may_leave};

/// Another transport, whose exchanges can be left when a signal's handler raises or the call is cancelled: where that can
/// be, they run on a thread that is kept for them. One that was left goes on until it ends or its time is up, and nobody
/// hears of it.
pub(crate) struct SignalTransport {
    inner: Arc<dyn Transport>,
    idle: Mutex<Option<Worker>>,
}

impl SignalTransport {
    pub(crate) fn new(inner: Arc<dyn Transport>) -> Self {
        SignalTransport { inner, idle: Mutex::default() }
    }

    fn idle(&self) -> Option<Worker> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Transport for SignalTransport {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        if !may_leave() {
            return self.inner.send(request, on_head);
        }
        let Some(worker) = self.idle().or_else(|| Worker::start(&self.inner)) else {
            return self.inner.send(request, on_head);
        };
        let result = worker.send(request, on_head);
        if let Some(result) = result {
            *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
            return result;
        }
        Err(lost(Failure::Interrupted, "it was interrupted before the answer came"))
    }
}

/// A thread for one exchange after the other. It ends when nobody can give it another.
struct Worker {
    flights: Sender<Flight>,
    told: Receiver<Told>,
}

pub(crate) enum Told {
    /// The head, and whether the connection is a new one.
    Head(Head, bool),
    End(Result<Response, TransportError>),
}

impl Worker {
    /// None on a machine without a thread to spare.
    fn start(transport: &Arc<dyn Transport>) -> Option<Self> {
        let (flights, taken) = channel::<Flight>();
        let (tell, told) = channel();
        let transport = Arc::clone(transport);
        let work = move || {
            while let Ok(flight) = taken.recv() {
                // Who left does not listen any more.
                if !flight.fly(&*transport, &mut |told| tell.send(told).is_ok()) {
                    return;
                }
            }
        };
        thread::Builder::new().name("activity-status".to_owned()).spawn(work).ok()?;
        Some(Worker { flights, told })
    }

    /// None if it was left before its end: the worker is of no use any more.
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Option<Result<Response, TransportError>> {
        let broken = || Some(Err(lost(Failure::Connection, "the exchange ended by a bug of ours")));
        if self.flights.send(Flight::of(request)).is_err() {
            return broken();
        }
        loop {
            match self.told.recv_timeout(SLICE) {
                Ok(Told::Head(head, new)) => {
                    request.new_connection.store(new, Ordering::Relaxed);
                    on_head(&head);
                }
                Ok(Told::End(result)) => return Some(result),
                Err(RecvTimeoutError::Timeout) => {
                    if arrived() || request.cancelled.load(Ordering::SeqCst) {
                        return None;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return broken(),
            }
        }
    }
}

/// A request that owns what it needs. Its texts can hold keys, and are wiped like those that they were copied from.
pub(crate) struct Flight {
    pub(crate) method: Method,
    pub(crate) url: Zeroizing<String>,
    pub(crate) headers: Vec<(String, Zeroizing<String>)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) time_left: Duration,
}

impl Flight {
    pub(crate) fn of(request: &Request<'_>) -> Self {
        let owned = |header: &Header<'_>| (header.name.to_owned(), Zeroizing::new(header.value.to_owned()));
        Flight {
            method: request.method,
            url: Zeroizing::new(request.url.to_owned()),
            headers: request.headers.iter().map(owned).collect(),
            body: request.body.map(<[u8]>::to_vec),
            time_left: request.time_left,
        }
    }

    /// Makes the exchange, and tells of its head and its end. False if nobody listens any more.
    pub(crate) fn fly(&self, transport: &dyn Transport, tell: &mut dyn FnMut(Told) -> bool) -> bool {
        let new_connection = AtomicBool::new(false);
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| Header { name, value }).collect();
        let request = Request {
            method: self.method,
            url: &self.url,
            headers: &headers,
            body: self.body.as_deref(),
            time_left: self.time_left,
            new_connection: &new_connection,
            // Whoever waits for it gives it up without asking.
            cancelled: &AtomicBool::new(false),
        };
        let mut on_head = |head: &Head| {
            tell(Told::Head(head.clone(), new_connection.load(Ordering::Relaxed)));
        };
        let result = transport.send(&request, &mut on_head);
        tell(Told::End(result))
    }
}

pub(crate) fn lost(failure: Failure, message: &str) -> TransportError {
    TransportError { delivery: Delivery::InDoubt, failure, message: message.to_owned(), source: None }
}
