//! The checks for a limiter of one's own: ours pass them, and each finds the mistake that it is there for.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use activity_status::builtin::{SlotRules, Slots, VirtualClock};
use activity_status::conformance::{Failed, LimiterSubject, Time, check_limiter};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Interrupted, Limiter, LimiterError, Permit, Settlement, Snapshot,
};

const WINDOW: Duration = Duration::from_secs(5);
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// Puts slots through the checks, each handle on them made by `wrap`. Theirs is a lease for calls of `longest`.
fn check(
    longest: Duration,
    wrap: impl Fn(Arc<Shared>, usize) -> Box<dyn Limiter> + Sync,
) -> Result<(), Failed> {
    let quotas: Mutex<HashMap<u32, (Arc<Shared>, usize)>> = Mutex::default();
    let open = |number, quota| {
        let mut quotas = quotas.lock().unwrap();
        let rules = SlotRules::new(quota).unwrap().longest_call(longest);
        let (shared, handles) = quotas.entry(number).or_insert_with(|| (Arc::new(Shared::new(rules)), 0));
        *handles += 1;
        wrap(shared.clone(), *handles)
    };
    check_limiter(&LimiterSubject {
        open: &open,
        time: Time::Virtual(Arc::new(VirtualClock::new())),
        window: WINDOW,
        longest_call: LONGEST_CALL,
    })
}

/// What all handles on one quota share.
struct Shared {
    slots: Slots,
    sent: Mutex<Vec<Sent>>,
    answers: AtomicU32,
    /// Who waits and is served before the others, if one mistake is made.
    first: Mutex<HashSet<ThreadId>>,
}

/// A call: its number, when it was sent, whether it counts for longer.
type Sent = (u64, Duration, bool);

impl Shared {
    fn new(rules: SlotRules) -> Self {
        Shared {
            slots: Slots::with(rules),
            sent: Mutex::default(),
            answers: AtomicU32::new(0),
            first: Mutex::default(),
        }
    }
}

#[test]
fn slots_pass() {
    struct Plain(Arc<Shared>);
    impl Limiter for Plain {
        fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
            self.0.slots.try_acquire(class, clock)
        }
        fn leave(&self) {
            self.0.slots.leave();
        }
        fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
            self.0.slots.settle(permit, how, clock)
        }
        fn snapshot(&self, clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
            self.0.slots.snapshot(clock)
        }
    }
    check(LONGEST_CALL, |shared, _| Box::new(Plain(shared))).unwrap();
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    KeepsWhatWasNotSent,
    ForgetsDoubts,
    EndsLongCalls,
    SharesNothing,
    CountsFromSending,
    ForgetsSomeAnswers,
    SaysTooSoon,
    IsDeafToRefusals,
    GoesByTheTimeOfDay,
    RemembersTheDead,
    ServesTheFirstHandleFirst,
    ServesSubmitsFirst,
    KeepsPlaces,
    LiesAboutRefusals,
}

#[test]
fn each_mistake_is_found_by_its_check() {
    for (mistake, by) in [
        (Mistake::KeepsWhatWasNotSent, "a slot ends with its call"),
        (Mistake::ForgetsDoubts, "a slot ends with its call"),
        (Mistake::EndsLongCalls, "a slot ends with its call"),
        (Mistake::SharesNothing, "handles share one quota"),
        (Mistake::CountsFromSending, "a slot ends with its call"),
        (Mistake::ForgetsSomeAnswers, "never more than the quota in any window"),
        (Mistake::SaysTooSoon, "waiting as told is enough"),
        (Mistake::IsDeafToRefusals, "a refusal seen by one slows all"),
        (Mistake::GoesByTheTimeOfDay, "a clock that steps is harmless"),
        (Mistake::RemembersTheDead, "a holder that dies frees its slot"),
        (Mistake::ServesTheFirstHandleFirst, "no one starves"),
        (Mistake::ServesSubmitsFirst, "no class starves"),
        (Mistake::KeepsPlaces, "a place given up holds nobody back"),
        (Mistake::LiesAboutRefusals, "the snapshot is true"),
    ] {
        let longest = match mistake {
            Mistake::RemembersTheDead => LONGEST_CALL * 3,
            Mistake::EndsLongCalls => WINDOW,
            _ => LONGEST_CALL,
        };
        let found = check(longest, |shared, handle| {
            let rules = *shared.slots.rules();
            let shared = match mistake {
                Mistake::SharesNothing => Arc::new(Shared::new(rules)),
                _ => shared,
            };
            match mistake {
                Mistake::CountsFromSending => Box::new(CountsFromSending(shared)),
                _ => Box::new(Mistaken { shared, handle, mistake }),
            }
        });
        let found = found.expect_err("a mistake that no check has found");
        assert_eq!(found.check, by, "{mistake:?}: {found}");
    }
}

/// A handle on slots that makes one mistake.
struct Mistaken {
    shared: Arc<Shared>,
    handle: usize,
    mistake: Mistake,
}

impl Mistaken {
    fn ask(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let goes_first = match self.mistake {
            Mistake::ServesTheFirstHandleFirst => self.handle == 1,
            Mistake::ServesSubmitsFirst => class == CallClass::Submit,
            _ => true,
        };
        let mut first = self.shared.first.lock().unwrap();
        if !goes_first && !first.is_empty() {
            return Ok(Acquired::RetryAfter(WINDOW / 4));
        }
        let asked = self.shared.slots.try_acquire(class, clock)?;
        let me = std::thread::current().id();
        match asked {
            Acquired::RetryAfter(_) if goes_first => first.insert(me),
            _ => first.remove(&me),
        };
        Ok(asked)
    }
}

impl Limiter for Mistaken {
    fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let asked = match self.mistake {
            Mistake::GoesByTheTimeOfDay => self.ask(class, &At(clock.wall())),
            _ => self.ask(class, clock),
        }?;
        Ok(match asked {
            Acquired::RetryAfter(wait) if self.mistake == Mistake::SaysTooSoon => {
                Acquired::RetryAfter((wait / 20).max(Duration::from_millis(1)))
            }
            later => later,
        })
    }

    fn leave(&self) {
        self.shared.first.lock().unwrap().remove(&std::thread::current().id());
        if self.mistake != Mistake::KeepsPlaces {
            self.shared.slots.leave();
        }
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        let how = match (self.mistake, how) {
            (Mistake::KeepsWhatWasNotSent, Settlement::NotSent) => Settlement::Answered,
            (Mistake::ForgetsDoubts, Settlement::InDoubt) => Settlement::NotSent,
            (Mistake::ForgetsSomeAnswers, Settlement::Answered)
                if self.shared.answers.fetch_add(1, Ordering::SeqCst) % 5 == 4 =>
            {
                Settlement::NotSent
            }
            (Mistake::IsDeafToRefusals, Settlement::Refused { .. }) => Settlement::Answered,
            (_, how) => how,
        };
        match self.mistake {
            Mistake::GoesByTheTimeOfDay => self.shared.slots.settle(permit, how, &At(clock.wall())),
            _ => self.shared.slots.settle(permit, how, clock),
        }
    }

    fn snapshot(&self, clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
        let seen = self.shared.slots.snapshot(clock)?;
        let lie = self.mistake == Mistake::LiesAboutRefusals;
        Ok(seen.map(|seen| if lie { Snapshot { refused: 0, ..seen } } else { seen }))
    }
}

/// A slot of a call that is answered is free a window after its sending: right if no delay ever differs.
struct CountsFromSending(Arc<Shared>);

impl Limiter for CountsFromSending {
    fn try_acquire(&self, _: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let (now, quota) = (clock.now(), self.0.slots.rules().quota());
        let mut sent = self.0.sent.lock().unwrap();
        sent.retain(|(_, at, counts)| *counts || now <= *at + quota.window());
        if sent.len() < quota.calls() as usize {
            let number = now.as_nanos() as u64 * 1000 + sent.len() as u64;
            sent.push((number, now, true));
            return Ok(Acquired::Granted(Permit(number)));
        }
        Ok(Acquired::RetryAfter(Duration::from_millis(100)))
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        let mut sent = self.0.sent.lock().unwrap();
        if how == Settlement::NotSent {
            sent.retain(|call| call.0 != permit.0);
        }
        for call in sent.iter_mut().filter(|call| call.0 == permit.0) {
            call.2 = false;
            if how == Settlement::InDoubt {
                call.1 = clock.now();
            }
        }
        Ok(())
    }
}

/// A clock that stands.
struct At(Duration);

impl Clock for At {
    fn now(&self) -> Duration {
        self.0
    }
    fn wall(&self) -> Duration {
        self.0
    }
    fn sleep(&self, _: Duration) -> Result<(), Interrupted> {
        Ok(())
    }
}
