use std::sync::Arc;

use activity_status::conformance;
use activity_status::plugin::{Delivery, Failure, Head, Request, Response, Transport, TransportError};
use pyo3::prelude::*;

use super::Trial;
use crate::exchange::{NativeTransport, PyTransport};
use crate::signals::take_raised;
use crate::text::Time;

/// Puts a transport through the checks that ours goes through, against servers on this machine's loopback: a request arrives
/// as it was given, any status is an answer, no redirect is followed, what is cut off or endless is an error, what may have
/// arrived is never called not sent and goes out once, a call ends in its time, no error shows a key, and more.
///
/// It takes about a second, and ten more for each call that had to end and did not. TLS, proxies and names that have to be
/// looked up are not checked; of a transport of your own neither is when it tells of a head.
///
/// AssertionError says which check failed and what the transport did, and that the checks were not over within timeout
/// seconds; an exception that is no failure of an exchange is its cause.
#[pyfunction]
#[pyo3(signature = (transport, *, timeout=None), text_signature = "(transport, *, timeout=60.0)")]
pub(crate) fn check_transport(
    py: Python<'_>,
    transport: &Bound<'_, PyAny>,
    timeout: Option<Time>,
) -> PyResult<()> {
    let trial = Arc::<Trial>::default();
    let timeout = super::or_seconds(py, timeout, 60)?;
    if let Ok(native) = transport.cast::<NativeTransport>() {
        let native = Arc::clone(&native.get().0);
        return trial.run(py, timeout, move || conformance::check_transport(&native));
    }
    let own = Watched { trial: Arc::clone(&trial), transport: PyTransport::new(transport)? };
    trial.run(py, timeout, move || conformance::check_transport_without_heads(&own))
}

/// A transport under test.
struct Watched {
    trial: Arc<Trial>,
    transport: PyTransport,
}

impl Transport for Watched {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        if self.trial.is_over() {
            return Err(TransportError {
                delivery: Delivery::NotSent,
                failure: Failure::Interrupted,
                message: "the checks were stopped".to_owned(),
                source: None,
            });
        }
        let answer = self.transport.send(request, on_head);
        if let Some(error) = take_raised() {
            self.trial.stop(format!("it raised what is no failure of an exchange: {error}"));
            self.trial.heard(error);
        }
        answer
    }
}
