use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use crate::builtin::{LONGEST_CALL, Quota, SlotRules, Slots, SystemClock, Timeouts, UreqTransport};
use crate::credentials::{KeyPlacement, mask};
use crate::plugin::{
    Acquired, CallClass, Clock, Delivery, Event, Failure, Head, Header, Limiter, LimiterError, Method,
    Observer, Permit, Request, Response, Settlement, Snapshot, Transport, TransportError,
};
use crate::retry::resend;
use crate::submission::Submission;
use crate::wire::{self, QUERY};
use crate::{
    Credentials, Endpoint, Error, ErrorKind, JobStatus, Operation, Outcome, QueueMetrics, RequestId, Resend,
    RetryPolicy, VendorError,
};

/// Submits jobs and asks how they went, inside the quota.
///
/// A plain struct of replaceable parts. Every method blocks the calling thread and may be called from many at once;
/// put it behind an [`Arc`](std::sync::Arc) to share it. All calls of one client draw on one limiter.
///
/// ```no_run
/// use activity_status::{Client, Credentials, Endpoint, Operation, WaitOptions};
///
/// let keys = Credentials::new("api-key")?.with_submit_keys("access-key", "secret-key")?;
/// let client = Client::builder(Endpoint::INDIA, keys).build()?;
/// let body = r#"{"RelatedProspectId":"b8e49bf4-3b56-49e0-a339-4cc5832d0e34","ActivityEvent":380}"#;
/// let id = client.submit(&Operation::ACTIVITY_CREATE, body)?;
/// let status = client.wait(&Operation::ACTIVITY_CREATE, &id, &WaitOptions::new())?;
/// println!("{}: {}", status.outcome(), status.reason());
/// # Ok::<(), activity_status::Error>(())
/// ```
pub struct Client {
    endpoint: Endpoint,
    credentials: Credentials,
    transport: Box<dyn Transport>,
    limiter: Box<dyn Limiter>,
    pub(crate) clock: Box<dyn Clock>,
    observer: Option<Box<dyn Observer>>,
    retry: RetryPolicy,
    outcome_rule: Option<OutcomeRule>,
    pub(crate) call_deadline: Duration,
}

type OutcomeRule = Box<dyn Fn(&JobStatus) -> Outcome + Send + Sync>;

impl Client {
    /// Begins a client for the account that `credentials` belong to.
    pub fn builder(endpoint: Endpoint, credentials: Credentials) -> ClientBuilder {
        ClientBuilder {
            endpoint,
            credentials,
            transport: None,
            timeouts: Timeouts::default(),
            limiter: None,
            quota: Quota::default(),
            clock: Box::new(SystemClock::new()),
            observer: None,
            retry: RetryPolicy::new(),
            outcome_rule: None,
            call_deadline: Duration::from_secs(60),
        }
    }

    /// Sends one job and returns the id that the vendor gave it.
    ///
    /// # Errors
    /// Kind [`Config`](ErrorKind::Config) before anything is sent, for a body that is not JSON or keys that are missing. Kind
    /// [`InDoubt`](ErrorKind::InDoubt) if it was sent and no answer came: look in the CRM before you send it again, for the
    /// vendor has no idempotency key. Whether any other error may be repeated is in [`Error::resend`].
    pub fn submit<'a>(
        &self,
        operation: &Operation,
        what: impl Into<Submission<'a>>,
    ) -> Result<RequestId, Error> {
        let submission = what.into();
        let deadline = self.clock.now().saturating_add(self.call_deadline);
        let sent = self
            .submit_call(operation, &submission)
            .and_then(|call| self.exchange(&call, deadline, wire::read_submitted));
        sent.map_err(|error| error.about(operation, None))
    }

    /// Asks once how a job stands. Pending is an answer.
    ///
    /// # Errors
    /// Any kind but [`InDoubt`](ErrorKind::InDoubt) and [`Ledger`](ErrorKind::Ledger). A job that failed is not an error.
    pub fn status(&self, operation: &Operation, id: &RequestId) -> Result<JobStatus, Error> {
        self.status_by(operation, id, self.clock.now().saturating_add(self.call_deadline))
    }

    /// Asks how long the operation's queue is.
    ///
    /// # Errors
    /// As [`status`](Client::status).
    pub fn metrics(&self, operation: &Operation) -> Result<QueueMetrics, Error> {
        let deadline = self.clock.now().saturating_add(self.call_deadline);
        let call = self.question(operation, CallClass::Other, operation.metrics_path(), None);
        self.exchange(&call, deadline, QueueMetrics::read).map_err(|error| error.about(operation, None))
    }

    /// How the quota stands, for all who share this client's limiter. `None` if the limiter does not say.
    ///
    /// # Errors
    /// Kind [`Limiter`](ErrorKind::Limiter) if it cannot tell: its file or server is away.
    pub fn snapshot(&self) -> Result<Option<Snapshot>, Error> {
        self.limiter.snapshot(&*self.clock).map_err(|trouble| self.no_leave(trouble, None))
    }

    pub(crate) fn status_by(
        &self,
        operation: &Operation,
        id: &RequestId,
        deadline: Duration,
    ) -> Result<JobStatus, Error> {
        let call = self.question(operation, CallClass::Poll, operation.status_path(), Some(id));
        let read = |json: &str| JobStatus::read(json, Some(id));
        let status =
            self.exchange(&call, deadline, read).map_err(|error| error.about(operation, Some(id)))?;
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

    /// The pipeline, in the order that is correct: every attempt takes a permit, so that a retry cannot go over the
    /// quota; the transport settles it when the answer's head comes; what the reply means decides whether there is
    /// another attempt.
    fn exchange<T>(
        &self,
        call: &Call<'_>,
        deadline: Duration,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let mut tried = Tried::default();
        loop {
            let permit = match self.permit(call, deadline) {
                Ok(permit) => permit,
                Err(error) => {
                    // A limiter that cannot tell cannot hear either; the place is lost by not coming.
                    if error.kind() != ErrorKind::Limiter {
                        self.limiter.leave();
                    }
                    return Err(tried.cut_short(error));
                }
            };
            let error = match self.attempt(call, permit, deadline, tried.count() + 1, &read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tried.add(&error);
            let again = self.retry.again(&error, tried.failures, tried.refusals, call.salt());
            let in_time = |pause: &Duration| self.clock.now().saturating_add(*pause) < deadline;
            let Some(pause) = again.filter(in_time) else { return Err(tried.failed(error)) };
            self.observe(&Event::Retrying {
                operation: call.operation.name(),
                kind: error.kind(),
                wait: pause,
            });
            tried.last = Some(error);
            self.sleep(pause).map_err(|interrupted| tried.cut_short(interrupted))?;
        }
    }

    /// Waits for leave to send one call.
    fn permit(&self, call: &Call<'_>, deadline: Duration) -> Result<Permit, Error> {
        loop {
            let late = || {
                Error::new(
                    ErrorKind::Deadline,
                    Resend::Safe,
                    "the deadline passed before the quota had a free call",
                )
            };
            if self.clock.now() >= deadline {
                return Err(late());
            }
            match self.limiter.try_acquire(call.class, &*self.clock) {
                Ok(Acquired::Granted(permit)) => return Ok(permit),
                Ok(Acquired::RetryAfter(wait)) => {
                    let wait = wait.max(Duration::from_millis(1));
                    if self.clock.now().saturating_add(wait) >= deadline {
                        return Err(late());
                    }
                    let operation = call.operation.name();
                    self.observe(&Event::WaitingForPermit { operation, class: call.class, wait });
                    self.sleep(wait)?;
                }
                Err(trouble) => return Err(self.no_leave(trouble, call.path_tail)),
            }
        }
    }

    /// Sends the call once. The only place that does.
    fn attempt<T>(
        &self,
        call: &Call<'_>,
        permit: Permit,
        deadline: Duration,
        attempt: u32,
        read: &impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let operation = call.operation.name();
        let mut held = Held { client: self, permit: Some(permit) };
        self.observe(&Event::Sending { operation, class: call.class, attempt });
        let sent_at = self.clock.now();
        let headers = call.headers(&self.credentials);
        let request = Request {
            method: call.method,
            url: &call.url,
            headers: &headers,
            body: call.body,
            time_left: deadline.saturating_sub(sent_at),
            new_connection: &AtomicBool::new(false),
        };
        let settlement = |head: &Head| settlement(head, request.new_connection.load(Ordering::Relaxed));
        let result = self.transport.send(&request, &mut |head| held.settle(settlement(head)));
        match &result {
            Ok(response) => held.settle(settlement(&response.head)),
            Err(TransportError { delivery: Delivery::NotSent, .. }) => held.settle(Settlement::NotSent),
            Err(_) => held.settle(Settlement::InDoubt),
        }
        let response = result.map_err(|error| self.no_answer(call, error))?;
        let http_status = response.head.status;
        let elapsed = self.clock.now().saturating_sub(sent_at);
        self.observe(&Event::Answered { operation, class: call.class, http_status, elapsed });
        if http_status == 429 {
            self.observe(&Event::Refused { operation, class: call.class });
        }
        self.meaning(call, &response, read)
    }

    /// What an answer means: the thing asked for, or which error.
    fn meaning<T>(
        &self,
        call: &Call<'_>,
        response: &Response,
        read: &impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let text = wire::utf8(&response.body);
        let vendor = || self.vendor_error(call, &response.body);
        let status = response.head.status;
        let (kind, message) = match status {
            200..=299 => match text.clone().and_then(read) {
                Ok(answer) => return Ok(answer),
                Err(_) if vendor().is_some_and(|said| said.is_named()) => {
                    (ErrorKind::BadRequest, format!("the vendor answered {status} with an error"))
                }
                Err(what) => (ErrorKind::Malformed, format!("the answer {}", self.masked(call, &what))),
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
        let advice = resend(kind, Delivery::InDoubt, call.repeatable());
        Err(Error::new(kind, advice, message).with_http(status, vendor()))
    }

    /// What an answer says that is none. Masked before it is cut, so that no key is cut into a part too short to be
    /// recognised.
    fn vendor_error(&self, call: &Call<'_>, body: &[u8]) -> Option<VendorError> {
        let clean = |text: &str, limit| {
            wire::shortened(&self.masked(call, wire::shortened(text, 4 * limit)), limit).to_owned()
        };
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
    fn no_answer(&self, call: &Call<'_>, error: TransportError) -> Error {
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
        Error::new(kind, advice, self.masked(call, &error.message)).with_source(error.source)
    }

    /// The limiter cannot tell: nothing was sent.
    fn no_leave(&self, trouble: LimiterError, path_tail: Option<&str>) -> Error {
        let said = mask(&trouble.message, self.credentials.secrets().chain(path_tail));
        let message = format!("the limiter gave no answer: {said}");
        Error::new(ErrorKind::Limiter, Resend::Safe, message).with_source(trouble.source)
    }

    fn masked(&self, call: &Call<'_>, text: &str) -> String {
        mask(text, self.credentials.secrets().chain(call.path_tail))
    }

    fn question<'a>(
        &self,
        operation: &'a Operation,
        class: CallClass,
        path: &str,
        id: Option<&'a RequestId>,
    ) -> Call<'a> {
        let query = id
            .map(|id| format!("?RequestID={}", utf8_percent_encode(id.as_str(), QUERY)))
            .unwrap_or_default();
        let url = Zeroizing::new(format!("{}{path}{query}", self.endpoint.as_str()));
        Call { operation, class, id, method: Method::Get, url, body: None, path_tail: None }
    }

    fn submit_call<'a>(
        &self,
        operation: &'a Operation,
        submission: &'a Submission<'a>,
    ) -> Result<Call<'a>, Error> {
        let Some((keys, placement)) = self.credentials.submit_keys() else {
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
            let keys = (encoded(&keys.access_key), encoded(&keys.secret_key));
            url.push_str(&Zeroizing::new(format!("{joint}accessKey={}&secretKey={}", keys.0, keys.1)));
        }
        let body = Some(submission.checked_body()?);
        let path_tail = submission.tail();
        Ok(Call { operation, class: CallClass::Submit, id: None, method: Method::Post, url, body, path_tail })
    }

    pub(crate) fn sleep(&self, duration: Duration) -> Result<(), Error> {
        let interrupted = |_| Error::new(ErrorKind::Interrupted, Resend::Safe, "the wait was interrupted");
        self.clock.sleep(duration).map_err(interrupted)
    }

    /// An observer sees and changes nothing: not even its panic reaches the call.
    fn observe(&self, event: &Event<'_>) {
        if let Some(observer) = &self.observer {
            let _ = catch_unwind(AssertUnwindSafe(|| observer.on_event(event)));
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint.as_str())
            .field("credentials", &self.credentials)
            .field("retry", &self.retry)
            .field("call_deadline", &self.call_deadline)
            .finish_non_exhaustive()
    }
}

/// One call, as often as it is sent.
struct Call<'a> {
    operation: &'a Operation,
    class: CallClass,
    id: Option<&'a RequestId>,
    method: Method,
    url: Zeroizing<String>,
    body: Option<&'a [u8]>,
    path_tail: Option<&'a str>,
}

impl Call<'_> {
    fn headers<'a>(&self, credentials: &'a Credentials) -> Vec<Header<'a>> {
        let mut headers = vec![
            Header { name: "accept", value: "application/json" },
            Header { name: "user-agent", value: concat!("activity-status/", env!("CARGO_PKG_VERSION")) },
            Header { name: "x-api-key", value: credentials.api_key() },
        ];
        if self.method == Method::Post {
            headers.push(Header { name: "content-type", value: "application/json" });
            if let Some((keys, KeyPlacement::Headers)) = credentials.submit_keys() {
                headers.push(Header { name: "x-lsq-accesskey", value: &keys.access_key });
                headers.push(Header { name: "x-lsq-secretkey", value: &keys.secret_key });
            }
        }
        headers
    }

    /// Is it harmless to send twice?
    fn repeatable(&self) -> bool {
        self.method == Method::Get
    }

    /// A number that differs between calls and is the same for the same call.
    fn salt(&self) -> u64 {
        let name = self.id.map_or(self.operation.name(), RequestId::as_str);
        name.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
    }
}

/// The attempts of one call so far.
#[derive(Default)]
struct Tried {
    failures: u32,
    refusals: u32,
    in_doubt: bool,
    last: Option<Error>,
}

impl Tried {
    fn count(&self) -> u32 {
        self.failures + self.refusals
    }

    fn add(&mut self, error: &Error) {
        match error.kind() {
            ErrorKind::Refused => self.refusals += 1,
            _ => self.failures += 1,
        }
        self.in_doubt |= error.resend() == Resend::MayDuplicate;
    }

    /// The error to report when the last attempt ended with `error`. What was in doubt once stays so.
    fn failed(&self, error: Error) -> Error {
        let error = error.with_attempts(self.count());
        if self.in_doubt { error.with_resend(Resend::MayDuplicate) } else { error }
    }

    /// The error to report when `error` kept a further attempt from being made. The failure before it says more than a
    /// deadline, and a doubt more than anything.
    fn cut_short(&mut self, error: Error) -> Error {
        match self.last.take() {
            Some(last) if self.in_doubt || error.kind() == ErrorKind::Deadline => self.failed(last),
            _ => self.failed(error),
        }
    }
}

/// A permit that is settled once, whatever happens: even if a plugin panics.
struct Held<'a> {
    client: &'a Client,
    permit: Option<Permit>,
}

impl Held<'_> {
    fn settle(&mut self, how: Settlement) {
        let Some(permit) = self.permit.take() else { return };
        if let Err(error) = self.client.limiter.settle(permit, how, &*self.client.clock) {
            let message = mask(&error.message, self.client.credentials.secrets());
            let error = LimiterError { message, ..error };
            self.client.observe(&Event::SettleFailed { error: &error });
        }
    }
}

impl Drop for Held<'_> {
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

/// Puts a [`Client`] together. Each part takes a value, a closure where the trait has one method, or a shared `Arc`.
pub struct ClientBuilder {
    endpoint: Endpoint,
    credentials: Credentials,
    transport: Option<Box<dyn Transport>>,
    timeouts: Timeouts,
    limiter: Option<Box<dyn Limiter>>,
    quota: Quota,
    clock: Box<dyn Clock>,
    observer: Option<Box<dyn Observer>>,
    retry: RetryPolicy,
    outcome_rule: Option<OutcomeRule>,
    call_deadline: Duration,
}

impl ClientBuilder {
    /// What sends the requests. Default: [`UreqTransport`].
    pub fn transport(mut self, it: impl Transport + 'static) -> Self {
        self.transport = Some(Box::new(it));
        self
    }

    /// The time-outs of the default transport; another one has its own.
    pub fn timeouts(mut self, per_phase: Timeouts) -> Self {
        self.timeouts = per_phase;
        self
    }

    /// What keeps the quota. Default: [`Slots`] of this client alone. Share one among all that use the same key.
    pub fn limiter(mut self, it: impl Limiter + 'static) -> Self {
        self.limiter = Some(Box::new(it));
        self
    }

    /// The quota of the default limiter: 25 calls in 5 s unless your plan has less; another limiter has its own.
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }

    /// Where the time comes from. Default: [`SystemClock`].
    pub fn clock(mut self, it: impl Clock + 'static) -> Self {
        self.clock = Box::new(it);
        self
    }

    /// Who is told what happens. Default: nobody.
    pub fn observer(mut self, it: impl Observer + 'static) -> Self {
        self.observer = Some(Box::new(it));
        self
    }

    /// When a failed call is tried again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// What counts as settled, in place of [`documented_outcome`](crate::documented_outcome).
    pub fn outcome_rule(mut self, rule: impl Fn(&JobStatus) -> Outcome + Send + Sync + 'static) -> Self {
        self.outcome_rule = Some(Box::new(rule));
        self
    }

    /// How long one submit, status or metrics call may take with all its waits and attempts: 60 s unless set.
    pub fn call_deadline(mut self, deadline: Duration) -> Self {
        self.call_deadline = deadline;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// Kind [`Config`](ErrorKind::Config) for a quota, a time-out or a deadline of zero.
    pub fn build(self) -> Result<Client, Error> {
        if self.call_deadline.is_zero() {
            return Err(Error::config("a deadline of zero lets no call succeed"));
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => Box::new(UreqTransport::new(self.timeouts)?),
        };
        let limiter = match self.limiter {
            Some(limiter) => match limiter.longest_call() {
                Some(longest) if longest < self.call_deadline.min(LONGEST_CALL) => {
                    return Err(Error::config(format!(
                        "the limiter thinks that a caller has died {longest:?} after it got leave, and a call may take {:?}: \
                         give its rules that `longest_call`, or a shorter `call_deadline`",
                        self.call_deadline
                    )));
                }
                _ => limiter,
            },
            None => Box::new(Slots::with(SlotRules::new(self.quota)?.longest_call(self.call_deadline))),
        };
        Ok(Client {
            endpoint: self.endpoint,
            credentials: self.credentials,
            transport,
            limiter,
            clock: self.clock,
            observer: self.observer,
            retry: self.retry,
            outcome_rule: self.outcome_rule,
            call_deadline: self.call_deadline,
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("endpoint", &self.endpoint.as_str())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}
