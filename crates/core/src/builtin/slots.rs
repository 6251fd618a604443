use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::quota::LONGEST_CALL;
use super::{Quota, SlotRules, SlotTable};
use crate::Error;
use crate::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement, Snapshot};

/// The limiter for all threads of one process: a [`SlotTable`] in memory.
///
/// The vendor sees never more than N calls in any window, whatever kind of window it keeps (sliding, fixed, or a
/// bucket of N). Whoever waits is served in the order of coming, and is told the time at which a slot can be free for
/// it, no sooner: no one starves, and no slot wakes everybody.
///
/// Share one among all clients that use the same key: it is a value behind an [`Arc`](std::sync::Arc). Their clocks must have
/// one origin. After a `fork` there are two, each with the whole quota: use one in a file there.
///
/// ```
/// use activity_status::{Client, Credentials, Endpoint, builtin::{Quota, Slots}};
/// use std::{sync::Arc, time::Duration};
///
/// let shared = Arc::new(Slots::new(Quota::new(10, Duration::from_secs(5)))?);
/// let one = Client::builder(Endpoint::INDIA, Credentials::new("key")?).limiter(shared.clone()).build()?;
/// let two = Client::builder(Endpoint::INDIA, Credentials::new("key")?).limiter(shared).build()?;
/// assert_eq!(one.snapshot()?.map(|quota| quota.free), Some(10));
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug)]
pub struct Slots {
    rules: SlotRules,
    table: Mutex<SlotTable>,
    threads: RandomState,
}

impl Slots {
    /// A limiter for this quota, for calls of any length.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a quota of zero, or a window of zero or over an hour.
    pub fn new(quota: Quota) -> Result<Self, Error> {
        Ok(Slots::with(SlotRules::new(quota)?.longest_call(LONGEST_CALL)))
    }

    /// A limiter by these rules.
    pub fn with(rules: SlotRules) -> Self {
        Slots { rules, table: Mutex::default(), threads: RandomState::new() }
    }

    /// The rules that it keeps.
    pub fn rules(&self) -> &SlotRules {
        &self.rules
    }

    fn table(&self) -> MutexGuard<'_, SlotTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who waits is known by its thread.
    fn me(&self) -> u64 {
        self.threads.hash_one(std::thread::current().id())
    }
}

impl Limiter for Slots {
    fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let (me, now) = (self.me(), clock.now());
        Ok(self.table().try_acquire(&self.rules, me, class, now))
    }

    fn leave(&self) {
        self.table().leave(self.me());
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        let now = clock.now();
        self.table().settle(&self.rules, permit, how, now);
        Ok(())
    }

    fn longest_call(&self) -> Option<Duration> {
        Some(self.rules.lease())
    }

    fn snapshot(&self, clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
        let now = clock.now();
        Ok(Some(self.table().snapshot(&self.rules, now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::VirtualClock;

    /// A slot ends so long after its window.
    const GUARD: Duration = Duration::from_millis(1);
    /// Who does not come loses its place so long after its time.
    const PATIENCE: Duration = Duration::from_secs(1);

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
    fn a_permit_that_nobody_knows_counts_as_a_call() {
        let (slots, clock) = slots(1);
        slots.settle(Permit(7), Settlement::NotSent, &clock).unwrap();
        slots.settle(Permit(7), Settlement::Answered, &clock).unwrap();
        assert_eq!(take(&slots, &clock), Err(Duration::from_millis(5001)));
    }
}
