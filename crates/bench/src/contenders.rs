use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, Slots};
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};
use activity_status::{ClientBuilder, Error};
use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, RateLimiter};

/// A way to keep the quota. All run in the same client, which makes refused calls again alike: only the limiter differs.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) runs: Runs,
}

/// Where a contender's callers are.
pub(crate) enum Runs {
    /// Threads of this process, whose client is given a limiter.
    Here(fn(ClientBuilder, Quota) -> Result<ClientBuilder, Error>),
    /// Threads of a Python program with the module of the same client.
    InPython,
}

pub(crate) const OURS: &str = "ours";
pub(crate) const OURS_IN_PYTHON: &str = "ours in Python";

pub(crate) const CONTENDERS: &[Contender] = &[
    Contender {
        name: OURS,
        what: "the client's limiter as you get it: slots held until a window after the answer, less an estimated margin",
        runs: Runs::Here(|client, quota| Ok(client.quota(quota))),
    },
    Contender {
        name: "ours strict",
        what: "ours without the margin",
        runs: Runs::Here(
            |client, quota| Ok(client.limiter(Slots::with(SlotRules::new(quota)?.strict(true)))),
        ),
    },
    Contender {
        name: "sending log",
        what: "a sliding log of the times of sending, and 50 ms more on each wait, as PyrateLimiter has it",
        runs: Runs::Here(|client, quota| Ok(client.limiter(SendingLog { quota, sent: Mutex::default() }))),
    },
    Contender {
        name: "governor",
        what: "governor 0.10 (GCRA): a burst of the quota, refilled evenly within the window",
        runs: Runs::Here(|client, quota| Ok(client.limiter(Governor(governor(quota))))),
    },
    Contender {
        name: OURS_IN_PYTHON,
        what: "ours from the threads of a Python program",
        runs: Runs::InPython,
    },
];

/// A governor for this quota, the way its users write it.
pub(crate) fn governor(quota: Quota) -> DefaultDirectRateLimiter {
    let burst = NonZeroU32::new(quota.calls()).unwrap_or(NonZeroU32::MIN);
    let refilled = governor::Quota::with_period(quota.window() / burst.get());
    let refilled = refilled.unwrap_or(governor::Quota::per_second(NonZeroU32::MAX));
    RateLimiter::direct(refilled.allow_burst(burst))
}

struct Governor(DefaultDirectRateLimiter);

impl Limiter for Governor {
    fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
        Ok(match self.0.check() {
            Ok(()) => Acquired::Granted(Permit(0)),
            Err(until) => {
                Acquired::RetryAfter(until.wait_time_from(self.0.clock().now()).max(Duration::from_millis(1)))
            }
        })
    }

    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        Ok(())
    }
}

/// When the last calls were sent: as many as the quota has.
struct SendingLog {
    quota: Quota,
    sent: Mutex<VecDeque<Duration>>,
}

const BUFFER: Duration = Duration::from_millis(50);

impl Limiter for SendingLog {
    fn try_acquire(&self, _: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let now = clock.now();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() == self.quota.calls() as usize
            && let Some(first) = sent.front()
        {
            let free = *first + self.quota.window();
            if free > now {
                return Ok(Acquired::RetryAfter(free - now + BUFFER));
            }
            sent.pop_front();
        }
        sent.push_back(now);
        Ok(Acquired::Granted(Permit(0)))
    }

    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_status::builtin::VirtualClock;

    #[test]
    fn the_log_lets_the_quota_through_in_each_window_after_sending() {
        let quota = Quota::new(3, Duration::from_secs(5));
        let (log, clock) = (SendingLog { quota, sent: Mutex::default() }, VirtualClock::new());
        let ask = || log.try_acquire(CallClass::Poll, &clock).unwrap();
        for _ in 0..3 {
            assert_eq!(ask(), Acquired::Granted(Permit(0)));
            clock.sleep(Duration::from_secs(1)).unwrap();
        }
        assert_eq!(ask(), Acquired::RetryAfter(Duration::from_millis(2050)));
        clock.sleep(Duration::from_millis(2050)).unwrap();
        assert_eq!(ask(), Acquired::Granted(Permit(0)));
        assert_eq!(ask(), Acquired::RetryAfter(Duration::from_millis(1000)));
    }

    #[test]
    fn governor_lets_a_burst_of_the_quota_through_and_then_names_a_wait() {
        let governor = Governor(governor(Quota::new(25, Duration::from_secs(5))));
        let clock = VirtualClock::new();
        let ask = || governor.try_acquire(CallClass::Poll, &clock).unwrap();
        assert!((0..25).all(|_| ask() == Acquired::Granted(Permit(0))));
        let Acquired::RetryAfter(wait) = ask() else { panic!("more than the burst") };
        assert!(wait <= Duration::from_millis(200), "{wait:?}");
    }
}
