use std::time::Duration;

use crate::{Error, ErrorKind, Resend};

/// How well the vendor answers, seen over all looks: when to let it rest, and when to give up.
#[derive(Default)]
pub(crate) struct Trouble {
    /// Looks in a row that failed, those that were on their way together counted once.
    failures: u32,
    /// Of these, the last ones that leave no hope for any other.
    hopeless: u32,
    /// When the last of them came back, and when the last look went out.
    failed_at: Duration,
    asked_at: Duration,
    /// Has there ever been a good answer?
    heard: bool,
    /// Nothing is asked before this moment.
    until: Duration,
}

/// After so many looks in a row that leave no hope, none will do better: 10 to 20 s with the pauses between them.
const HOPELESS: u32 = 7;

/// While a look tries whether the vendor is there again, this is how often it is considered whether it is back.
const TRYING: Duration = Duration::from_secs(1);

impl Trouble {
    /// A look goes out.
    pub(crate) fn asked(&mut self, now: Duration) {
        self.asked_at = now;
    }

    /// How long nothing is to be asked. After a failure one look at a time tries whether the vendor is there again.
    pub(crate) fn rest(&self, now: Duration, in_flight: usize) -> Option<Duration> {
        let is_trying = self.failures > 0 && in_flight > 0 && self.asked_at >= self.failed_at;
        match self.until.checked_sub(now) {
            Some(pause) if !pause.is_zero() => Some(pause),
            _ => is_trying.then_some(TRYING),
        }
    }

    /// Takes note of what became of a look. `pause` is the rest after so many failures.
    pub(crate) fn weigh(
        &mut self,
        error: Option<&Error>,
        sent_at: Duration,
        answered_at: Duration,
        pause: impl Fn(u32) -> Duration,
    ) {
        let is_failure =
            |error: &&Error| error.resend() == Resend::Safe || error.kind() == ErrorKind::Unauthorized;
        let Some(error) = error.filter(is_failure) else {
            // An answer, though it may not be the one that was hoped for.
            self.heard |= error.is_none();
            (self.failures, self.hopeless) = (0, 0);
            return;
        };
        let together = self.failures > 0 && sent_at <= self.failed_at;
        if together || error.kind() == ErrorKind::Interrupted {
            return;
        }
        self.failed_at = answered_at;
        self.failures = self.failures.saturating_add(1);
        self.hopeless = if self.leaves_no_hope(error) { self.hopeless.saturating_add(1) } else { 0 };
        // A single failure holds up its own job alone.
        if self.failures > 1 {
            self.until = answered_at.saturating_add(pause(self.failures - 1));
        }
    }

    /// Will no further look do better than this one? A wrong key says so at once, unless it was right a moment ago.
    pub(crate) fn is_in_vain(&self, error: &Error) -> bool {
        is_wrong_key(error) && !self.heard || self.hopeless >= HOPELESS && self.leaves_no_hope(error)
    }

    /// Does it look as if no question would be answered? As long as the vendor was never heard, because this may not be the
    /// vendor at all; later, because the keys are not good any more.
    fn leaves_no_hope(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Transport | ErrorKind::Malformed | ErrorKind::TimedOut => !self.heard,
            // Other keys every time are no hope either.
            kind => kind == ErrorKind::Unauthorized,
        }
    }
}

/// The keys were not accepted, and there are no others.
fn is_wrong_key(error: &Error) -> bool {
    error.kind() == ErrorKind::Unauthorized && error.resend() != Resend::Safe
}
