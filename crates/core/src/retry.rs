use std::time::Duration;

use crate::exchange::Attempt;
use crate::plugin::Delivery;
use crate::{Error, ErrorKind, Lost, Resend};

/// When a call that failed is tried again, and after how long.
///
/// Only what is [`Resend::Safe`] is ever repeated: see [`resend`] for the table. A submit that may have arrived is
/// never among them, unless you accept duplicates in so many words.
///
/// ```
/// use std::time::Duration;
/// use activity_status::RetryPolicy;
///
/// let patient = RetryPolicy::new().max_attempts(8).base_delay(Duration::from_secs(2));
/// let none = RetryPolicy::none();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    base_delay: Duration,
    max_delay: Duration,
    accept_duplicates: bool,
}

impl RetryPolicy {
    /// Five attempts, half a second after the first failure, twice as long after each, 15 s at the most.
    pub const fn new() -> Self {
        RetryPolicy {
            max_attempts: 5,
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(15),
            accept_duplicates: false,
        }
    }

    /// One attempt, and no other whatever happens.
    pub const fn none() -> Self {
        RetryPolicy::new().max_attempts(1)
    }

    /// How many attempts a call has at the most; 0 counts as 1. If it is more than one, a refusal (429) is not counted:
    /// the quota was used by somebody else, and the deadline bounds how long we wait for it.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// The pause after the first failure.
    pub const fn base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// The longest pause.
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Also sends a submit again when it may have arrived. **Each such repetition can create a duplicate**: only where
    /// duplicates are harmless, or are removed afterwards.
    pub const fn accept_duplicates(mut self, accept: bool) -> Self {
        self.accept_duplicates = accept;
        self
    }

    /// Shall the call that failed with `error` go out again, and after how long? `failures` counts those so far that
    /// were not refusals, `refusals` the others; `salt` spreads the pauses of different calls.
    pub(crate) fn again(&self, error: &Error, failures: u32, refusals: u32, salt: u64) -> Option<Duration> {
        let allowed = match error.resend() {
            Resend::Safe => true,
            Resend::MayDuplicate => self.accept_duplicates,
            Resend::Pointless => false,
        };
        let passing = match error.kind() {
            ErrorKind::Refused => self.max_attempts > 1,
            ErrorKind::Transport
            | ErrorKind::TimedOut
            | ErrorKind::Server
            | ErrorKind::Malformed
            | ErrorKind::InDoubt => failures < self.max_attempts,
            _ => false,
        };
        (allowed && passing).then(|| self.delay(failures + refusals, salt))
    }

    /// Between half and the whole of the doubled pause, so that calls which failed together do not return together.
    pub(crate) fn delay(&self, tries: u32, salt: u64) -> Duration {
        let doublings = tries.saturating_sub(1).min(20);
        let whole = self.base_delay.saturating_mul(1 << doublings).min(self.max_delay);
        let spread = (salt.wrapping_add(u64::from(tries)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u32;
        whole / 2 + (whole / 2 / u32::from(u16::MAX)) * spread
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy::new()
    }
}

/// May this be sent again?
///
/// | what happened | a question (GET) | a submit |
/// |---|---|---|
/// | it was never sent, or not all of it | safe | safe |
/// | refused (429) | safe | safe |
/// | bad input, 400, 401, 404 | pointless | pointless |
/// | 5xx | safe | may duplicate |
/// | no answer, or not one | safe | may duplicate |
///
/// A POST that arrives twice makes two activities: the vendor has no idempotency key \[docs\].
pub fn resend(kind: ErrorKind, delivery: Delivery, repeatable: bool) -> Resend {
    match (kind, delivery) {
        (ErrorKind::Config | ErrorKind::Unauthorized | ErrorKind::BadRequest | ErrorKind::NotFound, _) => {
            Resend::Pointless
        }
        (ErrorKind::Refused, _) | (_, Delivery::NotSent | Delivery::Partly) => Resend::Safe,
        _ if repeatable => Resend::Safe,
        _ => Resend::MayDuplicate,
    }
}

/// The attempts of one call so far.
#[derive(Default)]
pub(crate) struct Tried {
    pub(crate) failures: u32,
    pub(crate) refusals: u32,
    /// How long the call has waited for the quota.
    pub(crate) waited: Duration,
    in_doubt: bool,
    /// The last of those in doubt whose answer was lost.
    lost: Option<Lost>,
    pub(crate) last: Option<Error>,
}

impl Tried {
    fn count(&self) -> u32 {
        self.failures + self.refusals
    }

    /// The attempt to be made now.
    pub(crate) fn next(&self) -> Attempt {
        Attempt::new(self.count() + 1, self.waited)
    }

    pub(crate) fn add(&mut self, error: &Error) {
        match error.kind() {
            ErrorKind::Refused => self.refusals += 1,
            _ => self.failures += 1,
        }
        if error.resend() == Resend::MayDuplicate {
            self.in_doubt = true;
            self.lost = error.lost().copied().or(self.lost);
        }
    }

    /// The error to report when the last attempt ended with `error`. What was in doubt once stays so, and is told of before all else that was lost.
    pub(crate) fn failed(&self, error: Error) -> Error {
        let error = error.with_attempts(self.count());
        match self.in_doubt {
            true => error.with_resend(Resend::MayDuplicate).with_lost(self.lost),
            false => error,
        }
    }

    /// The error to report when `error` kept a further attempt from being made. The failure before it says more than a
    /// deadline, and a doubt more than anything.
    pub(crate) fn cut_short(&mut self, error: Error) -> Error {
        match self.last.take() {
            Some(last) if self.in_doubt || error.kind() == ErrorKind::Deadline => self.failed(last),
            _ => self.failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        use Delivery::{InDoubt, NotSent, Partly};
        use ErrorKind::*;
        for (kind, delivery, question, submit) in [
            (Transport, NotSent, Resend::Safe, Resend::Safe),
            (TimedOut, NotSent, Resend::Safe, Resend::Safe),
            (TimedOut, Partly, Resend::Safe, Resend::Safe),
            (Refused, InDoubt, Resend::Safe, Resend::Safe),
            (Server, InDoubt, Resend::Safe, Resend::MayDuplicate),
            (Malformed, InDoubt, Resend::Safe, Resend::MayDuplicate),
            (TimedOut, InDoubt, Resend::Safe, Resend::MayDuplicate),
            (Transport, InDoubt, Resend::Safe, Resend::MayDuplicate),
            (Unauthorized, InDoubt, Resend::Pointless, Resend::Pointless),
            (BadRequest, InDoubt, Resend::Pointless, Resend::Pointless),
            (NotFound, InDoubt, Resend::Pointless, Resend::Pointless),
            (Config, NotSent, Resend::Pointless, Resend::Pointless),
            (Limiter, NotSent, Resend::Safe, Resend::Safe),
        ] {
            assert_eq!(resend(kind, delivery, true), question, "{kind} {delivery:?}");
            assert_eq!(resend(kind, delivery, false), submit, "{kind} {delivery:?}");
        }
    }

    #[test]
    fn a_submit_in_doubt_goes_out_again_only_if_duplicates_are_accepted() {
        let doubt = Error::new(ErrorKind::InDoubt, Resend::MayDuplicate, "lost");
        assert_eq!(RetryPolicy::new().again(&doubt, 1, 0, 0), None);
        assert!(RetryPolicy::new().accept_duplicates(true).again(&doubt, 1, 0, 0).is_some());
    }

    #[test]
    fn attempts_are_counted_refusals_are_not() {
        let server = Error::new(ErrorKind::Server, Resend::Safe, "500");
        let refused = Error::new(ErrorKind::Refused, Resend::Safe, "429");
        let policy = RetryPolicy::new().max_attempts(3);
        assert!(policy.again(&server, 2, 9, 0).is_some());
        assert!(policy.again(&server, 3, 0, 0).is_none());
        assert!(policy.again(&refused, 3, 99, 0).is_some());
        assert!(RetryPolicy::none().again(&server, 1, 0, 0).is_none());
        assert!(RetryPolicy::none().again(&refused, 0, 1, 0).is_none());
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_differ_between_calls() {
        let policy = RetryPolicy::new();
        for (tries, whole) in [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (6, 15.0), (90, 15.0)] {
            for salt in [0, 7, u64::MAX] {
                let pause = policy.delay(tries, salt).as_secs_f64();
                assert!(pause >= whole / 2.0 && pause <= whole, "{tries} {salt}: {pause}");
            }
        }
        assert_ne!(policy.delay(3, 1), policy.delay(3, 2));
    }
}
