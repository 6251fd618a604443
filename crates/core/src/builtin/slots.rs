use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
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
/// Whoever waits is served in the order of coming, and is told the time at which a slot can be free for it, no sooner:
/// no one starves, and no slot wakes everybody.
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
    /// Who waits, in the order of coming, and when each was told to come back.
    waiting: VecDeque<(ThreadId, Duration)>,
    /// After a refusal, nobody sends before this.
    paused_until: Duration,
}

/// The edge of a window belongs to it, and clocks differ by some millionths: a slot ends a little after the window.
const GUARD: Duration = Duration::from_millis(1);

/// Who has not come back so long after its time has lost its place: its thread has ended, say.
const PATIENCE: Duration = Duration::from_secs(1);

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

impl State {
    /// How many are before the calling thread; its place is the last one if it has none yet.
    fn place(&mut self, now: Duration) -> usize {
        let me = std::thread::current().id();
        self.waiting.retain(|(thread, due)| *thread == me || *due + PATIENCE >= now);
        self.waiting.iter().position(|(thread, _)| *thread == me).unwrap_or_else(|| {
            self.waiting.push_back((me, now));
            self.waiting.len() - 1
        })
    }

    /// The soonest that as many slots as `nth` will have been freed: a held one at its end, one in flight a window from
    /// now. A free one is kept for somebody who was told to come; if nobody does, it is the next one's.
    fn release(&self, nth: usize, free: usize, now: Duration, window: Duration) -> Duration {
        let in_flight = std::iter::repeat_n(now + window, self.in_flight.len());
        let kept = std::iter::repeat_n(now + window.min(PATIENCE + GUARD), free);
        let mut ends: Vec<Duration> = self.held_until.iter().copied().chain(in_flight).chain(kept).collect();
        ends.sort_unstable();
        // Whoever comes after more than all slots waits for one that was freed, taken and freed again.
        let rounds = u32::try_from((nth - 1) / ends.len()).unwrap_or(u32::MAX);
        ends[(nth - 1) % ends.len()].saturating_add(window.saturating_mul(rounds))
    }
}

impl Limiter for Slots {
    fn try_acquire(&self, _class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let now = clock.now();
        let window = self.quota.window + GUARD;
        let mut state = self.state();
        state.held_until.retain(|end| *end > now);
        let place = state.place(now);
        let used = state.in_flight.len() + state.held_until.len();
        let free = (self.quota.calls as usize).saturating_sub(used);
        if place < free && now >= state.paused_until {
            state.waiting.remove(place);
            state.next_permit += 1;
            let permit = state.next_permit;
            state.in_flight.insert(permit);
            return Ok(Acquired::Granted(Permit(permit)));
        }
        let due = match place < free {
            true => state.paused_until,
            false => state.release(place - free + 1, free, now, window).max(state.paused_until),
        };
        state.waiting[place].1 = due;
        Ok(Acquired::RetryAfter(due - now))
    }

    fn leave(&self) {
        let me = std::thread::current().id();
        self.state().waiting.retain(|(thread, _)| *thread != me);
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

    /// `callers` threads make `calls` each, the answer to each a tenth of a second later. How long each call waited, and how
    /// often its thread was woken for it.
    fn crowd(quota: Quota, callers: usize, calls: usize) -> Vec<(Duration, usize)> {
        let (slots, clock) = (Slots::new(quota).unwrap(), VirtualClock::new());
        let one_call = || {
            let (came, mut woken) = (clock.now(), 0);
            loop {
                match take(&slots, &clock) {
                    Ok(permit) => {
                        let waited = clock.now() - came;
                        clock.sleep(Duration::from_millis(100)).unwrap();
                        slots.settle(permit, Settlement::Answered, &clock).unwrap();
                        return (waited, woken);
                    }
                    Err(wait) => {
                        woken += 1;
                        clock.sleep(wait).unwrap();
                    }
                }
            }
        };
        clock.run(callers, |_| (0..calls).map(|_| one_call()).collect::<Vec<_>>()).concat()
    }

    #[test]
    fn no_one_starves_and_no_one_is_woken_in_vain() {
        for (calls, window) in [(25, 5000), (2, 5000), (1, 20), (10, 1000)] {
            let quota = Quota::new(calls, Duration::from_millis(window));
            let waits = crowd(quota, 64, 20);
            // Before each call 63 others at the most: so many windows, and in each a round trip.
            let windows = 64_u32.div_ceil(calls) + 1;
            let fair = (quota.window() + Duration::from_millis(102)) * windows;
            let longest = waits.iter().map(|(waited, _)| *waited).max().unwrap();
            assert!(longest <= fair, "{quota:?}: {longest:?} is more than {fair:?}");
            let woken: usize = waits.iter().map(|(_, woken)| woken).sum();
            // Once for each window that a wait was reckoned through: its answers come a round trip later than the soonest.
            assert!(woken <= waits.len() * (windows as usize + 1), "{quota:?}: {woken} for {}", waits.len());
        }
    }

    #[test]
    fn first_come_first_served_and_a_place_given_up_is_the_next_ones() {
        let (slots, clock) = slots(1);
        let permit = take(&slots, &clock).unwrap();
        slots.settle(permit, Settlement::Answered, &clock).unwrap();
        let order = Mutex::new(Vec::new());
        clock.run(3, |worker| {
            clock.sleep(Duration::from_millis(worker as u64)).unwrap();
            if worker == 0 {
                take(&slots, &clock).unwrap_err();
                slots.leave();
                return;
            }
            loop {
                match take(&slots, &clock) {
                    Err(wait) => clock.sleep(wait).unwrap(),
                    Ok(permit) => {
                        order.lock().unwrap().push((worker, clock.now()));
                        return slots.settle(permit, Settlement::Answered, &clock).unwrap();
                    }
                }
            }
        });
        let window = Duration::from_millis(5001);
        assert_eq!(*order.lock().unwrap(), [(1, window), (2, window * 2)]);
    }

    #[test]
    fn whoever_never_comes_back_loses_its_place() {
        let (slots, clock) = slots(1);
        let permit = take(&slots, &clock).unwrap();
        slots.settle(permit, Settlement::Answered, &clock).unwrap();
        std::thread::scope(|scope| scope.spawn(|| take(&slots, &clock).unwrap_err()).join().unwrap());
        clock.sleep(Duration::from_millis(5001)).unwrap();
        let wait = take(&slots, &clock).expect_err("the place before is still kept");
        assert_eq!(wait, PATIENCE + GUARD);
        clock.sleep(wait).unwrap();
        assert!(take(&slots, &clock).is_ok());
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
