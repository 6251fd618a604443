mod bytes;
mod round_trips;

use std::time::Duration;

use super::SlotRules;
use crate::plugin::{Acquired, CallClass, Permit, Settlement, Snapshot};
pub use bytes::NotATable;
use round_trips::{CAREFUL, RoundTrips};

/// The arithmetic of slots as plain data: no clock, no lock, no thread. Every limiter made of slots is this table and a
/// place to keep it: memory, a file, a server.
///
/// A call takes a slot when it is sent and holds it until one window, less a margin, after the *head* of its answer
/// arrived. So, of any N + 1 calls, when the last was sent one of the others had ended, and was judged a window before.
/// Whoever waits is served in the order of coming, submits and questions each in their share.
///
/// `now` is the time of whoever keeps the table. It should not go back; if it does, it stands still here. What has to be
/// done after a jump, or when an older table is found than was left, is [`hold_all`](SlotTable::hold_all).
///
/// ```
/// use activity_status::builtin::{Quota, SlotRules, SlotTable};
/// use activity_status::plugin::{Acquired, CallClass, Permit, Settlement};
/// use std::time::Duration;
///
/// let rules = SlotRules::new(Quota::new(1, Duration::from_secs(5)))?;
/// let mut table = SlotTable::new();
/// let (me, at) = (7, Duration::from_secs);
/// let Acquired::Granted(permit) = table.try_acquire(&rules, me, CallClass::Poll, at(100)) else { panic!() };
/// table.settle(&rules, permit, Settlement::Answered, at(101));
/// let wait = table.try_acquire(&rules, me, CallClass::Poll, at(102));
/// assert_eq!(wait, Acquired::RetryAfter(Duration::from_millis(4001)));
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotTable {
    /// The latest time seen.
    now: Duration,
    last_permit: u64,
    in_flight: Vec<InFlight>,
    /// Since when each slot of an answered call is held. For how long is reckoned anew each time: the margin may have changed.
    held_since: Vec<Duration>,
    /// Who waits, in the order of being served.
    waiting: Vec<Waiter>,
    /// The tag of the last one that was served while others waited.
    served: u64,
    /// After a refusal, nobody sends before this.
    paused_until: Duration,
    refused: u64,
    trips: RoundTrips,
}

/// Sent and not yet answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InFlight {
    permit: u64,
    sent_at: Duration,
    /// If no settlement has come by then, none will: its caller has died.
    ends: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiter {
    id: u64,
    is_submit: bool,
    /// Its place: self-clocked fair queueing (Golestani 1994), with the shares as weights.
    tag: u64,
    /// When it was told to come back.
    due: Duration,
}

/// The edge of a window belongs to it, and clocks differ by some millionths: a slot ends a little after the window.
const GUARD: Duration = Duration::from_millis(1);

/// Who has not come back so long after its time has lost its place: its thread has ended, say.
const PATIENCE: Duration = Duration::from_secs(1);

/// A server's advice to come back in a year must not stop us for a year.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl SlotTable {
    /// A table in which nothing is used.
    pub fn new() -> Self {
        SlotTable::default()
    }

    /// A slot for `waiter`, a number that is its caller's alone, or when to ask again. Never zero.
    pub fn try_acquire(
        &mut self,
        rules: &SlotRules,
        waiter: u64,
        class: CallClass,
        now: Duration,
    ) -> Acquired {
        let now = self.advance(rules, now);
        self.waiting.retain(|other| other.id == waiter || other.due + PATIENCE >= now);
        let free = self.free(rules);
        let place = self.waiting.iter().position(|other| other.id == waiter);
        if free > place.unwrap_or(self.waiting.len()) && now >= self.paused_until {
            return Acquired::Granted(self.grant(rules, place, now));
        }
        let place = place.unwrap_or_else(|| self.enqueue(rules, waiter, class));
        let due = match place < free {
            true => self.paused_until,
            false => self.release(rules, place - free + 1, now).max(self.paused_until),
        };
        let due = due.max(now + GUARD);
        self.waiting[place].due = due;
        Acquired::RetryAfter(due - now)
    }

    /// `waiter` gives its place up.
    pub fn leave(&mut self, waiter: u64) {
        self.waiting.retain(|other| other.id != waiter);
    }

    /// What became of a call, at the moment when that was known.
    pub fn settle(&mut self, rules: &SlotRules, permit: Permit, how: Settlement, now: Duration) {
        let at = now;
        let now = self.advance(rules, now);
        let known = self.in_flight.iter().position(|call| call.permit == permit.0);
        let call = known.map(|place| self.in_flight.swap_remove(place));
        let window = rules.quota().window();
        let since = match how {
            Settlement::NotSent => return,
            Settlement::Answered => {
                if let Some(call) = call {
                    self.trips.add(at.saturating_sub(call.sent_at));
                }
                now
            }
            Settlement::AnsweredOnNewConnection => {
                self.trips.add_unmeasured();
                now
            }
            Settlement::Refused { retry_after } => {
                let pause = retry_after.unwrap_or(window).min(LONGEST_PAUSE.max(window));
                self.paused_until = self.paused_until.max(now + pause);
                self.refused += 1;
                self.trips = RoundTrips { careful_until: now + window * CAREFUL, ..RoundTrips::default() };
                now
            }
            // It may be judged some time after we gave it up; nobody knows when. One window more is our margin.
            Settlement::InDoubt => now + window,
        };
        // An unknown permit is one whose slot had ended, or that a lost table had given: the call was made all the same.
        self.held_since.push(since);
        self.forget_surplus(rules);
    }

    /// The past is unknown: a table was lost, or a clock has jumped. As many calls as the quota has may just have been
    /// made, so every slot is held for a window, or for longer if it was; whoever waited comes again.
    ///
    /// That is enough if no call that was lost lasts longer than a window: nobody knows of those.
    pub fn hold_all(&mut self, rules: &SlotRules, now: Duration) {
        let old = std::mem::replace(&mut self.now, now);
        let later = |then: Duration| now + then.saturating_sub(old);
        for call in &mut self.in_flight {
            let lease = call.ends.saturating_sub(call.sent_at);
            (call.sent_at, call.ends) = (now, now + lease);
        }
        let unknown = (rules.quota().calls() as usize).saturating_sub(self.in_flight.len());
        let since = self.held_since.iter().max().map_or(now, |since| later(*since));
        self.held_since = vec![since; unknown];
        self.waiting.clear();
        self.paused_until = later(self.paused_until);
        // Nobody knows when those calls were answered, so no margin shortens what they hold.
        let careful_until = later(self.trips.careful_until).max(now + rules.quota().window() + GUARD);
        self.trips = RoundTrips { careful_until, ..RoundTrips::default() };
    }

    /// How the quota stands.
    pub fn snapshot(&self, rules: &SlotRules, now: Duration) -> Snapshot {
        let mut table = self.clone();
        let now = table.advance(rules, now);
        table.waiting.retain(|other| other.due + PATIENCE >= now);
        let free = table.free(rules);
        let waiting = table.waiting.len();
        let next = match waiting < free {
            true => table.paused_until,
            false => table.release(rules, waiting - free + 1, now).max(table.paused_until),
        };
        let calls = rules.quota().calls();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Snapshot {
            used: calls - count(free).min(calls),
            free: count(free),
            next_free_in: next.saturating_sub(now),
            waiting: count(waiting),
            refused: table.refused,
        }
    }

    /// Is nothing used and nobody waiting? A table that is idle can be forgotten.
    pub fn is_idle(&self, rules: &SlotRules, now: Duration) -> bool {
        let mut table = self.clone();
        let now = table.advance(rules, now);
        let nobody = table.waiting.iter().all(|other| other.due + PATIENCE < now);
        nobody && table.in_flight.is_empty() && table.held_since.is_empty() && table.paused_until <= now
    }

    /// Lets the time pass: what has ended is free.
    fn advance(&mut self, rules: &SlotRules, now: Duration) -> Duration {
        self.now = self.now.max(now);
        let now = self.now;
        if rules.is_strict() {
            self.trips.careful_until = self.trips.careful_until.max(now + rules.quota().window() * CAREFUL);
        }
        let held = self.held(rules);
        self.held_since.retain(|since| *since + held > now);
        self.in_flight.retain(|call| call.ends > now);
        now
    }

    /// How long a slot is held after its answer.
    fn held(&self, rules: &SlotRules) -> Duration {
        rules.quota().window().saturating_sub(self.margin(rules)) + GUARD
    }

    fn free(&self, rules: &SlotRules) -> usize {
        (rules.quota().calls() as usize).saturating_sub(self.in_flight.len() + self.held_since.len())
    }

    /// A permit is numbered by its time, so that one that a lost table gave means nothing in another.
    fn grant(&mut self, rules: &SlotRules, place: Option<usize>, now: Duration) -> Permit {
        if let Some(place) = place {
            let waiter = self.waiting.remove(place);
            self.served = if self.waiting.is_empty() { 0 } else { self.served.max(waiter.tag) };
        }
        self.last_permit = nanos(now).max(self.last_permit.saturating_add(1));
        let ends = now + rules.lease() + rules.quota().window() + GUARD;
        self.in_flight.push(InFlight { permit: self.last_permit, sent_at: now, ends });
        Permit(self.last_permit)
    }

    /// The place of a newcomer. Within its class it is the last one; between classes, each in its share.
    fn enqueue(&mut self, rules: &SlotRules, id: u64, class: CallClass) -> usize {
        let is_submit = class == CallClass::Submit;
        let percent = u64::from(rules.percent_of_submits());
        let cost = if is_submit { 100 - percent } else { percent };
        let before = self.waiting.iter().filter(|other| other.is_submit == is_submit).map(|other| other.tag);
        let tag = before.max().unwrap_or(self.served).saturating_add(cost);
        let place = self.waiting.partition_point(|other| other.tag <= tag);
        self.waiting.insert(place, Waiter { id, is_submit, tag, due: self.now });
        place
    }

    /// The soonest that as many slots as `nth` will have been freed: a held one at its end, one in flight a window after the
    /// soonest answer. A free one is kept for somebody who was told to come; if nobody does, it is the next one's.
    fn release(&self, rules: &SlotRules, nth: usize, now: Duration) -> Duration {
        let (window, held) = (rules.quota().window(), self.held(rules));
        let soonest = |call: &InFlight| (now.max(call.sent_at + self.trips.soonest()) + held).min(call.ends);
        let in_flight = self.in_flight.iter().map(soonest);
        let kept = std::iter::repeat_n(now + window.min(PATIENCE) + GUARD, self.free(rules));
        let answered = self.held_since.iter().map(|since| *since + held);
        let mut ends: Vec<Duration> = answered.chain(in_flight).chain(kept).collect();
        ends.sort_unstable();
        // Whoever comes after more than all slots waits for one that was freed, taken and freed again.
        let rounds = u32::try_from((nth - 1) / ends.len()).unwrap_or(u32::MAX);
        ends[(nth - 1) % ends.len()].saturating_add(window.saturating_mul(rounds))
    }

    /// More calls may be out than there are slots, if some were thought to have ended. Those that end first do not matter then.
    fn forget_surplus(&mut self, rules: &SlotRules) {
        let most = rules.quota().calls() as usize;
        if self.held_since.len() > most {
            self.held_since.sort_unstable();
            self.held_since.drain(..self.held_since.len() - most);
        }
    }

    fn margin(&self, rules: &SlotRules) -> Duration {
        if rules.is_strict() { Duration::ZERO } else { self.trips.margin(self.now) }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
