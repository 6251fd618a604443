use std::time::Duration;

use super::{InFlight, SlotTable, Waiter, nanos};
use crate::builtin::{Quota, SlotRules};

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
pub(super) const VERSION: u8 = 1;

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
