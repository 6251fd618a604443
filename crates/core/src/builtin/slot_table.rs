use std::time::Duration;

use super::{Quota, SlotRules};
use crate::plugin::{Acquired, CallClass, Permit, Settlement, Snapshot};

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

/// What the margin is estimated from.
///
/// A margin is safe if it is no more than the least delay there and the least delay back. Nobody sees those two; the
/// least round trip is a little above their sum. How far above, the gap to the fifth least tells; three times the gap lets
/// through fewer than one refusal in 100,000 calls wherever it was tried (`tests/quota.rs`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct RoundTrips {
    answers: u32,
    /// Those whose round trip is known.
    measured: u32,
    /// In order.
    least: [Duration; 5],
    careful_until: Duration,
}

/// Fewer answers than these tell nothing, nor do fewer with a known round trip.
const ENOUGH: u32 = 25;
const ENOUGH_MEASURED: u32 = 15;

/// So many windows after a refusal the margin is zero.
const CAREFUL: u32 = 12;

impl RoundTrips {
    fn add(&mut self, trip: Duration) {
        let place = self.seen().partition_point(|other| *other <= trip);
        if place < self.least.len() {
            self.least[place..].rotate_right(1);
            self.least[place] = trip;
        }
        self.measured = self.measured.saturating_add(1);
        self.add_unmeasured();
    }

    /// A call had to connect first, so that its time is no round trip.
    fn add_unmeasured(&mut self) {
        self.answers = self.answers.saturating_add(1);
    }

    fn are_enough(&self) -> bool {
        self.answers >= ENOUGH && self.measured >= ENOUGH_MEASURED
    }

    /// The least ones, as far as there are so many.
    fn seen(&self) -> &[Duration] {
        &self.least[..self.least.len().min(self.measured as usize)]
    }

    /// No answer has come sooner after its call.
    fn soonest(&self) -> Duration {
        if self.are_enough() { self.least[0] } else { Duration::ZERO }
    }

    fn margin(&self, now: Duration) -> Duration {
        if !self.are_enough() || now < self.careful_until {
            return Duration::ZERO;
        }
        let (first, fifth) = (self.least[0], self.least[4]);
        first.saturating_sub((fifth - first) * 3)
    }
}

/// Why bytes are not a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotATable {
    /// They are cut off, or not from here.
    Damaged,
    /// They are the table of another quota.
    OtherQuota(Quota),
}

/// The layout's first byte.
const VERSION: u8 = 1;

/// More than these are not kept in bytes: who comes after them has no place, and waits all the same.
const MOST_WAITING: usize = 1024;

impl SlotTable {
    /// The table as bytes, the same on every machine: integers little-endian, times in nanoseconds.
    pub fn to_bytes(&self, rules: &SlotRules) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(
            160 + 24 * self.in_flight.len() + 8 * self.held_since.len() + 25 * self.waiting.len(),
        ));
        out.0.push(VERSION);
        out.number(rules.quota().calls().into());
        out.time(rules.quota().window());
        out.time(self.now);
        out.number(self.last_permit);
        out.number(self.served);
        out.time(self.paused_until);
        out.number(self.refused);
        out.number(self.trips.answers.into());
        out.number(self.trips.measured.into());
        self.trips.least.iter().for_each(|trip| out.time(*trip));
        out.time(self.trips.careful_until);
        out.number(self.in_flight.len() as u64);
        for call in &self.in_flight {
            out.number(call.permit);
            out.time(call.sent_at);
            out.time(call.ends);
        }
        out.number(self.held_since.len() as u64);
        self.held_since.iter().for_each(|end| out.time(*end));
        out.number(self.waiting.len().min(MOST_WAITING) as u64);
        for waiter in self.waiting.iter().take(MOST_WAITING) {
            out.number(waiter.id);
            out.0.push(waiter.is_submit.into());
            out.number(waiter.tag);
            out.time(waiter.due);
        }
        out.0
    }

    /// Reads what [`to_bytes`](SlotTable::to_bytes) wrote.
    ///
    /// # Errors
    /// [`NotATable`] for anything else, and for the table of another quota: never a wrong count.
    pub fn from_bytes(bytes: &[u8], rules: &SlotRules) -> Result<Self, NotATable> {
        let mut from = Reader(bytes);
        let quota = read_quota(&mut from).ok_or(NotATable::Damaged)?;
        if quota != rules.quota() {
            return Err(NotATable::OtherQuota(quota));
        }
        let table = read_table(&mut from).filter(|_| from.0.is_empty());
        table.ok_or(NotATable::Damaged)
    }
}

fn read_quota(from: &mut Reader<'_>) -> Option<Quota> {
    let version = from.byte()?;
    let quota = Quota::new(u32::try_from(from.number()?).ok()?, from.time()?);
    (version == VERSION).then_some(quota)
}

fn read_table(from: &mut Reader<'_>) -> Option<SlotTable> {
    let mut table = SlotTable {
        now: from.time()?,
        last_permit: from.number()?,
        served: from.number()?,
        paused_until: from.time()?,
        refused: from.number()?,
        ..SlotTable::default()
    };
    table.trips.answers = u32::try_from(from.number()?).ok()?;
    table.trips.measured = u32::try_from(from.number()?).ok()?;
    for trip in &mut table.trips.least {
        *trip = from.time()?;
    }
    table.trips.careful_until = from.time()?;
    for _ in 0..from.number()? {
        let call = InFlight { permit: from.number()?, sent_at: from.time()?, ends: from.time()? };
        table.in_flight.push(call);
    }
    for _ in 0..from.number()? {
        table.held_since.push(from.time()?);
    }
    for _ in 0..from.number()? {
        let (id, is_submit) = (from.number()?, from.byte()? != 0);
        table.waiting.push(Waiter { id, is_submit, tag: from.number()?, due: from.time()? });
    }
    let in_order = table.trips.seen().is_sorted() && table.waiting.is_sorted_by_key(|waiter| waiter.tag);
    in_order.then_some(table)
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn time(&mut self, time: Duration) {
        self.number(nanos(time));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn time(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn rules(calls: u32) -> SlotRules {
        SlotRules::new(Quota::new(calls, S * 5)).unwrap()
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn take(table: &mut SlotTable, rules: &SlotRules, waiter: u64, at: Duration) -> Result<Permit, Duration> {
        ask(table, rules, waiter, CallClass::Poll, at)
    }

    fn ask(
        table: &mut SlotTable,
        rules: &SlotRules,
        waiter: u64,
        class: CallClass,
        at: Duration,
    ) -> Result<Permit, Duration> {
        match table.try_acquire(rules, waiter, class, at) {
            Acquired::Granted(permit) => Ok(permit),
            Acquired::RetryAfter(wait) => Err(wait),
        }
    }

    /// A table that has seen `count` answers after `trip` each, one slot of it used again and again. The time then.
    fn after_answers(table: &mut SlotTable, rules: &SlotRules, count: u32, trip: Duration) -> Duration {
        let mut now = S;
        for _ in 0..count {
            let permit = loop {
                match take(table, rules, 1, now) {
                    Ok(permit) => break permit,
                    Err(wait) => now += wait,
                }
            };
            now += trip;
            table.settle(rules, permit, Settlement::Answered, now);
        }
        now
    }

    #[test]
    fn the_margin_shortens_what_was_held_before_it_was_known_but_not_an_unknown_past() {
        let (rules, mut table) = (rules(50), SlotTable::new());
        let mut permits: Vec<Permit> = (0..50).map(|_| take(&mut table, &rules, 1, S).unwrap()).collect();
        for permit in permits.drain(..) {
            table.settle(&rules, permit, Settlement::Answered, S + ms(80));
        }
        assert_eq!(take(&mut table, &rules, 1, S * 6), Err(ms(1)));
        permits.extend((0..25).map(|_| take(&mut table, &rules, 1, S * 6 + ms(1)).unwrap()));
        table.hold_all(&rules, S * 6 + ms(2));
        for permit in permits {
            table.settle(&rules, permit, Settlement::Answered, S * 6 + ms(82));
        }
        assert_eq!(take(&mut table, &rules, 1, S * 11), Err(ms(3)));
    }

    #[test]
    fn the_margin_comes_after_enough_answers_and_goes_with_a_refusal() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        let now = after_answers(&mut table, &rules, 24, ms(80));
        assert_eq!(take(&mut table, &rules, 1, now), Err(ms(5001)), "too few answers");
        let now = after_answers(&mut table, &rules, 1, ms(80)).max(now);
        assert_eq!(take(&mut table, &rules, 1, now), Err(ms(5001 - 80)));

        let strict = rules.strict(true);
        assert_eq!(table.margin(&strict), Duration::ZERO);
        assert_eq!(take(&mut table.clone(), &strict, 1, now), Err(ms(5001)));
        let mut shared = table.clone();
        take(&mut shared, &strict, 1, now).unwrap_err();
        assert_eq!(take(&mut shared, &rules, 1, now), Err(ms(5001)), "one who is strict makes all strict");

        let permit = take(&mut table, &rules, 1, now + S * 6).unwrap();
        let refused_at = now + S * 7;
        table.settle(&rules, permit, Settlement::Refused { retry_after: None }, refused_at);
        assert_eq!(table.margin(&rules), Duration::ZERO);
        let mut at = refused_at;
        for _ in 0..2 * ENOUGH {
            at += S * 6;
            let permit = take(&mut table, &rules, 1, at).unwrap();
            let careful = table.margin(&rules) == Duration::ZERO;
            assert!(careful || at >= refused_at + S * 60, "careful for a minute: {:?}", at - refused_at);
            table.settle(&rules, permit, Settlement::Answered, at + ms(80));
        }
        assert_eq!(table.margin(&rules), ms(80), "and then not any more");
    }

    #[test]
    fn after_a_refusal_enough_answers_are_not_enough_for_a_while() {
        let rules = rules(25);
        let mut table = SlotTable::new();
        let mut now = S;
        let window_of_answers = |table: &mut SlotTable, now: Duration| {
            let permits: Vec<Permit> = (0..25).map(|_| take(table, &rules, 1, now).unwrap()).collect();
            for permit in permits {
                table.settle(&rules, permit, Settlement::Answered, now + ms(80));
            }
            now + S * 6
        };
        now = window_of_answers(&mut table, now);
        assert_eq!(table.margin(&rules), ms(80));
        let permit = take(&mut table, &rules, 1, now).unwrap();
        table.settle(&rules, permit, Settlement::Refused { retry_after: None }, now);
        let refused_at = now;
        now += S * 6;
        while now < refused_at + S * 60 {
            now = window_of_answers(&mut table, now);
            let expected = if table.now < refused_at + S * 60 { Duration::ZERO } else { ms(80) };
            assert_eq!(table.margin(&rules), expected, "{:?} after the refusal", table.now - refused_at);
        }
        window_of_answers(&mut table, now);
        assert_eq!(table.margin(&rules), ms(80));
    }

    #[test]
    fn the_margin_is_below_the_least_round_trip_by_three_times_the_gap() {
        let mut trips = RoundTrips::default();
        for trip in [90, 100, 84, 82, 200, 80, 86].into_iter().chain(std::iter::repeat_n(300, 18)) {
            trips.add(ms(trip));
        }
        assert_eq!(trips.least, [80, 82, 84, 86, 90].map(ms));
        assert_eq!(trips.margin(S), ms(80 - 30));
        let wide = RoundTrips {
            answers: 99,
            measured: 99,
            least: [10, 20, 30, 40, 50].map(ms),
            ..RoundTrips::default()
        };
        assert_eq!(wide.margin(S), Duration::ZERO);
    }

    #[test]
    fn submits_and_questions_get_their_shares_and_all_of_it_if_alone() {
        // However many wait of each kind: whoever is served comes again as the last of its kind.
        for (percent, submitters, submits_of_20) in
            [(50, 10, 10), (80, 10, 16), (20, 10, 4), (95, 10, 19), (20, 1, 4), (50, 1, 10)]
        {
            let rules = rules(1).submit_share(percent).unwrap();
            let mut table = SlotTable::new();
            let mut now = S;
            let permit = take(&mut table, &rules, 0, now).unwrap();
            table.settle(&rules, permit, Settlement::Answered, now);
            let mut callers: Vec<(u64, CallClass)> = (1..=submitters)
                .map(|id| (id, CallClass::Submit))
                .chain((11..=20).map(|id| (id, CallClass::Poll)))
                .collect();
            let mut served = Vec::new();
            while served.len() < 40 {
                now += ms(10);
                let mut turn = None;
                for (place, (id, class)) in callers.iter().enumerate() {
                    if let Ok(permit) = ask(&mut table, &rules, *id, *class, now) {
                        table.settle(&rules, permit, Settlement::Answered, now);
                        turn = Some(place);
                    }
                }
                if let Some(place) = turn {
                    let caller = callers.remove(place);
                    served.push(caller.1);
                    callers.push(caller);
                }
            }
            let submits = served[..20].iter().filter(|class| **class == CallClass::Submit).count();
            assert!(submits.abs_diff(submits_of_20) <= 1, "{percent}, {submitters}: {submits} of 20");
        }
        let rules = rules(2).submit_share(1).unwrap();
        let mut table = SlotTable::new();
        assert!(ask(&mut table, &rules, 1, CallClass::Submit, S).is_ok());
        assert!(ask(&mut table, &rules, 1, CallClass::Submit, S).is_ok(), "nobody else wants it");
    }

    #[test]
    fn who_gives_up_again_and_again_does_not_push_its_class_back() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        let permit = take(&mut table, &rules, 0, S).unwrap();
        table.settle(&rules, permit, Settlement::Answered, S);
        take(&mut table, &rules, 1, S).unwrap_err();
        for _ in 0..100 {
            ask(&mut table, &rules, 2, CallClass::Submit, S).unwrap_err();
            table.leave(2);
        }
        ask(&mut table, &rules, 3, CallClass::Submit, S).unwrap_err();
        take(&mut table, &rules, 4, S).unwrap_err();
        let order: Vec<u64> = table.waiting.iter().map(|waiter| waiter.id).collect();
        assert_eq!(order, [1, 3, 4]);
    }

    #[test]
    fn the_slot_of_a_caller_that_died_ends_after_the_longest_call_and_a_window() {
        let rules = rules(1).longest_call(S * 10);
        let mut table = SlotTable::new();
        let permit = take(&mut table, &rules, 1, S).unwrap();
        let ends = S + S * 15 + GUARD;
        assert!(take(&mut table, &rules, 2, ends - ms(1)).is_err());
        assert!(take(&mut table, &rules, 2, ends).is_ok());
        // It was not dead after all: its call counts from now.
        table.settle(&rules, permit, Settlement::Answered, ends + S);
        let second = Permit(nanos(ends));
        table.settle(&rules, second, Settlement::NotSent, ends + S * 2);
        assert_eq!(take(&mut table, &rules, 3, ends + S * 2), Err(S * 4 + GUARD), "the first one's");
    }

    #[test]
    fn an_unknown_past_holds_every_slot_for_a_window() {
        let rules = rules(3);
        let mut table = SlotTable::new();
        let permit = take(&mut table, &rules, 1, S * 100).unwrap();
        take(&mut table, &rules, 1, S * 100).unwrap();
        table.hold_all(&rules, S * 7);
        assert_eq!(take(&mut table, &rules, 2, S * 7), Err(ms(5001)));
        // Those in flight are still known, by the new clock.
        table.settle(&rules, permit, Settlement::Answered, S * 8);
        assert_eq!(take(&mut table, &rules, 2, S * 12 + ms(1)).map(drop), Ok(()));
        assert_eq!(take(&mut table, &rules, 2, S * 12 + ms(1)), Err(S));
    }

    #[test]
    fn who_waited_by_another_clock_holds_nobody_back() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        take(&mut table, &rules, 1, S * 1000).unwrap();
        take(&mut table, &rules, 2, S * 1000).unwrap_err();
        table.in_flight.clear();
        table.hold_all(&rules, S * 7);
        assert!(take(&mut table, &rules, 3, S * 12 + GUARD).is_ok());
    }

    #[test]
    fn a_permit_of_a_lost_table_means_nothing_in_another() {
        let rules = rules(1);
        let old = take(&mut SlotTable::new(), &rules, 1, S * 10).unwrap();
        let mut table = SlotTable::new();
        let new = take(&mut table, &rules, 1, S * 11).unwrap();
        assert_ne!(old, new);
        table.settle(&rules, old, Settlement::NotSent, S * 12);
        assert!(take(&mut table, &rules, 1, S * 12).is_err(), "the new call is still in flight");
    }

    #[test]
    fn calls_that_nobody_knew_of_fill_no_more_than_the_slots() {
        let rules = rules(2);
        let mut table = SlotTable::new();
        for number in 1..100 {
            table.settle(&rules, Permit(number), Settlement::Answered, S * number as u32);
        }
        assert_eq!(table.held_since, [S * 98, S * 99], "the last ones count");

        // Two whose slots had ended were not dead, and two more are out.
        let rules = rules.longest_call(S);
        let mut table = SlotTable::new();
        let late = [take(&mut table, &rules, 1, S).unwrap(), take(&mut table, &rules, 1, S).unwrap()];
        let new = [take(&mut table, &rules, 1, S * 8).unwrap(), take(&mut table, &rules, 1, S * 8).unwrap()];
        late.into_iter().for_each(|permit| table.settle(&rules, permit, Settlement::Answered, S * 9));
        new.into_iter().for_each(|permit| table.settle(&rules, permit, Settlement::NotSent, S * 9));
        assert!(take(&mut table, &rules, 1, S * 9).is_err(), "two were answered just now");
    }

    #[test]
    fn a_call_that_had_to_connect_first_teaches_no_round_trip() {
        let rules = rules(30);
        let mut table = SlotTable::new();
        let permits: Vec<Permit> = (0..30).map(|_| take(&mut table, &rules, 1, S).unwrap()).collect();
        for permit in permits {
            table.settle(&rules, permit, Settlement::AnsweredOnNewConnection, S + ms(240));
        }
        assert_eq!(table.margin(&rules), Duration::ZERO);
        assert_eq!(
            take(&mut table, &rules, 1, S + ms(240)),
            Err(ms(5001)),
            "and holds its slot like any other"
        );
        for after in 1..=16 {
            let now = S * 10 * after;
            let permit = take(&mut table, &rules, 1, now).unwrap();
            assert_eq!(table.margin(&rules), if after > 15 { ms(80) } else { Duration::ZERO }, "{after}");
            table.settle(&rules, permit, Settlement::Answered, now + ms(80));
        }
    }

    #[test]
    fn what_is_held_for_longer_stays_so_when_the_past_is_unknown() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        let permit = take(&mut table, &rules, 1, S * 10).unwrap();
        table.settle(&rules, permit, Settlement::InDoubt, S * 10);
        table.hold_all(&rules, S * 2);
        assert_eq!(take(&mut table.clone(), &rules, 1, S * 2), Err(ms(10_001)), "a call in doubt");

        let permit = take(&mut table, &rules, 1, S * 20).unwrap();
        table.settle(&rules, permit, Settlement::Refused { retry_after: Some(S * 60) }, S * 20);
        table.hold_all(&rules, S * 3);
        assert_eq!(take(&mut table.clone(), &rules, 1, S * 3), Err(S * 60), "a server's advice");

        let patient = rules.longest_call(S * 600);
        take(&mut table, &patient, 1, S * 100).unwrap();
        table.hold_all(&rules, S * 4);
        assert!(take(&mut table, &rules, 2, S * 600).is_err(), "the lease that another program gave");
    }

    #[test]
    fn what_is_in_flight_is_waited_for_until_its_soonest_end() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        let now = after_answers(&mut table, &rules, 30, ms(80)) + S * 6;
        take(&mut table, &rules, 1, now).unwrap();
        // Its answer comes 80 ms after its sending at the soonest, and the margin is as much.
        assert_eq!(take(&mut table, &rules, 2, now), Err(ms(5001)));
        assert_eq!(take(&mut table, &rules, 2, now + ms(100)), Err(ms(4921)));
    }

    #[test]
    fn after_a_refusal_the_margin_is_learned_anew() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        let now = after_answers(&mut table, &rules, 30, ms(80)) + S * 6;
        let permit = take(&mut table, &rules, 1, now).unwrap();
        table.settle(&rules, permit, Settlement::Refused { retry_after: None }, now);
        let later = now + S * 100;
        let permit = take(&mut table, &rules, 1, later).unwrap();
        table.settle(&rules, permit, Settlement::Answered, later + ms(80));
        assert_eq!(take(&mut table, &rules, 1, later + ms(80)), Err(ms(5001)));
    }

    #[test]
    fn the_first_1024_who_wait_are_kept_in_bytes() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        for waiter in 0..=1100 {
            let _ = take(&mut table, &rules, waiter, S);
        }
        let read = SlotTable::from_bytes(&table.to_bytes(&rules), &rules).unwrap();
        assert_eq!(read.waiting, table.waiting[..1024]);
    }

    #[test]
    fn after_a_refusal_nobody_is_told_to_come_before_its_end() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        let permit = take(&mut table, &rules, 1, S).unwrap();
        table.settle(&rules, permit, Settlement::Refused { retry_after: Some(S * 30) }, S);
        assert_eq!(take(&mut table, &rules, 1, S), Err(S * 30), "its slot ends long before");
    }

    #[test]
    fn a_round_trip_ends_when_its_answer_came_not_when_others_asked() {
        let rules = rules(2);
        let mut table = SlotTable::new();
        let permit = take(&mut table, &rules, 1, S).unwrap();
        take(&mut table, &rules, 2, S * 2).unwrap();
        table.settle(&rules, permit, Settlement::Answered, S + ms(80));
        assert_eq!(table.trips.seen(), [ms(80)]);
    }

    #[test]
    fn time_that_goes_back_stands_still() {
        let rules = rules(1);
        let mut table = SlotTable::new();
        let permit = take(&mut table, &rules, 1, S * 10).unwrap();
        table.settle(&rules, permit, Settlement::Answered, S * 2);
        assert_eq!(take(&mut table, &rules, 1, S * 3), Err(ms(5001)));
        assert!(take(&mut table, &rules, 1, S * 15 + GUARD).is_ok());
    }

    #[test]
    fn the_snapshot_tells_what_a_newcomer_would_be_told() {
        let rules = rules(2);
        let mut table = SlotTable::new();
        let idle = Snapshot { used: 0, free: 2, next_free_in: Duration::ZERO, waiting: 0, refused: 0 };
        assert_eq!(table.snapshot(&rules, S), idle);
        assert!(table.is_idle(&rules, S));
        let first = take(&mut table, &rules, 1, S).unwrap();
        let second = take(&mut table, &rules, 1, S).unwrap();
        table.settle(&rules, first, Settlement::Answered, S * 2);
        take(&mut table, &rules, 3, S * 2).unwrap_err();
        let full = table.snapshot(&rules, S * 2);
        assert_eq!((full.used, full.free, full.waiting, full.refused), (2, 0, 1, 0));
        assert_eq!(full.next_free_in, take(&mut table.clone(), &rules, 4, S * 2).unwrap_err());
        table.settle(&rules, second, Settlement::Refused { retry_after: Some(S * 30) }, S * 2);
        let paused = table.snapshot(&rules, S * 8);
        assert_eq!((paused.used, paused.free, paused.refused), (0, 2, 1));
        assert_eq!(paused.next_free_in, S * 24);
        assert!(!table.is_idle(&rules, S * 8) && table.is_idle(&rules, S * 40));
    }

    #[test]
    fn bytes_keep_the_table_and_anything_else_is_refused() {
        let rules = rules(5);
        let mut table = SlotTable::new();
        for _ in 0..10 {
            after_answers(&mut table, &rules, 1, ms(80));
            assert_eq!(SlotTable::from_bytes(&table.to_bytes(&rules), &rules).as_ref(), Ok(&table));
        }
        let now = after_answers(&mut table, &rules, 30, ms(80));
        let permits: Vec<Permit> =
            (0..4).map(|_| take(&mut table, &rules, 1, now + S * 6).unwrap()).collect();
        for permit in permits.into_iter().skip(2) {
            table.settle(&rules, permit, Settlement::Refused { retry_after: None }, now + S * 7);
        }
        ask(&mut table, &rules, 1, CallClass::Submit, now + S * 7).unwrap_err();
        take(&mut table, &rules, 2, now + S * 7).unwrap_err();
        let bytes = table.to_bytes(&rules);
        assert_eq!(SlotTable::from_bytes(&bytes, &rules), Ok(table));

        let other = SlotRules::new(Quota::new(6, S * 5)).unwrap();
        let quota = NotATable::OtherQuota(Quota::new(5, S * 5));
        assert_eq!(SlotTable::from_bytes(&bytes, &other), Err(quota));
        for length in 0..bytes.len() {
            assert_eq!(SlotTable::from_bytes(&bytes[..length], &rules), Err(NotATable::Damaged), "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(SlotTable::from_bytes(&longer, &rules), Err(NotATable::Damaged));
        let mut newer = bytes.clone();
        newer[0] = VERSION + 1;
        assert_eq!(SlotTable::from_bytes(&newer, &rules), Err(NotATable::Damaged));
        // A length that lies must not be believed; and whatever was read must be usable.
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] = !wrong[at];
            if let Ok(mut table) = SlotTable::from_bytes(&wrong, &rules) {
                let _ = table.try_acquire(&rules, 9, CallClass::Submit, now);
                let _ = table.snapshot(&rules, now);
                table.settle(&rules, Permit(1), Settlement::InDoubt, now);
            }
        }
    }
}
