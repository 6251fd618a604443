use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::builtin::{LONGEST_CALL, Quota, SlotRules, Slots, SystemClock, Timeouts, UreqTransport};
use crate::cancel::Bounds;
use crate::pipeline::{OutcomeRule, Pipeline};
use crate::plugin::{Clock, CredentialsProvider, Limiter, Observer, Snapshot, Transport};
use crate::{
    Canceller, Credentials, Endpoint, Error, JobStatus, Operation, Outcome, QueueMetrics, RequestId,
    RetryPolicy, Submission,
};

/// Submits jobs and asks how they went, inside the quota.
///
/// Made of replaceable parts. Every method blocks the calling thread and may be called from many at once; a clone is
/// the same client. All calls of one client draw on one limiter.
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
#[derive(Clone)]
pub struct Client {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) bounds: Bounds,
}

impl Client {
    /// Begins a client for the account that `credentials` belong to.
    pub fn builder(endpoint: Endpoint, credentials: Credentials) -> ClientBuilder {
        ClientBuilder {
            endpoint,
            credentials,
            provider: None,
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

    /// The same client, whose calls and waits end when `canceller` says so: with kind
    /// [`Interrupted`](crate::ErrorKind::Interrupted). Pauses and waits for the quota end at once; a call that is on its way ends
    /// within 25 ms on the default transport, on another one as soon as that stops. A tracker ends its jobs with that error.
    pub fn with_canceller(&self, canceller: &Canceller) -> Client {
        let mut client = self.clone();
        client.bounds.canceller = Some(canceller.clone());
        client
    }

    /// The same client, with so much time for a submit, status or metrics call and all its waits and attempts, in place of the
    /// builder's [`call_deadline`](ClientBuilder::call_deadline). No more than that one, which the limiter counts on.
    pub fn with_call_deadline(&self, deadline: Duration) -> Client {
        let mut client = self.clone();
        client.bounds.deadline = deadline.min(self.bounds.deadline);
        client
    }

    /// Sends one job and returns the id that the vendor gave it.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) before anything is sent, for a body that is not JSON or keys that are missing. Kind
    /// [`InDoubt`](crate::ErrorKind::InDoubt) if it was sent and no answer came: look in the CRM before you send it again, for the
    /// vendor has no idempotency key. Whether any other error may be repeated is in [`Error::resend`].
    pub fn submit<'a>(
        &self,
        operation: &Operation,
        what: impl Into<Submission<'a>>,
    ) -> Result<RequestId, Error> {
        self.pipeline.submit(operation, &what.into(), &self.bounds)
    }

    /// Asks once how a job stands. Pending is an answer.
    ///
    /// # Errors
    /// Any kind but [`InDoubt`](crate::ErrorKind::InDoubt) and [`Ledger`](crate::ErrorKind::Ledger). A job that failed is not an error.
    pub fn status(&self, operation: &Operation, id: &RequestId) -> Result<JobStatus, Error> {
        self.pipeline.status(operation, id, &self.bounds)
    }

    /// Asks how long the operation's queue is.
    ///
    /// # Errors
    /// As [`status`](Client::status).
    pub fn metrics(&self, operation: &Operation) -> Result<QueueMetrics, Error> {
        self.pipeline.metrics(operation, &self.bounds)
    }

    /// How the quota stands, for all who share this client's limiter. `None` if the limiter does not say.
    ///
    /// # Errors
    /// Kind [`Limiter`](crate::ErrorKind::Limiter) if it cannot tell: its file or server is away.
    pub fn snapshot(&self) -> Result<Option<Snapshot>, Error> {
        self.pipeline.snapshot()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pipeline.describe(f, "Client")
    }
}

/// Puts a [`Client`] together. Each part takes a value, a closure where the trait has one method, or a shared `Arc`.
pub struct ClientBuilder {
    endpoint: Endpoint,
    credentials: Credentials,
    provider: Option<Box<dyn CredentialsProvider>>,
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
    /// Where the keys come from, if they may change while the client lives, in place of those of
    /// [`Client::builder`].
    pub fn credentials_provider(mut self, it: impl CredentialsProvider + 'static) -> Self {
        self.provider = Some(Box::new(it));
        self
    }

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

    /// The quota of the default limiter: 25 calls in 5 s unless your plan has less. Another limiter has its own; tell both, for
    /// waits spread their questions evenly over this one.
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
    /// Kind [`Config`](crate::ErrorKind::Config) for a quota, a time-out or a deadline of zero.
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
        let pipeline = Pipeline {
            endpoint: self.endpoint,
            credentials: self.provider.unwrap_or_else(|| Box::new(Arc::new(self.credentials))),
            transport,
            limiter,
            quota: self.quota,
            clock: self.clock,
            observer: self.observer,
            retry: self.retry,
            outcome_rule: self.outcome_rule,
        };
        let bounds = Bounds { deadline: self.call_deadline, canceller: None };
        Ok(Client { pipeline: Arc::new(pipeline), bounds })
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
