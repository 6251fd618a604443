use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use crate::builtin::Quota;
use crate::cancel::Bounds;
use crate::credentials::{KeyPlacement, mask};
use crate::exchange::Attempt;
use crate::plugin::{
    Acquired, CallClass, Clock, CredentialsProvider, Delivery, Event, Failure, Head, Header, Limiter,
    LimiterError, Method, Observer, Permit, Request, Response, Settlement, Snapshot, Transport,
    TransportError,
};
use crate::retry::{Tried, resend};
use crate::wire::{self, QUERY};
use crate::{
    Canceller, Credentials, Endpoint, Error, ErrorKind, Http, JobStatus, Operation, Outcome, QueueMetrics,
    RequestId, Resend, RetryPolicy, Submission, VendorError,
};

/// The parts of a client, and the order in which they act.
pub(crate) struct Pipeline {
    pub(crate) endpoint: Endpoint,
    pub(crate) credentials: Box<dyn CredentialsProvider>,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) limiter: Box<dyn Limiter>,
    pub(crate) quota: Quota,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) observer: Option<Box<dyn Observer>>,
    pub(crate) retry: RetryPolicy,
    pub(crate) outcome_rule: Option<OutcomeRule>,
}

pub(crate) type OutcomeRule = Box<dyn Fn(&JobStatus) -> Outcome + Send + Sync>;

impl Pipeline {
    pub(crate) fn submit(
        &self,
        operation: &Operation,
        submission: &Submission<'_>,
        bounds: &Bounds,
    ) -> Result<RequestId, Error> {
        let call = |keys| self.submit_call(operation, submission, keys);
        self.exchange(call, bounds, |json, _| wire::read_submitted(json))
            .map_err(|error| error.about(operation, None))
    }

    pub(crate) fn status(
        &self,
        operation: &Operation,
        id: &RequestId,
        bounds: &Bounds,
    ) -> Result<JobStatus, Error> {
        let call = |keys| Ok(self.status_call(operation, id, keys));
        self.exchange(call, bounds, |json, http| self.read_status(operation, id, json, http))
            .map_err(|error| error.about(operation, Some(id)))
    }

    pub(crate) fn metrics(&self, operation: &Operation, bounds: &Bounds) -> Result<QueueMetrics, Error> {
        let call = |keys| Ok(self.metrics_call(operation, keys));
        self.exchange(call, bounds, read_metrics).map_err(|error| error.about(operation, None))
    }

    pub(crate) fn snapshot(&self) -> Result<Option<Snapshot>, Error> {
        self.limiter
            .snapshot(&*self.clock)
            .map_err(|trouble| no_leave(trouble, self.keys().ok().as_deref(), None))
    }

    /// The keys for a call that is about to be made.
    pub(crate) fn keys(&self) -> Result<Arc<Credentials>, Error> {
        self.credentials.credentials().map_err(|trouble| {
            let message = format!("there are no keys for the call: {}", trouble.message);
            Error::new(ErrorKind::Config, Resend::Safe, message).with_source(trouble.source)
        })
    }

    pub(crate) fn status_call<'a>(
        &self,
        operation: &'a Operation,
        id: &'a RequestId,
        keys: Arc<Credentials>,
    ) -> Call<'a> {
        self.question(operation, CallClass::Poll, operation.status_path(), Some(id), keys)
    }

    pub(crate) fn metrics_call<'a>(&self, operation: &'a Operation, keys: Arc<Credentials>) -> Call<'a> {
        self.question(operation, CallClass::Other, operation.metrics_path(), None, keys)
    }

    /// Reads the answer to a status call, and tells of it.
    pub(crate) fn read_status(
        &self,
        operation: &Operation,
        id: &RequestId,
        json: &str,
        http: Http,
    ) -> Result<JobStatus, String> {
        let status = JobStatus::read(json, Some(id))?.with_http(http);
        let status = match &self.outcome_rule {
            Some(rule) => {
                let outcome = rule(&status);
                status.with_outcome(outcome)
            }
            None => status,
        };
        self.observe(&Event::Status { operation: operation.name(), status: &status });
        Ok(status)
    }

    /// One call with all its attempts.
    fn exchange<'a, T>(
        &self,
        call: impl Fn(Arc<Credentials>) -> Result<Call<'a>, Error>,
        bounds: &Bounds,
        read: impl Fn(&str, Http) -> Result<T, String>,
    ) -> Result<T, Error> {
        let began = self.clock.now();
        let first = call(self.keys()?)?;
        self.attempts(first, call, began.saturating_add(bounds.deadline), bounds, read)
            .map_err(|error| error.with_elapsed(self.clock.now().saturating_sub(began)))
    }

    /// The pipeline, in the order that is correct: every attempt takes a permit, so that a retry cannot go over the
    /// quota; the transport settles it when the answer's head comes; what the reply means decides whether there is
    /// another attempt.
    fn attempts<'a, T>(
        &self,
        mut call: Call<'a>,
        make: impl Fn(Arc<Credentials>) -> Result<Call<'a>, Error>,
        deadline: Duration,
        bounds: &Bounds,
        read: impl Fn(&str, Http) -> Result<T, String>,
    ) -> Result<T, Error> {
        let (mut tried, mut renewed) = (Tried::default(), false);
        loop {
            let permit = self.permit(&call, deadline, bounds, &mut tried.waited);
            let permit = permit.map_err(|error| tried.cut_short(error))?;
            let error = match self.attempt(&call, permit, deadline, bounds, tried.next(), &read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tried.add(&error);
            let pause = match are_others(&error) && !renewed {
                true => {
                    renewed = true;
                    call = self.keys().and_then(&make).map_err(|error| tried.failed(error))?;
                    Duration::ZERO
                }
                false => {
                    let again = self.retry.again(&error, tried.failures, tried.refusals, call.salt());
                    let in_time = |pause: &Duration| self.clock.now().saturating_add(*pause) < deadline;
                    let Some(pause) = again.filter(in_time) else { return Err(tried.failed(error)) };
                    pause
                }
            };
            self.observe(&Event::Retrying {
                operation: call.operation.name(),
                request_id: call.id,
                kind: error.kind(),
                wait: pause,
            });
            tried.last = Some(error);
            if !pause.is_zero() {
                bounds.sleep(&*self.clock, pause).map_err(|interrupted| tried.cut_short(interrupted))?;
            }
        }
    }

    /// Waits for leave to send one call, and gives the place up that it has waited in if none comes. The time is added to `waited`.
    fn permit(
        &self,
        call: &Call<'_>,
        deadline: Duration,
        bounds: &Bounds,
        waited: &mut Duration,
    ) -> Result<Permit, Error> {
        let mut waits = false;
        let permit = self.wait_for_permit(call, deadline, bounds, &mut waits, waited);
        // A limiter that cannot tell cannot hear either; the place is lost by not coming.
        if waits && permit.as_ref().is_err_and(|error| error.kind() != ErrorKind::Limiter) {
            self.limiter.leave();
        }
        permit
    }

    fn wait_for_permit(
        &self,
        call: &Call<'_>,
        deadline: Duration,
        bounds: &Bounds,
        waits: &mut bool,
        waited: &mut Duration,
    ) -> Result<Permit, Error> {
        loop {
            let late = || {
                Error::new(
                    ErrorKind::Deadline,
                    Resend::Safe,
                    "the deadline passed before the quota had a free call",
                )
            };
            bounds.check()?;
            if self.clock.now() >= deadline {
                return Err(late());
            }
            match self.limiter.try_acquire(call.class, &*self.clock) {
                Ok(Acquired::Granted(permit)) => return Ok(permit),
                Ok(Acquired::RetryAfter(wait)) => {
                    *waits = true;
                    let (now, wait) = (self.clock.now(), wait.max(Duration::from_millis(1)));
                    if now.saturating_add(wait) >= deadline {
                        return Err(late());
                    }
                    let (operation, request_id, class) = (call.operation.name(), call.id, call.class);
                    self.observe(&Event::WaitingForPermit { operation, request_id, class, wait });
                    bounds.sleep(&*self.clock, wait)?;
                    *waited += self.clock.now().saturating_sub(now);
                }
                Err(trouble) => return Err(no_leave(trouble, Some(&call.keys), call.path_tail)),
            }
        }
    }

    /// Sends the call once.
    fn attempt<T>(
        &self,
        call: &Call<'_>,
        permit: Permit,
        deadline: Duration,
        bounds: &Bounds,
        attempt: Attempt,
        read: &impl Fn(&str, Http) -> Result<T, String>,
    ) -> Result<T, Error> {
        let (operation, request_id, class) = (call.operation.name(), call.id, call.class);
        self.observe(&Event::Sending { operation, request_id, class, attempt: attempt.number });
        let attempt = Attempt { at: self.clock.now(), ..attempt };
        let sent = self.sent(Some(permit), attempt, &call.keys, call.path_tail);
        self.transmit(call, sent, deadline, bounds.canceller.as_ref(), read)
    }

    /// The only place where we send; a look may be asked by a client of the host instead, with a permit all the same.
    pub(crate) fn transmit<T>(
        &self,
        call: &Call<'_>,
        mut sent: Sent<'_>,
        deadline: Duration,
        canceller: Option<&Canceller>,
        read: &impl Fn(&str, Http) -> Result<T, String>,
    ) -> Result<T, Error> {
        let headers = headers(call.method, &call.keys);
        let never = Arc::default();
        let request = Request {
            method: call.method,
            url: &call.url,
            headers: &headers,
            body: call.body,
            time_left: deadline.saturating_sub(sent.attempt.at),
            new_connection: &AtomicBool::new(false),
            cancelled: canceller.map_or(&never, Canceller::flag),
        };
        let is_new = || request.new_connection.load(Ordering::Relaxed);
        let result = self.transport.send(&request, &mut |head| sent.head(head, is_new()));
        let new_connection = is_new();
        self.received(call, sent, result, new_connection, read)
    }

    /// A call that has its permit, on its way.
    pub(crate) fn sent<'a>(
        &'a self,
        permit: Option<Permit>,
        attempt: Attempt,
        keys: &'a Credentials,
        path_tail: Option<&'a str>,
    ) -> Sent<'a> {
        Sent { pipeline: self, permit, attempt, keys, path_tail }
    }

    /// What came back from a call: an answer of whatever kind, or none.
    pub(crate) fn received<T>(
        &self,
        call: &Call<'_>,
        mut sent: Sent<'_>,
        result: Result<Response, TransportError>,
        new_connection: bool,
        read: &impl Fn(&str, Http) -> Result<T, String>,
    ) -> Result<T, Error> {
        match &result {
            Ok(response) => sent.head(&response.head, new_connection),
            Err(TransportError { delivery: Delivery::NotSent, .. }) => sent.settle(Settlement::NotSent),
            Err(_) => sent.settle(Settlement::InDoubt),
        }
        let Response { head, body } = result.map_err(|error| {
            let lost = sent.attempt.lost(&error, &*self.clock);
            no_answer(call, error).with_lost(Some(lost))
        })?;
        let (operation, request_id, class) = (call.operation.name(), call.id, call.class);
        let http_status = head.status;
        let elapsed = self.clock.now().saturating_sub(sent.attempt.at);
        self.observe(&Event::Answered { operation, request_id, class, http_status, elapsed });
        if http_status == 429 {
            self.observe(&Event::Refused { operation, request_id, class });
        }
        self.meaning(call, sent.attempt.answered(head, elapsed), &body, read)
    }

    /// What an answer means: the thing asked for, or which error.
    fn meaning<T>(
        &self,
        call: &Call<'_>,
        http: Http,
        body: &[u8],
        read: &impl Fn(&str, Http) -> Result<T, String>,
    ) -> Result<T, Error> {
        let vendor = || vendor_error(call, body);
        let status = http.status;
        let (kind, message) = match status {
            200..=299 => match wire::utf8(body).and_then(|text| read(text, http)) {
                Ok(answer) => return Ok(answer),
                Err(_) if vendor().is_some_and(|said| said.is_named()) => {
                    (ErrorKind::BadRequest, format!("the vendor answered {status} with an error"))
                }
                Err(what) => (ErrorKind::Malformed, format!("the answer {}", call.masked(&what))),
            },
            301 | 302 | 303 | 307 | 308 => (
                ErrorKind::Malformed,
                format!("the server answered {status}, a redirect, which is never followed"),
            ),
            401 | 403 => (ErrorKind::Unauthorized, format!("the vendor did not accept the keys ({status})")),
            404 => (ErrorKind::NotFound, "the vendor does not know this path or job (404)".to_owned()),
            429 => (
                ErrorKind::Refused,
                "the vendor refused the call: more than the quota were made (429)".to_owned(),
            ),
            400..=499 => (ErrorKind::BadRequest, format!("the vendor did not accept the request ({status})")),
            500..=599 => (ErrorKind::Server, format!("the vendor failed ({status})")),
            _ => (ErrorKind::Malformed, format!("the server answered {status}, which answers nothing here")),
        };
        let advice = match kind {
            ErrorKind::Unauthorized if self.other_keys(&call.keys, status) => Resend::Safe,
            _ => resend(kind, Delivery::InDoubt, call.repeatable()),
        };
        Err(Error::new(kind, advice, message).with_http(status, vendor()))
    }

    /// Are there other keys than these, which the vendor did not accept? They may have come while the call was on its way.
    fn other_keys(&self, refused: &Credentials, http_status: u16) -> bool {
        let are_others = || self.credentials.credentials().is_ok_and(|keys| *keys != *refused);
        are_others() || {
            self.credentials.refused(http_status);
            are_others()
        }
    }

    fn question<'a>(
        &self,
        operation: &'a Operation,
        class: CallClass,
        path: &str,
        id: Option<&'a RequestId>,
        keys: Arc<Credentials>,
    ) -> Call<'a> {
        let query = id
            .map(|id| format!("?RequestID={}", utf8_percent_encode(id.as_str(), QUERY)))
            .unwrap_or_default();
        let url = Zeroizing::new(format!("{}{path}{query}", self.endpoint.as_str()));
        Call { operation, class, id, method: Method::Get, url, body: None, path_tail: None, keys }
    }

    fn submit_call<'a>(
        &self,
        operation: &'a Operation,
        submission: &'a Submission<'a>,
        keys: Arc<Credentials>,
    ) -> Result<Call<'a>, Error> {
        let Some((submit_keys, placement)) = keys.submit_keys() else {
            return Err(Error::config(
                "a submit needs the access key and the secret key besides the API key; they are in the vendor's \
                 My Account > Settings > API and Webhooks",
            ));
        };
        let mut url = Zeroizing::new(format!("{}{}", self.endpoint.as_str(), operation.submit_path()));
        submission.check_for(operation)?;
        submission.append_to(&mut url)?;
        if placement == KeyPlacement::Query {
            let joint = if url.contains('?') { '&' } else { '?' };
            let encoded = |key| utf8_percent_encode(key, QUERY);
            let both = (encoded(&submit_keys.access_key), encoded(&submit_keys.secret_key));
            url.push_str(&Zeroizing::new(format!("{joint}accessKey={}&secretKey={}", both.0, both.1)));
        }
        let body = Some(submission.checked_body()?);
        let path_tail = submission.tail();
        let (class, method) = (CallClass::Submit, Method::Post);
        Ok(Call { operation, class, id: None, method, url, body, path_tail, keys })
    }

    pub(crate) fn describe(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        f.debug_struct(name)
            .field("endpoint", &self.endpoint.as_str())
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }

    /// An observer sees and changes nothing: not even its panic reaches the call.
    pub(crate) fn observe(&self, event: &Event<'_>) {
        if let Some(observer) = &self.observer {
            let _ = catch_unwind(AssertUnwindSafe(|| observer.on_event(event)));
        }
    }
}

/// One call, as often as it is sent.
pub(crate) struct Call<'a> {
    operation: &'a Operation,
    class: CallClass,
    id: Option<&'a RequestId>,
    method: Method,
    pub(crate) url: Zeroizing<String>,
    body: Option<&'a [u8]>,
    path_tail: Option<&'a str>,
    keys: Arc<Credentials>,
}

impl Call<'_> {
    /// Is it harmless to send twice?
    fn repeatable(&self) -> bool {
        self.method == Method::Get
    }

    fn salt(&self) -> u64 {
        salt(self.operation, self.id)
    }

    fn masked(&self, text: &str) -> String {
        mask(text, self.keys.secrets().chain(self.path_tail))
    }
}

/// Every header of a call.
pub(crate) fn headers(method: Method, keys: &Credentials) -> Vec<Header<'_>> {
    let mut headers = vec![
        Header { name: "accept", value: "application/json" },
        Header { name: "user-agent", value: concat!("activity-status/", env!("CARGO_PKG_VERSION")) },
        Header { name: "x-api-key", value: keys.api_key() },
    ];
    if method == Method::Post {
        headers.push(Header { name: "content-type", value: "application/json" });
        if let Some((keys, KeyPlacement::Headers)) = keys.submit_keys() {
            headers.push(Header { name: "x-lsq-accesskey", value: &keys.access_key });
            headers.push(Header { name: "x-lsq-secretkey", value: &keys.secret_key });
        }
    }
    headers
}

/// A number that differs between calls and is the same for the same call.
pub(crate) fn salt(operation: &Operation, id: Option<&RequestId>) -> u64 {
    let name = id.map_or(operation.name(), RequestId::as_str);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// Were the keys not accepted, and are there other ones meanwhile?
fn are_others(error: &Error) -> bool {
    error.kind() == ErrorKind::Unauthorized && error.resend() == Resend::Safe
}

/// What an answer says that is none. Masked before it is cut, so that no key is cut into a part too short to be
/// recognised.
fn vendor_error(call: &Call<'_>, body: &[u8]) -> Option<VendorError> {
    let clean =
        |text: &str, limit| wire::shortened(&call.masked(wire::shortened(text, 4 * limit)), limit).to_owned();
    let text = String::from_utf8_lossy(&body[..body.len().min(4000)]);
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let said = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let named = wire::utf8(body).ok().and_then(wire::read_vendor_error).unwrap_or_default();
    (!said.is_empty()).then(|| VendorError {
        exception_type: named.0.map(|text| clean(&text, 1000)),
        exception_message: named.1.map(|text| clean(&text, 1000)),
        body: clean(&said, 500),
    })
}

/// No whole answer came.
fn no_answer(call: &Call<'_>, error: TransportError) -> Error {
    let kind = match error.failure {
        Failure::Config => ErrorKind::Config,
        Failure::Interrupted if error.delivery != Delivery::InDoubt || call.repeatable() => {
            ErrorKind::Interrupted
        }
        _ if error.delivery == Delivery::InDoubt && !call.repeatable() => ErrorKind::InDoubt,
        Failure::TimedOut => ErrorKind::TimedOut,
        Failure::Malformed => ErrorKind::Malformed,
        _ => ErrorKind::Transport,
    };
    let advice = resend(kind, error.delivery, call.repeatable());
    Error::new(kind, advice, call.masked(&error.message)).with_source(error.source)
}

/// Reads the answer to a metrics call.
pub(crate) fn read_metrics(json: &str, http: Http) -> Result<QueueMetrics, String> {
    Ok(QueueMetrics::read(json)?.with_http(http))
}

/// The limiter cannot tell: nothing was sent.
pub(crate) fn no_leave(trouble: LimiterError, keys: Option<&Credentials>, path_tail: Option<&str>) -> Error {
    let secrets = keys.into_iter().flat_map(Credentials::secrets).chain(path_tail);
    let message = format!("the limiter gave no answer: {}", mask(&trouble.message, secrets));
    Error::new(ErrorKind::Limiter, Resend::Safe, message).with_source(trouble.source)
}

/// A call on its way. Its permit is settled once, whatever happens: even if a plugin panics.
pub(crate) struct Sent<'a> {
    pipeline: &'a Pipeline,
    permit: Option<Permit>,
    attempt: Attempt,
    keys: &'a Credentials,
    path_tail: Option<&'a str>,
}

impl Sent<'_> {
    /// The head of the answer has just arrived.
    pub(crate) fn head(&mut self, head: &Head, new_connection: bool) {
        self.attempt.head = Some(head.status);
        self.settle(settlement(head, new_connection));
    }

    fn settle(&mut self, how: Settlement) {
        let Some(permit) = self.permit.take() else { return };
        if let Err(error) = self.pipeline.limiter.settle(permit, how, &*self.pipeline.clock) {
            let message = mask(&error.message, self.keys.secrets().chain(self.path_tail));
            self.pipeline.observe(&Event::SettleFailed { error: &LimiterError { message, ..error } });
        }
    }
}

impl Drop for Sent<'_> {
    /// A plugin has panicked, so nothing is known; a second panic here would end the program.
    fn drop(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.settle(Settlement::InDoubt)));
    }
}

fn settlement(head: &Head, new_connection: bool) -> Settlement {
    match head.status {
        429 => Settlement::Refused { retry_after: head.header("retry-after").and_then(seconds) },
        _ if new_connection => Settlement::AnsweredOnNewConnection,
        _ => Settlement::Answered,
    }
}

/// `Retry-After` in seconds. The vendor sends none \[docs\]; a date in its place is not worth a parser, and 0 is no advice.
fn seconds(retry_after: &str) -> Option<Duration> {
    retry_after.trim().parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}
