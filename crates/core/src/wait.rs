use std::time::Duration;

use crate::{Client, Error, ErrorKind, JobStatus, Operation, RequestId, Resend};

/// How long to wait for a job, and how often to ask.
///
/// ```
/// use activity_status::WaitOptions;
/// use std::time::Duration;
///
/// let patient = WaitOptions::new().deadline(Duration::from_secs(12 * 3600)).longest_pause(Duration::from_secs(60));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitOptions {
    deadline: Duration,
    first_pause: Duration,
    longest_pause: Duration,
}

impl WaitOptions {
    /// An hour; asked at once, after 1 s, then after pauses that grow by half, up to 15 s. The vendor's own retries of
    /// a job last over nine hours \[docs\]: give more time where that matters.
    pub const fn new() -> Self {
        WaitOptions {
            deadline: Duration::from_secs(3600),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(15),
        }
    }

    /// How long the whole wait may take: every call, retry and pause in it.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The pause between the first question and the second.
    pub const fn first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// The longest pause between two questions.
    pub const fn longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause;
        self
    }
}

impl Default for WaitOptions {
    fn default() -> Self {
        WaitOptions::new()
    }
}

/// However short the pauses asked for: a wait does not ask without pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// After so many questions in a row that never reached the vendor, and no answer before, the address is wrong.
const HOPELESS: u32 = 3;

impl Client {
    /// Asks until the job is settled: succeeded or failed. A question that fails for a while loses nothing; only if the
    /// first three never reach the vendor does the wait end, with the error of the third.
    ///
    /// # Errors
    /// Kind [`Deadline`](ErrorKind::Deadline) if it was not settled in time, [`Interrupted`](ErrorKind::Interrupted) if the
    /// clock was; both carry the [last status](Error::last_status). Any kind that asking again would not mend. A job
    /// that failed is not an error.
    pub fn wait(
        &self,
        operation: &Operation,
        id: &RequestId,
        options: &WaitOptions,
    ) -> Result<JobStatus, Error> {
        let deadline = self.clock.now().saturating_add(options.deadline);
        // The last question is asked a little before the end, so that its answer still comes in time.
        let last_look = deadline.saturating_sub(Duration::from_secs(1).min(options.deadline / 10));
        let mut pause = options.first_pause.max(SHORTEST_PAUSE);
        let (mut calls, mut unheard) = (0_u32, 0_u32);
        let mut last_status: Option<JobStatus> = None;
        let mut trouble: Option<Error>;
        loop {
            let call_ends = self.clock.now().saturating_add(self.call_deadline).min(deadline);
            match self.status_by(operation, id, call_ends) {
                Ok(status) if status.outcome().is_settled() => return Ok(status),
                Ok(status) => {
                    calls = calls.saturating_add(1);
                    last_status = Some(status);
                    trouble = None;
                }
                Err(error) => {
                    calls = calls.saturating_add(error.attempts());
                    unheard = if is_elsewhere(&error) { unheard.saturating_add(1) } else { 0 };
                    if !passes(&error) || last_status.is_none() && unheard >= HOPELESS {
                        return Err(error.with_last_status(last_status));
                    }
                    trouble = Some(error);
                }
            }
            let now = self.clock.now();
            let next = match now.saturating_add(pause) {
                next if next <= last_look => next,
                _ if now < last_look => last_look,
                _ => break,
            };
            if let Err(error) = self.sleep(next - now) {
                let error = error.about(operation, Some(id)).with_attempts(calls);
                return Err(error.with_last_status(last_status));
            }
            pause = pause.saturating_add(pause / 2).min(options.longest_pause.max(SHORTEST_PAUSE));
        }
        let state = last_status.as_ref().map_or("unknown", |status| status.state().as_str());
        let looked =
            trouble.as_ref().map(|t| format!("; the last look failed: {}", t.message())).unwrap_or_default();
        let message = format!(
            "not settled within {:?}, and the job goes on at the vendor's: its last state is {state}{looked}",
            options.deadline
        );
        let error = Error::new(ErrorKind::Deadline, Resend::Safe, message).about(operation, Some(id));
        let cause = trouble.map(|trouble| Box::new(trouble) as _);
        Err(error.with_attempts(calls).with_source(cause).with_last_status(last_status))
    }
}

/// Is it worth going on after this? The job is not lost because one question failed.
fn passes(error: &Error) -> bool {
    error.resend() == Resend::Safe && !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Limiter)
}

/// Does it look as if this were not the vendor at all?
fn is_elsewhere(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Transport | ErrorKind::Malformed)
}
