use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use activity_status::plugin::{
    Delivery, Failure, Head, Header, Method, Request, Response, Transport, TransportError,
};
use zeroize::Zeroizing;

use crate::signals::{SLICE, arrived, watched};

/// Another transport, whose exchanges can be left when a signal's handler raises: on the main thread each runs on a
/// thread of its own. One that was left goes on until it ends or its time is up, and nobody hears of it.
pub(crate) struct SignalTransport<T>(pub(crate) Arc<T>);

impl<T: Transport + 'static> Transport for SignalTransport<T> {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        if !watched() {
            return self.0.send(request, on_head);
        }
        let (tell, told) = channel();
        let (inner, flight) = (Arc::clone(&self.0), Flight::of(request));
        let exchange = move || {
            // Who left does not listen any more.
            let new = AtomicBool::new(false);
            let mut on_head =
                |head: &Head| drop(tell.send(Told::Head(head.clone(), new.load(Ordering::Relaxed))));
            let result = flight.send(&*inner, &new, &mut on_head);
            let _ = tell.send(Told::End(result));
        };
        if thread::Builder::new().name("activity-status".to_owned()).spawn(exchange).is_err() {
            return self.0.send(request, on_head);
        }
        loop {
            match told.recv_timeout(SLICE) {
                Ok(Told::Head(head, new)) => {
                    request.new_connection.store(new, Ordering::Relaxed);
                    on_head(&head);
                }
                Ok(Told::End(result)) => return result,
                Err(RecvTimeoutError::Timeout) if arrived() => {
                    return Err(lost(Failure::Interrupted, "it was interrupted before the answer came"));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(lost(Failure::Connection, "the exchange ended by a bug of ours"));
                }
            }
        }
    }
}

enum Told {
    /// The head, and whether the connection is a new one.
    Head(Head, bool),
    End(Result<Response, TransportError>),
}

/// A request that owns what it needs. Its texts can hold keys, and are wiped like those that they were copied from.
struct Flight {
    method: Method,
    url: Zeroizing<String>,
    headers: Vec<(String, Zeroizing<String>)>,
    body: Option<Vec<u8>>,
    time_left: Duration,
}

impl Flight {
    fn of(request: &Request<'_>) -> Self {
        let owned = |header: &Header<'_>| (header.name.to_owned(), Zeroizing::new(header.value.to_owned()));
        Flight {
            method: request.method,
            url: Zeroizing::new(request.url.to_owned()),
            headers: request.headers.iter().map(owned).collect(),
            body: request.body.map(<[u8]>::to_vec),
            time_left: request.time_left,
        }
    }

    fn send(
        &self,
        transport: &dyn Transport,
        new_connection: &AtomicBool,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| Header { name, value }).collect();
        let request = Request {
            method: self.method,
            url: &self.url,
            headers: &headers,
            body: self.body.as_deref(),
            time_left: self.time_left,
            new_connection,
            // Whoever waits for it gives it up without asking.
            cancelled: &AtomicBool::new(false),
        };
        transport.send(&request, on_head)
    }
}

fn lost(failure: Failure, message: &str) -> TransportError {
    TransportError { delivery: Delivery::InDoubt, failure, message: message.to_owned(), source: None }
}
