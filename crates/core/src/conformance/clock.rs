use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{TryRecvError, channel};
use std::time::Duration;

use super::Failed;
use super::server::PATIENCE;
use crate::plugin::{Clock, Interrupted};

type Check = fn(&dyn Clock) -> Result<(), String>;

/// The checks, by their names.
const CHECKS: &[(&str, Check)] = &[
    ("the time never goes back", time_goes_on),
    ("a sleep lasts as long as it was told", sleeps_last),
    ("the time of day is one", wall_is_plausible),
];

/// Those in which another thread does something.
const OF_OTHERS: &[(&str, Check)] =
    &[("work that is handed over runs", work_runs), ("whoever parks wakes", parked_wake)];

/// Puts a clock through every check; stops at the first that it does not pass.
///
/// It takes a second of the clock's time, or a minute if work does not run or wakes nobody. Nobody may interrupt the clock
/// meanwhile. Virtual time is checked from outside of a [run](crate::builtin::VirtualClock::run): it starts threads of its own.
///
/// # Errors
/// [`Failed`] says which check and what the clock did.
///
/// # Panics
/// If the clock does.
pub fn check_clock(clock: &dyn Clock) -> Result<(), Failed> {
    check_clock_alone(clock)?;
    super::run(OF_OTHERS, |check| check(clock))
}

/// The same but for work that is handed over and for waking: for a clock on which nobody waits for another thread.
///
/// # Errors
/// [`Failed`] says which check and what the clock did.
///
/// # Panics
/// If the clock does.
pub fn check_clock_alone(clock: &dyn Clock) -> Result<(), Failed> {
    super::run(CHECKS, |check| check(clock))
}

const MS: Duration = Duration::from_millis(1);

fn went_on(result: Result<(), Interrupted>) -> Result<(), String> {
    result.map_err(|Interrupted| "nobody interrupted it, and it says so".to_owned())
}

/// Runs `work` on some threads.
fn crowd(work: impl Fn() -> Result<(), String> + Sync) -> Result<(), String> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(&work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("the clock panicked"))
    })
}

fn time_goes_on(clock: &dyn Clock) -> Result<(), String> {
    // The latest that any thread has seen, in nanoseconds.
    let latest = AtomicU64::new(0);
    let look = || {
        for _ in 0..10_000 {
            let before = Duration::from_nanos(latest.load(Ordering::SeqCst));
            let now = clock.now();
            if now < before {
                return Err(format!("it was {before:?}, and then {now:?}"));
            }
            let seen = now.as_nanos().try_into();
            latest.fetch_max(seen.map_err(|_| format!("{now:?} is no time"))?, Ordering::SeqCst);
        }
        Ok(())
    };
    look()?;
    crowd(look)
}

fn sleeps_last(clock: &dyn Clock) -> Result<(), String> {
    let sleep = || {
        for told in [Duration::ZERO, Duration::from_nanos(1), MS, 7 * MS, 50 * MS] {
            let began = clock.now();
            went_on(clock.sleep(told))?;
            let slept = clock.now().saturating_sub(began);
            if slept < told {
                return Err(format!("a sleep of {told:?} was over after {slept:?}"));
            }
        }
        Ok(())
    };
    sleep()?;
    crowd(sleep)
}

fn wall_is_plausible(clock: &dyn Clock) -> Result<(), String> {
    const YEAR: Duration = Duration::from_secs(31_556_952);
    let wall = clock.wall();
    if wall > 200 * YEAR {
        return Err(format!("it is {wall:?} since 1970"));
    }
    if wall > 50 * YEAR {
        return Ok(());
    }
    // Virtual time may begin anywhere, but it passes.
    went_on(clock.sleep(50 * MS))?;
    let passed = clock.wall().saturating_sub(wall);
    if passed >= 50 * MS {
        Ok(())
    } else {
        Err(format!("it is {wall:?} since 1970, and passes by {passed:?} in 50 ms"))
    }
}

fn work_runs(clock: &dyn Clock) -> Result<(), String> {
    let (send, results) = channel();
    for work in 0..3 {
        let send = send.clone();
        let run = move || send.send(work).unwrap_or_default();
        clock.spawn(Box::new(run)).map_err(|error| format!("no thread could be started: {error}"))?;
    }
    drop(send);
    let (mut ran, started) = (Vec::new(), clock.now());
    loop {
        match results.try_recv() {
            Ok(work) => ran.push(work),
            Err(TryRecvError::Empty) if clock.now().saturating_sub(started) < MINUTE => {
                went_on(clock.sleep(MS))?;
            }
            Err(_) => break,
        }
    }
    ran.sort_unstable();
    if ran == [0, 1, 2] { Ok(()) } else { Err(format!("of three pieces of work there ran {ran:?}")) }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A park that never blocks comes back more often than this in a few milliseconds.
const MOST_PARKS: usize = 10_000;

fn parked_wake(clock: &dyn Clock) -> Result<(), String> {
    let parked_until = |is_over: &dyn Fn() -> bool, most: Duration| {
        let began = clock.now();
        for _ in 0..MOST_PARKS {
            let left = most.saturating_sub(clock.now().saturating_sub(began));
            if is_over() || left.is_zero() {
                return Ok(left);
            }
            went_on(clock.park(left))?;
        }
        Err(format!("{MOST_PARKS} times it came back in {:?}", clock.now().saturating_sub(began)))
    };
    parked_until(&|| false, 30 * MS)?;
    let (parks, parking) = channel();
    let (told, parked) = (Arc::new(AtomicBool::new(false)), std::thread::current());
    let done = told.clone();
    let work = move || {
        // Or it is over before anybody has parked; unless it runs on that very thread.
        if std::thread::current().id() != parked.id() {
            let _ = parking.recv_timeout(PATIENCE);
        }
        told.store(true, Ordering::SeqCst);
        parked.unpark();
    };
    clock.spawn(Box::new(work)).map_err(|error| format!("no thread could be started: {error}"))?;
    let is_over = || {
        let over = done.load(Ordering::SeqCst);
        parks.send(()).unwrap_or_default();
        over
    };
    match parked_until(&is_over, MINUTE)?.is_zero() {
        true => Err(format!("it parked for {MINUTE:?} and was not woken by an unpark before")),
        false => Ok(()),
    }
}
