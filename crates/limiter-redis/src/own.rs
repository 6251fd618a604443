//! A quota of this process's own, for while the server is away.

use std::time::Duration;

use activity_status::builtin::{SlotRules, SlotTable};
use activity_status::plugin::{Acquired, CallClass, Permit, Settlement, Snapshot};

pub(crate) struct Own {
    rules: SlotRules,
    table: SlotTable,
    /// Calls that the server gave leave to, and the slots that they have here.
    carried: Vec<(u64, u64)>,
    /// The server is back: once all calls have ended, this has too.
    pub(crate) is_ending: bool,
}

/// Marks our permits. The server's are its time in nanoseconds, which has not come so far before the year 2262.
const OWN: u64 = 1 << 63;

pub(crate) fn permit(number: u64) -> Permit {
    Permit(number | OWN)
}

pub(crate) fn is_own(permit: &Permit) -> bool {
    permit.0 & OWN != 0
}

impl Own {
    /// Calls in flight keep a slot here, and the others are held for a window: they may just have been used.
    pub(crate) fn new(rules: SlotRules, in_flight: &[u64], now: Duration) -> Self {
        let mut table = SlotTable::new();
        let carry = |call: &u64| match table.try_acquire(&rules, 0, CallClass::Other, now) {
            Acquired::Granted(slot) => Some((*call, slot.0)),
            Acquired::RetryAfter(_) => None,
        };
        let carried = in_flight.iter().filter_map(carry).collect();
        table.hold_all(&rules, now);
        Own { rules, table, carried, is_ending: false }
    }

    pub(crate) fn try_acquire(&mut self, me: u64, class: CallClass, now: Duration) -> Acquired {
        match self.table.try_acquire(&self.rules, me, class, now) {
            Acquired::Granted(slot) => Acquired::Granted(permit(slot.0)),
            wait => wait,
        }
    }

    pub(crate) fn settle(&mut self, permit: &Permit, how: Settlement, now: Duration) {
        let carried = self.carried.iter().find(|(call, _)| *call == permit.0);
        let slot = carried.map_or(permit.0 & !OWN, |(_, slot)| *slot);
        self.table.settle(&self.rules, Permit(slot), how, now);
    }

    pub(crate) fn leave(&mut self, me: u64) {
        self.table.leave(me);
    }

    pub(crate) fn snapshot(&self, now: Duration) -> Snapshot {
        self.table.snapshot(&self.rules, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_status::builtin::Quota;

    #[test]
    fn its_permits_are_told_from_the_servers() {
        let (rules, now) = (SlotRules::new(Quota::default()).unwrap(), Duration::from_secs(100));
        let mut own = Own::new(rules, &[], now);
        let Acquired::Granted(permit) = own.try_acquire(1, CallClass::Poll, now * 2) else {
            panic!("it is idle")
        };
        let in_2200 = Duration::from_secs(230 * 365 * 24 * 3600).as_nanos() as u64;
        assert!(is_own(&permit) && !is_own(&Permit(in_2200)));
        own.settle(&permit, Settlement::NotSent, now * 2);
        assert_eq!(own.snapshot(now * 2).used, 0);
    }
}
