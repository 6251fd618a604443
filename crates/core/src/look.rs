use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::exchange::Attempt;
use crate::pipeline::{Call, Pipeline, headers, read_metrics};
use crate::plugin::{
    CallClass, Delivery, Event, Failure, Head, Header, JobKey, Method, Permit, Response, TransportError,
};
use crate::{Canceller, Credentials, Error, Http, JobStatus, Operation, QueueMetrics, RequestId};

/// One question that a [`Tracker`](crate::Tracker) wants asked, with leave of the limiter to ask it now.
///
/// Either let the client [send](Look::send) it, on a thread that may block; or ask with a client of your own: a GET of
/// [`url`](Look::url) with [`headers`](Look::headers), and [`answered`](Look::answered) or [`failed`](Look::failed) in the end. Both
/// tell the tracker, which takes it in with its next step. A look that is dropped has failed: it may have been sent, for all
/// the limiter knows.
pub struct Look {
    pipeline: Arc<Pipeline>,
    about: About,
    operation: Operation,
    id: Option<RequestId>,
    keys: Arc<Credentials>,
    canceller: Option<Canceller>,
    permit: Option<Permit>,
    /// It was sent when it was made, or later, as far as is known.
    attempt: Attempt,
    deadline: Duration,
    /// Taken by whoever answers.
    answers: Option<Sender<Answer>>,
}

/// What became of a look, on its way to the tracker.
pub(crate) struct Answer {
    pub(crate) about: About,
    pub(crate) sent_at: Duration,
    pub(crate) answered_at: Duration,
    pub(crate) result: Result<Reply, Error>,
}

/// What a look is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About {
    /// By the schedule's key, and by its number among all that were ever added.
    Job {
        key: JobKey,
        number: u64,
    },
    Queue {
        lane: usize,
    },
}

pub(crate) enum Reply {
    Status(JobStatus),
    Metrics(QueueMetrics),
}

impl Look {
    #[expect(clippy::too_many_arguments, reason = "only the tracker makes one, and it has all of this")]
    pub(crate) fn new(
        pipeline: Arc<Pipeline>,
        about: About,
        operation: Operation,
        id: Option<RequestId>,
        keys: Arc<Credentials>,
        canceller: Option<Canceller>,
        attempt: Attempt,
        permit: Permit,
        deadline: Duration,
        answers: Sender<Answer>,
    ) -> Self {
        let attempt = Attempt { at: pipeline.clock.now(), ..attempt };
        let (permit, answers) = (Some(permit), Some(answers));
        let look =
            Look { pipeline, about, operation, id, keys, canceller, permit, attempt, deadline, answers };
        let (operation, request_id, class) = (look.operation.name(), look.id.as_ref(), look.about.class());
        look.pipeline.observe(&Event::Sending { operation, request_id, class, attempt: attempt.number });
        look
    }

    /// The job that is asked about; `None` if the question is how long the operation's queue is.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }

    /// The operation of that job, or of that queue.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Asks by the client's own transport, and tells the tracker. Blocks until there is an answer, or the call's time is over.
    pub fn send(mut self) {
        self.attempt.at = self.pipeline.clock.now();
        // Without its permit it was begun in another way already.
        if self.permit.is_some() {
            let permit = self.permit.take();
            let sent = self.pipeline.sent(permit, self.attempt, &self.keys, None);
            let call = self.call();
            let read = |json: &str, http: Http| self.read(json, http);
            let result = self.pipeline.transmit(&call, sent, self.deadline, self.canceller.as_ref(), &read);
            drop(call);
            self.tell(result);
        }
    }

    /// The URL to get. It holds no key.
    pub fn url(&self) -> String {
        self.call().url.to_string()
    }

    /// Every header to send, the API key among them. Redirects must not be followed: they would carry it to another host.
    pub fn headers(&self) -> Vec<Header<'_>> {
        headers(Method::Get, &self.keys)
    }

    /// How long the exchange may take at the most.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_sub(self.pipeline.clock.now())
    }

    /// The head of the answer has just arrived at a client of your own. Optional: the quota's slot is free the sooner for it.
    pub fn head_arrived(&mut self, head: &Head) {
        self.attempt.head = Some(head.status);
        let permit = self.permit.take();
        self.pipeline.sent(permit, self.attempt, &self.keys, None).head(head, true);
    }

    /// The whole answer has arrived at a client of your own, whatever its status.
    pub fn answered(mut self, response: Response) {
        self.received(Ok(response));
    }

    /// No whole answer came to a client of your own. If it is certain that the question never left, say
    /// [`NotSent`](Delivery::NotSent): the call then does not count against the quota.
    pub fn failed(mut self, error: TransportError) {
        self.received(Err(error));
    }

    fn received(&mut self, result: Result<Response, TransportError>) {
        let permit = self.permit.take();
        let sent = self.pipeline.sent(permit, self.attempt, &self.keys, None);
        let call = self.call();
        // Nobody knows if that client had to connect first.
        let new_connection = true;
        let read = |json: &str, http: Http| self.read(json, http);
        let result = self.pipeline.received(&call, sent, result, new_connection, &read);
        drop(call);
        self.tell(result);
    }

    fn call(&self) -> Call<'_> {
        match &self.id {
            Some(id) => self.pipeline.status_call(&self.operation, id, self.keys.clone()),
            None => self.pipeline.metrics_call(&self.operation, self.keys.clone()),
        }
    }

    fn read(&self, json: &str, http: Http) -> Result<Reply, String> {
        match &self.id {
            Some(id) => self.pipeline.read_status(&self.operation, id, json, http).map(Reply::Status),
            None => read_metrics(json, http).map(Reply::Metrics),
        }
    }

    fn tell(&mut self, result: Result<Reply, Error>) {
        if let Some(answers) = self.answers.take() {
            let answered_at = self.pipeline.clock.now();
            // The tracker may be gone; what became of the permit was told to the limiter.
            let _ = answers.send(Answer { about: self.about, sent_at: self.attempt.at, answered_at, result });
        }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        if self.answers.is_some() {
            // A panic of a plugin would end the program here.
            let why = if std::thread::panicking() { "a plugin panicked" } else { "the question was dropped" };
            let _ = catch_unwind(AssertUnwindSafe(|| {
                self.received(Err(TransportError {
                    delivery: Delivery::InDoubt,
                    failure: Failure::TimedOut,
                    message: why.to_owned(),
                    source: None,
                }));
            }));
        }
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = self.operation.name();
        f.debug_struct("Look")
            .field("operation", &operation)
            .field("request_id", &self.id)
            .finish_non_exhaustive()
    }
}

impl About {
    pub(crate) fn class(&self) -> CallClass {
        match self {
            About::Job { .. } => CallClass::Poll,
            About::Queue { .. } => CallClass::Other,
        }
    }
}
