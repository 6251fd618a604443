use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use crate::plugin::{Clock, Interrupted};

/// Time that passes only while everybody sleeps, so that a simulation of hours ends in milliseconds.
///
/// Blocking code with many threads runs deterministically on it: [`run`](VirtualClock::run) lets one thread go at a
/// time, and a thread hands over only in [`sleep`](Clock::sleep) and at its end, to whoever wakes first. It works
/// because nobody here holds a lock while calling out. A clone is the same clock.
///
/// ```
/// use activity_status::{builtin::VirtualClock, plugin::Clock};
/// use std::time::Duration;
///
/// let clock = VirtualClock::new();
/// let woke = clock.run(3, |worker| {
///     clock.sleep(Duration::from_secs(3600 * (3 - worker as u64))).expect("nobody interrupts it");
///     clock.now().as_secs() / 3600
/// });
/// assert_eq!(woke, [3, 2, 1]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    /// Who waits, in the order of waking; equal moments in the order of coming.
    sleepers: BTreeMap<(Duration, u64), Arc<Condvar>>,
    /// Those among them who wake when a thread ends, too.
    parked: Vec<(Duration, u64)>,
    /// A thread has ended while nobody was parked: the next one who parks looks at once.
    unseen: bool,
    next_ticket: u64,
    /// Whose turn it is, and the thread that has taken it: none yet, or a guest who does not keep it.
    running: Option<(u64, Option<ThreadId>)>,
}

impl VirtualClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        VirtualClock::default()
    }

    /// Runs `work` on `workers` threads under this clock, and returns what each returned, in the order of the workers.
    /// A thread that does not belong to a run may use the clock too: it is served in its turn, and keeps none.
    ///
    /// # Panics
    /// If a worker panics, or the machine has no thread to spare for one, when all others have ended.
    pub fn run<T: Send>(&self, workers: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let mut state = self.state();
        let nested = state.is_mine();
        let now = state.now;
        let places: Vec<_> = (0..workers).map(|_| state.enqueue(now)).collect();
        if nested || state.running.is_none() {
            state.hand_over();
        }
        drop(state);
        let results = std::thread::scope(|scope| {
            let work = &work;
            let spawn = |(worker, place): (usize, Place)| {
                let ticket = place.0;
                let thread = std::thread::Builder::new().spawn_scoped(scope, move || {
                    self.await_turn(&place, true);
                    // Dropped at the end of the thread, even by a panic: the others must go on.
                    let _turn = Turn { clock: self };
                    work(worker)
                });
                if thread.is_err() {
                    self.state().forget(now, ticket);
                }
                thread
            };
            let threads: Vec<_> = places.into_iter().enumerate().map(spawn).collect();
            threads.into_iter().map(|thread| thread.map(|it| it.join())).collect::<Vec<_>>()
        });
        if nested {
            self.take_turn(Duration::ZERO, true, false);
        }
        let results = results.into_iter().map(|thread| thread.expect("there is no thread to spare"));
        results.map(|result| result.expect("a worker panicked")).collect()
    }

    /// Waits in the queue until `pause` has passed, or, `parked`, until a thread has ended; `keep` the turn when it comes, or
    /// give it back at once.
    fn take_turn(&self, pause: Duration, keep: bool, parked: bool) {
        let mut state = self.state();
        let held = state.is_mine();
        let seen = !(parked && std::mem::take(&mut state.unseen));
        let wakes_at = state.now.saturating_add(if seen { pause } else { Duration::ZERO });
        let place = state.enqueue(wakes_at);
        if parked {
            state.parked.push((wakes_at, place.0));
        }
        if held || state.running.is_none() {
            state.hand_over();
        }
        drop(state);
        self.await_turn(&place, keep || held);
    }

    fn await_turn(&self, (ticket, wake): &Place, keep: bool) {
        let state = self.state();
        let waiting = |state: &mut State| state.running.is_none_or(|(running, _)| running != *ticket);
        let mut state = wake.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        match keep {
            true => state.running = Some((*ticket, Some(std::thread::current().id()))),
            false => state.hand_over(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the sleepers, and what wakes it.
type Place = (u64, Arc<Condvar>);

impl State {
    fn enqueue(&mut self, wakes_at: Duration) -> Place {
        self.next_ticket += 1;
        let wake = Arc::new(Condvar::new());
        self.sleepers.insert((wakes_at, self.next_ticket), wake.clone());
        (self.next_ticket, wake)
    }

    /// Wakes whoever is next and lets the time jump to that moment.
    fn hand_over(&mut self) {
        self.running = self.sleepers.pop_first().map(|((wakes_at, ticket), wake)| {
            self.now = self.now.max(wakes_at);
            self.parked.retain(|parked| *parked != (wakes_at, ticket));
            wake.notify_one();
            (ticket, None)
        });
    }

    /// Nobody comes for this place.
    fn forget(&mut self, wakes_at: Duration, ticket: u64) {
        self.sleepers.remove(&(wakes_at, ticket));
        if self.running == Some((ticket, None)) {
            self.hand_over();
        }
    }

    fn wake_parked(&mut self) {
        self.unseen |= self.parked.is_empty();
        for (wakes_at, ticket) in std::mem::take(&mut self.parked) {
            if let Some(wake) = self.sleepers.remove(&(wakes_at, ticket)) {
                self.sleepers.insert((self.now, ticket), wake);
            }
        }
    }

    /// Has the calling thread the turn?
    fn is_mine(&self) -> bool {
        self.running.is_some_and(|(_, thread)| thread == Some(std::thread::current().id()))
    }
}

struct Turn<'a> {
    clock: &'a VirtualClock,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.clock.state();
        state.wake_parked();
        state.hand_over();
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        self.state().now
    }

    /// The same as [`now`](Clock::now): virtual time begins with the epoch.
    fn wall(&self) -> Duration {
        self.now()
    }

    /// Hands over to whoever wakes first. With no other thread under the clock, the time just jumps ahead.
    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        self.take_turn(duration, false, false);
        Ok(())
    }

    /// Wakes when any thread of this clock ends: whatever that thread has done is there to be looked at.
    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        self.take_turn(duration, false, true);
        Ok(())
    }

    /// The thread begins at this moment, when the caller hands over.
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let clock = self.clone();
        let mut state = self.state();
        let now = state.now;
        let place = state.enqueue(now);
        let ticket = place.0;
        if state.running.is_none() {
            state.hand_over();
        }
        drop(state);
        let begun = std::thread::Builder::new().spawn(move || {
            clock.await_turn(&place, true);
            let _turn = Turn { clock: &clock };
            work();
        });
        if begun.is_err() {
            self.state().forget(now, ticket);
        }
        begun.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alone_the_time_jumps() {
        let clock = VirtualClock::new();
        clock.sleep(Duration::from_secs(9 * 3600)).unwrap();
        assert_eq!(clock.now(), Duration::from_secs(9 * 3600));
    }

    #[test]
    fn whoever_is_parked_wakes_when_a_thread_ends() {
        let clock = VirtualClock::new();
        let woke = clock.run(1, |_| {
            let (mut woke, other) = (Vec::new(), clock.clone());
            let work = move || other.sleep(Duration::from_secs(3)).unwrap();
            clock.spawn(Box::new(work)).unwrap();
            for _ in 0..2 {
                clock.park(Duration::from_secs(10)).unwrap();
                woke.push(clock.now().as_secs());
            }
            woke
        });
        assert_eq!(woke, [[3, 13]], "at the end of the thread, and then when its time is over");
    }

    #[test]
    fn the_same_program_has_the_same_history() {
        let history = || {
            let clock = VirtualClock::new();
            let log = Mutex::new(Vec::new());
            clock.run(8, |worker| {
                for step in 0..50_u64 {
                    let pause = (worker as u64 * 7 + step * 13) % 11;
                    clock.sleep(Duration::from_millis(pause)).unwrap();
                    log.lock().unwrap().push((clock.now(), worker));
                }
            });
            log.into_inner().unwrap()
        };
        let first = history();
        assert_eq!(first.len(), 400);
        assert!(first.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(first, history());
    }

    #[test]
    fn a_worker_that_panics_does_not_stop_the_others() {
        let clock = VirtualClock::new();
        let finished = Mutex::new(0);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            clock.run(3, |worker| {
                clock.sleep(Duration::from_secs(1)).unwrap();
                assert_ne!(worker, 0, "the first gives up");
                clock.sleep(Duration::from_secs(1)).unwrap();
                *finished.lock().unwrap() += 1;
            })
        }));
        assert!(result.is_err());
        assert_eq!(*finished.lock().unwrap(), 2);
    }

    #[test]
    fn guests_and_runs_within_runs_are_served_too() {
        let clock = VirtualClock::new();
        std::thread::scope(|scope| {
            for guest in 0..8_u64 {
                let clock = &clock;
                scope.spawn(move || (0..50).for_each(|_| clock.sleep(Duration::from_millis(guest)).unwrap()));
            }
        });
        let inner = clock.run(2, |outer| {
            clock.sleep(Duration::from_secs(outer as u64)).unwrap();
            let woke = clock.run(3, |worker| {
                clock.sleep(Duration::from_secs(worker as u64)).unwrap();
                clock.now()
            });
            clock.sleep(Duration::from_secs(1)).unwrap();
            woke.is_sorted()
        });
        assert_eq!(inner, [true, true]);
        std::thread::scope(|scope| {
            scope.spawn(|| clock.sleep(Duration::from_secs(3)).unwrap());
            clock.run(4, |_| (0..9).for_each(|_| clock.sleep(Duration::from_secs(1)).unwrap()));
        });
    }
}
