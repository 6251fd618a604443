//! A request and what comes of it, to be given to another thread or to Python.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use activity_status::plugin::{
    Delivery, Failure, Head, Header, Method, Request, Response, Transport, TransportError,
};
use zeroize::Zeroizing;

/// What is told of an exchange on its way.
pub(crate) enum Told {
    Head(Head),
    End(Result<Response, TransportError>),
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
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| Header { name, value }).collect();
        let request = Request {
            method: self.method,
            url: &self.url,
            headers: &headers,
            body: self.body.as_deref(),
            time_left: self.time_left,
            new_connection: &AtomicBool::new(false),
            // Whoever waits for it gives it up without asking.
            cancelled: &Arc::default(),
        };
        let mut on_head = |head: &Head| {
            tell(Told::Head(head.clone()));
        };
        let result = transport.send(&request, &mut on_head);
        tell(Told::End(result))
    }
}

pub(crate) fn lost(failure: Failure, message: &str) -> TransportError {
    TransportError { delivery: Delivery::InDoubt, failure, message: message.to_owned(), source: None }
}
