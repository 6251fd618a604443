use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use activity_status::plugin::{
    Clock, Delivery, Failure, Head, Method, Request, Response, Transport, TransportError,
};

use crate::{Book, Call, Manner, Reply, Sandbox, Settings};

/// The [`Sandbox`] in place of the network, under a clock: a virtual one, and a week is over in a moment.
///
/// A clone asks the same sandbox. URLs are read from their path on, whatever their host.
#[derive(Clone)]
pub struct SandboxTransport {
    sandbox: Arc<Mutex<Sandbox>>,
    clock: Arc<dyn Clock>,
}

impl SandboxTransport {
    /// A sandbox of its own.
    pub fn new(settings: Settings, clock: impl Clock + 'static) -> Self {
        SandboxTransport::sharing(Arc::new(Mutex::new(Sandbox::new(settings))), clock)
    }

    /// A way to a sandbox that others use too.
    pub fn sharing(sandbox: Arc<Mutex<Sandbox>>, clock: impl Clock + 'static) -> Self {
        SandboxTransport { sandbox, clock: Arc::new(clock) }
    }

    /// The sandbox itself. Do not hold its lock while something waits on the clock.
    pub fn sandbox(&self) -> &Arc<Mutex<Sandbox>> {
        &self.sandbox
    }

    /// What has happened by now.
    pub fn book(&self) -> Book {
        let now = self.clock.now();
        let mut sandbox = self.lock();
        sandbox.advance(now);
        sandbox.book().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, duration: Duration) -> Result<(), TransportError> {
        self.clock.sleep(duration).map_err(|_| in_doubt(Failure::Interrupted, "the call was interrupted"))
    }

    fn time_out(&self, left: Duration) -> TransportError {
        match self.wait(left) {
            Ok(()) => in_doubt(Failure::TimedOut, "no answer in time"),
            Err(interrupted) => interrupted,
        }
    }
}

impl Transport for SandboxTransport {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        let call = call_of(request);
        let sent = self.clock.now();
        let Some((there, back)) = self.lock().travel(&call) else {
            let message = "connection refused by the sandbox".into();
            return Err(TransportError {
                delivery: Delivery::NotSent,
                failure: Failure::Connection,
                message,
                source: None,
            });
        };
        let left = request.time_left;
        if there > left {
            // It is under way all the same, and arrives when nobody waits for it any more.
            self.lock().handle_later(call, sent + there);
            return Err(self.time_out(left));
        }
        if let Err(interrupted) = self.wait(there) {
            self.lock().handle_later(call, sent + there);
            return Err(interrupted);
        }
        let now = self.clock.now();
        let Reply { status, headers, body, manner } = self.lock().handle(&call, now);

        let left = left - there;
        if manner == Manner::Never || back > left {
            return Err(self.time_out(left));
        }
        self.wait(back)?;
        let left = left - back;
        match manner {
            Manner::Closed => {
                return Err(in_doubt(Failure::Connection, "the connection was closed without an answer"));
            }
            Manner::Reset => return Err(in_doubt(Failure::Connection, "the connection was reset")),
            Manner::Whole | Manner::Slow(_) | Manner::Truncated | Manner::Never => {}
        }
        let head = Head { status, headers };
        on_head(&head);
        match manner {
            Manner::Truncated => return Err(in_doubt(Failure::Malformed, "the answer was cut off")),
            Manner::Slow(over) if over > left => return Err(self.time_out(left)),
            Manner::Slow(over) => self.wait(over)?,
            _ => {}
        }
        if body.len() > MAX_ANSWER {
            return Err(in_doubt(Failure::Malformed, "the answer is over the size limit"));
        }
        Ok(Response { head, body })
    }
}

/// What a transport over the network takes for an answer at the most, so this one does too.
const MAX_ANSWER: usize = 10 << 20;

fn in_doubt(failure: Failure, message: &str) -> TransportError {
    TransportError { delivery: Delivery::InDoubt, failure, message: message.into(), source: None }
}

fn call_of(request: &Request<'_>) -> Call {
    let after_scheme = request.url.split_once("://").map_or(request.url, |(_, rest)| rest);
    let target = after_scheme.find('/').map_or("/", |slash| &after_scheme[slash..]);
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    Call {
        method: method.into(),
        headers: request.headers.iter().map(|header| (header.name.into(), header.value.into())).collect(),
        body: request.body.unwrap_or_default().into(),
        ..Call::get(target)
    }
}
