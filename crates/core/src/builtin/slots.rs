use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};
use crate::wire::quoted;
use crate::{Error, parse_duration};

/// So many calls in so long a window. 25 calls in 5 s is the vendor's default; other plans have less \[docs\].
///
/// ```
/// use activity_status::builtin::Quota;
/// use std::time::Duration;
///
/// assert_eq!(Quota::default(), Quota::new(25, Duration::from_secs(5)));
/// assert_eq!("10/5s".parse::<Quota>()?, Quota::new(10, Duration::from_secs(5)));
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    calls: u32,
    window: Duration,
}

impl Quota {
    /// `calls` in any `window`. A quota of zero, or with a window of zero or over an hour, is refused when a client
    /// is built with it.
    pub const fn new(calls: u32, window: Duration) -> Self {
        Quota { calls, window }
    }

    /// How many calls.
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    /// In how long a time.
    pub const fn window(&self) -> Duration {
        self.window
    }

    fn checked(self) -> Result<Self, Error> {
        let hour = Duration::from_secs(3600);
        if self.calls == 0 || self.calls > 100_000 || self.window.is_zero() || self.window > hour {
            return Err(Error::config(format!(
                "a quota of {} calls in {:?} lets nothing through or makes no sense; the vendor's default is 25 in 5 s",
                self.calls, self.window
            )));
        }
        Ok(self)
    }
}

impl Default for Quota {
    fn default() -> Self {
        Quota::new(25, Duration::from_secs(5))
    }
}

impl std::str::FromStr for Quota {
    type Err = Error;

    /// Calls, a slash, a time: `25/5s`, `25/5`, `100/1m`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('/').and_then(|(calls, window)| {
            Some(Quota::new(calls.trim().parse().ok()?, parse_duration(window).ok()?))
        });
        parts
            .ok_or_else(|| {
                Error::config(format!("{} is no quota: give calls and seconds, such as 25/5s", quoted(text)))
            })?
            .checked()
    }
}

/// The limiter for all threads of one process: as many slots as the quota has calls.
///
/// A call takes a slot when it is sent and holds it until one window after the *head* of its answer arrived. So, of
/// any N + 1 calls, when the last was sent one of the others had ended, and was judged a window before: the vendor
/// sees never more than N calls in any window, whatever the delays, the order of arrival and the kind of window that it
/// keeps (sliding, fixed, or a bucket of N). It costs one round trip a window.
///
/// Share one among all clients that use the same key: it is a value behind an [`Arc`](std::sync::Arc).
///
/// ```
/// use activity_status::{Client, Credentials, Endpoint, builtin::{Quota, Slots}};
/// use std::{sync::Arc, time::Duration};
///
/// let shared = Arc::new(Slots::new(Quota::new(10, Duration::from_secs(5)))?);
/// let one = Client::builder(Endpoint::INDIA, Credentials::new("key")?).limiter(shared.clone()).build()?;
/// let two = Client::builder(Endpoint::INDIA, Credentials::new("key")?).limiter(shared).build()?;
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug)]
pub struct Slots {
    quota: Quota,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_permit: u64,
    /// Sent and not yet answered.
    in_flight: BTreeSet<u64>,
    /// When each slot of an answered call is free again.
    held_until: Vec<Duration>,
    /// After a refusal, nobody sends before this.
    paused_until: Duration,
}

/// The edge of a window belongs to it, and clocks differ by some millionths: a slot ends a little after the window.
const GUARD: Duration = Duration::from_millis(1);

/// A server's advice to come back in a year must not stop us for a year.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Slots {
    /// A limiter for this quota.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a quota of zero, or a window of zero or over an hour.
    pub fn new(quota: Quota) -> Result<Self, Error> {
        Ok(Slots { quota: quota.checked()?, state: Mutex::default() })
    }

    /// The quota that it keeps.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limiter for Slots {
    fn try_acquire(&self, _class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let now = clock.now();
        let mut state = self.state();
        state.held_until.retain(|end| *end > now);
        if now < state.paused_until {
            return Ok(Acquired::RetryAfter(state.paused_until - now));
        }
        if state.in_flight.len() + state.held_until.len() < self.quota.calls as usize {
            state.next_permit += 1;
            let permit = state.next_permit;
            state.in_flight.insert(permit);
            return Ok(Acquired::Granted(Permit(permit)));
        }
        // A call still in flight cannot free its slot sooner than a window from now.
        let in_flight = (!state.in_flight.is_empty()).then_some(now + self.quota.window + GUARD);
        let first_free = state.held_until.iter().copied().chain(in_flight).min().unwrap_or(now);
        Ok(Acquired::RetryAfter(first_free - now))
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        let now = clock.now();
        let window = self.quota.window;
        let mut state = self.state();
        if !state.in_flight.remove(&permit.0) {
            return Ok(());
        }
        match how {
            Settlement::NotSent => {}
            Settlement::Answered => state.held_until.push(now + window + GUARD),
            Settlement::Refused { retry_after } => {
                state.held_until.push(now + window + GUARD);
                let pause = retry_after.unwrap_or(window).min(LONGEST_PAUSE.max(window));
                state.paused_until = state.paused_until.max(now + pause);
            }
            // It may be judged some time after we gave it up; nobody knows when. One window more is our margin.
            _ => state.held_until.push(now + window * 2 + GUARD),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::VirtualClock;

    fn slots(calls: u32) -> (Slots, VirtualClock) {
        (Slots::new(Quota::new(calls, Duration::from_secs(5))).unwrap(), VirtualClock::new())
    }

    fn take(slots: &Slots, clock: &VirtualClock) -> Result<Permit, Duration> {
        match slots.try_acquire(CallClass::Poll, clock).unwrap() {
            Acquired::Granted(permit) => Ok(permit),
            Acquired::RetryAfter(wait) => Err(wait),
        }
    }

    #[test]
    fn a_slot_is_held_until_a_window_after_the_answer() {
        let (slots, clock) = slots(1);
        let permit = take(&slots, &clock).unwrap();
        clock.sleep(Duration::from_secs(3)).unwrap();
        assert_eq!(
            take(&slots, &clock),
            Err(Duration::from_millis(5001)),
            "in flight: a window from now at least"
        );
        slots.settle(permit, Settlement::Answered, &clock).unwrap();
        clock.sleep(Duration::from_millis(5000)).unwrap();
        assert_eq!(take(&slots, &clock), Err(GUARD));
        clock.sleep(GUARD).unwrap();
        assert!(take(&slots, &clock).is_ok());
    }

    #[test]
    fn what_was_never_sent_frees_its_slot_and_what_is_in_doubt_holds_it_longer() {
        let (slots, clock) = slots(1);
        let permit = take(&slots, &clock).unwrap();
        slots.settle(permit, Settlement::NotSent, &clock).unwrap();
        let permit = take(&slots, &clock).unwrap();
        slots.settle(permit, Settlement::InDoubt, &clock).unwrap();
        assert_eq!(take(&slots, &clock), Err(Duration::from_millis(10_001)));
    }

    #[test]
    fn a_refusal_stops_everyone_for_a_window_or_as_told_within_reason() {
        for (told, wait) in [(None, 5), (Some(7), 7), (Some(31_536_000), 60)] {
            let (slots, clock) = slots(10);
            let permit = take(&slots, &clock).unwrap();
            let retry_after = told.map(Duration::from_secs);
            slots.settle(permit, Settlement::Refused { retry_after }, &clock).unwrap();
            assert_eq!(take(&slots, &clock), Err(Duration::from_secs(wait)));
        }
    }

    #[test]
    fn a_permit_settled_twice_counts_once() {
        let (slots, clock) = slots(1);
        let number = take(&slots, &clock).unwrap().0;
        slots.settle(Permit(number), Settlement::NotSent, &clock).unwrap();
        slots.settle(Permit(number), Settlement::Answered, &clock).unwrap();
        assert!(take(&slots, &clock).is_ok());
    }

    #[test]
    fn quotas_that_make_no_sense_are_refused() {
        for text in ["0/5s", "25/0s", "25", "x/5", "25/-1", "25/1e9", "25/nan", "-1/5", ""] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
        assert!(Slots::new(Quota::new(0, Duration::from_secs(5))).is_err());
        assert_eq!("100/1m".parse::<Quota>().unwrap(), Quota::new(100, Duration::from_secs(60)));
        assert_eq!(" 2 / 2.5 s".parse::<Quota>().unwrap(), Quota::new(2, Duration::from_millis(2500)));
    }
}
