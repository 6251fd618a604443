use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Failed;
use crate::builtin::{Quota, SystemClock, VirtualClock};
use crate::plugin::{Acquired, CallClass, Clock, Interrupted, Limiter, Permit, Settlement};

/// A limiter to check.
pub struct LimiterSubject<'a> {
    /// Opens a handle that keeps this quota. Handles with the same number share it, as two processes or machines
    /// would; one with another number has nothing to do with them and is unused.
    pub open: &'a (dyn Fn(u32, Quota) -> Box<dyn Limiter> + Sync),
    /// Whose time the limiter goes by.
    pub time: Time,
    /// The window to check with: seconds in virtual time, a fifth of a second in real time.
    pub window: Duration,
    /// After this and a window, the slot of a caller that has died must be free.
    pub longest_call: Duration,
}

/// Whose time a limiter goes by.
#[derive(Debug, Clone)]
pub enum Time {
    /// That of the clock which it is given. Everything is then deterministic, and takes no time.
    Virtual(Arc<VirtualClock>),
    /// One of its own: a machine's or a server's.
    Real,
}

type Check = fn(&Bench<'_>) -> Result<(), String>;

/// Every check, by its name.
const CHECKS: &[(&str, Check)] = &[
    ("a slot ends with its call", settlements),
    ("handles share one quota", sharing),
    ("never more than the quota in any window", quota_is_kept),
    ("waiting as told is enough", waiting_is_enough),
    ("a refusal seen by one slows all", refusal_slows_all),
    ("a clock that steps is harmless", steps_are_harmless),
    ("a holder that dies frees its slot", the_dead_free_their_slots),
    ("no one starves", no_one_starves),
    ("no class starves", no_class_starves),
    ("a place given up holds nobody back", places_are_given_up),
    ("the snapshot is true", snapshot_is_true),
];

/// Puts a limiter through every check; stops at the first that it does not pass.
///
/// # Errors
/// [`Failed`] says which check and what the limiter did.
///
/// # Panics
/// If the limiter does.
pub fn check_limiter(subject: &LimiterSubject<'_>) -> Result<(), Failed> {
    for (number, (check, run)) in (1..).zip(CHECKS) {
        let bench = Bench { subject, check: number * 100, stores: AtomicU32::new(0) };
        run(&bench).map_err(|what| Failed { check, what })?;
    }
    Ok(())
}

/// The same calls in each check: two handles on one quota, and a judge as strict as any server.
struct Bench<'a> {
    subject: &'a LimiterSubject<'a>,
    /// The first number for its handles.
    check: u32,
    stores: AtomicU32,
}

impl Bench<'_> {
    fn clock(&self) -> Arc<dyn Clock> {
        match &self.subject.time {
            Time::Virtual(clock) => clock.clone(),
            Time::Real => Arc::new(SystemClock::new()),
        }
    }

    fn window(&self) -> Duration {
        self.subject.window
    }

    /// So many handles on one quota that nobody has used.
    fn handles<const COUNT: usize>(&self, calls: u32) -> [Box<dyn Limiter>; COUNT] {
        let store = self.check + self.stores.fetch_add(1, Ordering::Relaxed);
        std::array::from_fn(|_| (self.subject.open)(store, Quota::new(calls, self.window())))
    }

    /// Runs `work` on threads of its own, each with its number.
    fn crowd<T: Send>(&self, callers: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        match &self.subject.time {
            Time::Virtual(clock) => clock.run(callers, work),
            Time::Real => std::thread::scope(|scope| {
                let work = &work;
                let threads: Vec<_> = (0..callers).map(|caller| scope.spawn(move || work(caller))).collect();
                threads.into_iter().map(|thread| thread.join().expect("a caller panicked")).collect()
            }),
        }
    }
}

/// Asks once.
fn ask(
    limiter: &dyn Limiter,
    class: CallClass,
    clock: &dyn Clock,
) -> Result<Result<Permit, Duration>, String> {
    match limiter.try_acquire(class, clock).map_err(|e| format!("an error: {e}"))? {
        Acquired::Granted(permit) => Ok(Ok(permit)),
        Acquired::RetryAfter(wait) if wait.is_zero() => Err("it said to wait for no time at all".to_owned()),
        Acquired::RetryAfter(wait) => Ok(Err(wait)),
    }
}

/// Whoever waits as told needs no more questions than these for one permit.
const MOST_QUESTIONS: usize = 1000;

/// Waits as told until there is a permit.
fn take(limiter: &dyn Limiter, class: CallClass, clock: &dyn Clock) -> Result<Permit, String> {
    for _ in 0..MOST_QUESTIONS {
        match ask(limiter, class, clock)? {
            Ok(permit) => return Ok(permit),
            Err(wait) => sleep(clock, wait),
        }
    }
    Err(format!("{MOST_QUESTIONS} times it said to wait, and there was no permit"))
}

fn settle(limiter: &dyn Limiter, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), String> {
    limiter.settle(permit, how, clock).map_err(|e| format!("an error at a settlement: {e}"))
}

fn sleep(clock: &dyn Clock, time: Duration) {
    let _ = clock.sleep(time);
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn settlements(bench: &Bench<'_>) -> Result<(), String> {
    let (clock, window) = (bench.clock(), bench.window());
    let [limiter] = bench.handles(1);
    let permit = take(&limiter, CallClass::Poll, &*clock)?;
    // However long a call takes, short of the longest, it holds its slot.
    sleep(&*clock, (window * 3).min(bench.subject.longest_call / 2));
    if ask(&limiter, CallClass::Poll, &*clock)?.is_ok() {
        return Err("one call was in flight, of a quota of one, and another got leave".to_owned());
    }
    limiter.leave();
    settle(&limiter, permit, Settlement::NotSent, &*clock)?;
    let Ok(permit) = ask(&limiter, CallClass::Poll, &*clock)? else {
        return Err("a call that was not sent kept its slot".to_owned());
    };
    let mut permit = permit;
    for how in [Settlement::Answered, Settlement::InDoubt, Settlement::Answered] {
        sleep(&*clock, (window * 2).min(bench.subject.longest_call / 2));
        let settled_at = clock.now();
        settle(&limiter, permit, how, &*clock)?;
        permit = take(&limiter, CallClass::Poll, &*clock)?;
        let held = clock.now() - settled_at;
        // A limiter may know how long the ways there and back are at least, but not after two calls.
        if held < window {
            return Err(format!(
                "a slot was free {held:?} after its settlement, within the window of {window:?}"
            ));
        }
    }
    Ok(())
}

fn sharing(bench: &Bench<'_>) -> Result<(), String> {
    let clock = bench.clock();
    let [one, two] = bench.handles(2);
    let first = take(&one, CallClass::Poll, &*clock)?;
    let second = take(&two, CallClass::Submit, &*clock)?;
    for handle in [&one, &two] {
        if ask(handle, CallClass::Poll, &*clock)?.is_ok() {
            return Err("two handles together had more calls in flight than the quota".to_owned());
        }
        handle.leave();
    }
    settle(&one, first, Settlement::NotSent, &*clock)?;
    let Ok(third) = ask(&two, CallClass::Poll, &*clock)? else {
        return Err("a slot given back by one handle was not free for the other".to_owned());
    };
    settle(&two, third, Settlement::Answered, &*clock)?;
    settle(&two, second, Settlement::Answered, &*clock)
}

/// Calls with delays that differ, made by many through two handles: when each was judged, in order.
fn judged(
    bench: &Bench<'_>,
    clock: &dyn Clock,
    quota: u32,
    callers: usize,
    calls: usize,
) -> Result<Vec<Duration>, String> {
    let handles: [_; 2] = bench.handles(quota);
    let judged = Mutex::new(Vec::new());
    let results = bench.crowd(callers, |caller| {
        let limiter = &handles[caller % 2];
        let mut dice = Dice(caller as u64 + 1);
        for call in 0..calls {
            let class = if call % 3 == 0 { CallClass::Submit } else { CallClass::Poll };
            let permit = take(limiter, class, clock)?;
            // One call is stuck on its way, for longer than a window.
            let stuck = if call == 1 && caller == 0 { bench.window() * 2 } else { Duration::ZERO };
            sleep(clock, stuck.min(bench.subject.longest_call / 2) + dice.up_to(bench.window() / 4));
            {
                let mut judged = lock(&judged);
                judged.push(clock.now());
            }
            sleep(clock, dice.up_to(bench.window() / 4));
            settle(limiter, permit, Settlement::Answered, clock)?;
        }
        Ok(())
    });
    results.into_iter().collect::<Result<Vec<()>, String>>()?;
    let mut judged = judged.into_inner().unwrap_or_else(PoisonError::into_inner);
    judged.sort_unstable();
    Ok(judged)
}

fn within_the_quota(judged: &[Duration], quota: u32, window: Duration) -> Result<(), String> {
    for calls in judged.windows(quota as usize + 1) {
        let span = calls[quota as usize] - calls[0];
        if span <= window {
            return Err(format!("{} calls arrived within {span:?}, of {quota} in {window:?}", quota + 1));
        }
    }
    Ok(())
}

fn quota_is_kept(bench: &Bench<'_>) -> Result<(), String> {
    let clock = bench.clock();
    for (quota, callers, calls) in [(1, 3, 3), (3, 1, 12), (5, 8, 3)] {
        let judged = judged(bench, &*clock, quota, callers, calls)?;
        within_the_quota(&judged, quota, bench.window())?;
    }
    Ok(())
}

fn waiting_is_enough(bench: &Bench<'_>) -> Result<(), String> {
    let clock = bench.clock();
    let [limiter] = bench.handles(2);
    let mut questions = 0;
    for _ in 0..8 {
        let permit = loop {
            questions += 1;
            match ask(&limiter, CallClass::Poll, &*clock)? {
                Ok(permit) => break permit,
                Err(wait) if questions < 80 => sleep(&*clock, wait),
                Err(_) => {
                    return Err(
                        "80 questions, each after the wait told, were not enough for 8 calls".to_owned()
                    );
                }
            }
        };
        settle(&limiter, permit, Settlement::Answered, &*clock)?;
    }
    Ok(())
}

fn refusal_slows_all(bench: &Bench<'_>) -> Result<(), String> {
    let (clock, window) = (bench.clock(), bench.window());
    for retry_after in [None, Some(window * 2)] {
        let [one, two] = bench.handles(3);
        let permit = take(&one, CallClass::Poll, &*clock)?;
        let refused_at = clock.now();
        settle(&one, permit, Settlement::Refused { retry_after }, &*clock)?;
        let permit = take(&two, CallClass::Poll, &*clock)?;
        let paused = clock.now() - refused_at;
        let least = retry_after.unwrap_or(window / 2);
        if paused < least {
            return Err(format!(
                "{paused:?} after a refusal the other handle went on; at least {least:?} were due"
            ));
        }
        settle(&two, permit, Settlement::Answered, &*clock)?;
    }
    Ok(())
}

fn steps_are_harmless(bench: &Bench<'_>) -> Result<(), String> {
    /// Its time of day goes an hour back and an hour forth.
    struct Stepping {
        clock: Arc<dyn Clock>,
        ahead: AtomicBool,
    }
    impl Clock for Stepping {
        fn now(&self) -> Duration {
            self.clock.now()
        }
        fn wall(&self) -> Duration {
            let hour = Duration::from_secs(3600);
            let ahead = self.ahead.fetch_xor(true, Ordering::Relaxed);
            if ahead { self.clock.wall() + hour } else { self.clock.wall().saturating_sub(hour) }
        }
        fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
            self.clock.sleep(duration)
        }
    }
    let clock = Stepping { clock: bench.clock(), ahead: AtomicBool::new(false) };
    let started = clock.now();
    let judged = judged(bench, &clock, 3, 4, 3)?;
    within_the_quota(&judged, 3, bench.window())?;
    let took = clock.now() - started;
    // 12 calls of 3 a window, each held half a window more at the most, and one window before the first.
    let most = bench.window() * 12 + Duration::from_secs(10);
    if took > most { Err(format!("12 calls took {took:?}, of 3 in {:?}", bench.window())) } else { Ok(()) }
}

fn the_dead_free_their_slots(bench: &Bench<'_>) -> Result<(), String> {
    let clock = bench.clock();
    let [dead, alive] = bench.handles(2);
    for _ in 0..2 {
        take(&dead, CallClass::Submit, &*clock)?;
    }
    drop(dead);
    let died = clock.now();
    let most = bench.subject.longest_call + bench.window();
    take(&alive, CallClass::Poll, &*clock)?;
    let since = clock.now() - died;
    // A second for threads that come late.
    match since > most + Duration::from_secs(1) {
        true => Err(format!("{since:?} after its caller died a slot was free; it must be after {most:?}")),
        false => Ok(()),
    }
}

fn no_one_starves(bench: &Bench<'_>) -> Result<(), String> {
    let clock = bench.clock();
    let handles: [_; 2] = bench.handles(3);
    let callers = 8;
    let granted = AtomicU32::new(0);
    let results = bench.crowd(callers, |caller| {
        let limiter = &handles[caller % 2];
        let mut longest = 0;
        for _ in 0..6 {
            let before = granted.load(Ordering::Relaxed);
            let permit = take(limiter, CallClass::Poll, &*clock)?;
            longest = longest.max(granted.fetch_add(1, Ordering::Relaxed) - before);
            sleep(&*clock, bench.window() / 50);
            settle(limiter, permit, Settlement::Answered, &*clock)?;
        }
        Ok(longest)
    });
    let longest = results.into_iter().collect::<Result<Vec<u32>, String>>()?.into_iter().max().unwrap_or(0);
    match longest as usize > callers * 2 {
        true => Err(format!("while one of {callers} callers waited, {longest} others were served")),
        false => Ok(()),
    }
}

fn no_class_starves(bench: &Bench<'_>) -> Result<(), String> {
    let clock = bench.clock();
    // Many of the one and few of the other, and the other way round.
    for submitters in [2, 6] {
        let handles: [_; 2] = bench.handles(3);
        let (submits, questions) = (AtomicU32::new(0), AtomicU32::new(0));
        let enough = || submits.load(Ordering::Relaxed) + questions.load(Ordering::Relaxed) >= 24;
        let results = bench.crowd(8, |caller| {
            let limiter = &handles[caller % 2];
            let (class, count) = match caller < submitters {
                true => (CallClass::Submit, &submits),
                false => (CallClass::Poll, &questions),
            };
            while !enough() {
                let permit = take(limiter, class, &*clock)?;
                count.fetch_add(1, Ordering::Relaxed);
                sleep(&*clock, bench.window() / 50);
                settle(limiter, permit, Settlement::Answered, &*clock)?;
            }
            Ok(())
        });
        results.into_iter().collect::<Result<Vec<()>, String>>()?;
        let (submits, questions) = (submits.into_inner(), questions.into_inner());
        if submits.min(questions) < 3 {
            return Err(format!("{submits} submits and {questions} questions got leave, though both waited"));
        }
    }
    Ok(())
}

fn places_are_given_up(bench: &Bench<'_>) -> Result<(), String> {
    let clock = bench.clock();
    let [one, two] = bench.handles(1);
    let permit = take(&one, CallClass::Poll, &*clock)?;
    let results = bench.crowd(3, |_| {
        let told = ask(&one, CallClass::Poll, &*clock)?;
        one.leave();
        if told.is_ok() { Err("a slot in use was given a second time".to_owned()) } else { Ok(()) }
    });
    results.into_iter().collect::<Result<Vec<()>, String>>()?;
    settle(&one, permit, Settlement::NotSent, &*clock)?;
    match ask(&two, CallClass::Poll, &*clock)? {
        Ok(_) => Ok(()),
        Err(wait) => Err(format!("nobody waits any more, and a free slot is {wait:?} away")),
    }
}

fn snapshot_is_true(bench: &Bench<'_>) -> Result<(), String> {
    let clock = bench.clock();
    let [one, two] = bench.handles(2);
    let look = |limiter: &dyn Limiter| limiter.snapshot(&*clock).map_err(|e| format!("an error: {e}"));
    let first = take(&one, CallClass::Poll, &*clock)?;
    let Some(seen) = look(&two)? else { return Ok(()) };
    if seen.used + seen.free != 2 || seen.used == 0 || seen.waiting != 0 || seen.refused != 0 {
        return Err(format!("with one call in flight of a quota of two, and none refused, it says {seen:?}"));
    }
    let second = take(&two, CallClass::Poll, &*clock)?;
    let seen = look(&one)?.unwrap_or(seen);
    if seen.free != 0 || seen.next_free_in.is_zero() {
        return Err(format!("with all slots in use: {seen:?}"));
    }
    settle(&one, first, Settlement::Refused { retry_after: None }, &*clock)?;
    settle(&two, second, Settlement::NotSent, &*clock)?;
    let seen = look(&two)?.unwrap_or(seen);
    if seen.refused != 1 || seen.next_free_in.is_zero() {
        return Err(format!("after one refusal: {seen:?}"));
    }
    Ok(())
}

/// The same throws each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        most.mul_f64((mixed >> 11) as f64 / (1_u64 << 53) as f64)
    }
}
