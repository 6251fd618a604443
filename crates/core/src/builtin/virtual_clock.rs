use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::plugin::{Clock, Interrupted};

/// Time that passes only while everybody sleeps, so that a simulation of hours ends in milliseconds.
///
/// Blocking code with many threads runs deterministically on it: [`run`](VirtualClock::run) lets one thread go at a
/// time, and a thread hands over only in [`sleep`](Clock::sleep) and at its end, to whoever wakes first. It works
/// because nobody here holds a lock while calling out.
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
#[derive(Debug, Default)]
pub struct VirtualClock {
    state: Mutex<State>,
    turn: Condvar,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    /// Who waits, in the order of waking; equal moments in the order of coming.
    sleepers: BTreeSet<(Duration, u64)>,
    next_ticket: u64,
    running: Option<u64>,
}

impl VirtualClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        VirtualClock::default()
    }

    /// Runs `work` on `workers` threads under this clock, and returns what each returned, in the order of the workers.
    ///
    /// # Panics
    /// If a worker panics, when all others have ended.
    pub fn run<T: Send>(&self, workers: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let tickets: Vec<u64> = {
            let mut state = self.state();
            let now = state.now;
            (0..workers).map(|_| state.enqueue(now)).collect()
        };
        self.hand_over();
        std::thread::scope(|scope| {
            let work = &work;
            let spawn = |(worker, ticket)| {
                scope.spawn(move || {
                    // Dropped at the end of the thread, even by a panic: the others must go on.
                    let _turn = Turn { clock: self };
                    self.await_turn(ticket);
                    work(worker)
                })
            };
            let threads: Vec<_> = tickets.into_iter().enumerate().map(spawn).collect();
            threads.into_iter().map(|t| t.join().expect("a worker panicked")).collect()
        })
    }

    fn await_turn(&self, ticket: u64) {
        let state = self.state();
        let turn = self.turn.wait_while(state, |state| state.running != Some(ticket));
        drop(turn.unwrap_or_else(PoisonError::into_inner));
    }

    /// Wakes whoever is next and lets the time jump to that moment.
    fn hand_over(&self) {
        let mut state = self.state();
        let next = state.sleepers.pop_first();
        if let Some((wakes_at, _)) = next {
            state.now = state.now.max(wakes_at);
        }
        state.running = next.map(|(_, ticket)| ticket);
        self.turn.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enqueue(&mut self, wakes_at: Duration) -> u64 {
        self.next_ticket += 1;
        self.sleepers.insert((wakes_at, self.next_ticket));
        self.next_ticket
    }
}

struct Turn<'a> {
    clock: &'a VirtualClock,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.clock.hand_over();
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
        let ticket = {
            let mut state = self.state();
            let wakes_at = state.now.saturating_add(duration);
            state.enqueue(wakes_at)
        };
        self.hand_over();
        self.await_turn(ticket);
        Ok(())
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
}
