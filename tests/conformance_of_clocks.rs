//! The checks for a clock of one's own: ours pass them, and each finds the mistake that it is there for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use activity_status::builtin::{SystemClock, VirtualClock};
use activity_status::conformance::check_clock;
use activity_status::plugin::{Clock, Interrupted};

#[test]
fn our_clocks_pass() {
    check_clock(&SystemClock::new()).unwrap();
    check_clock(&VirtualClock::new()).unwrap();
}

#[test]
fn each_mistake_of_a_clock_is_found_by_its_check() {
    let back = "the time never goes back";
    let [sleep, day] = ["a sleep lasts as long as it was told", "the time of day is one"];
    let [work, park] = ["work that is handed over runs", "whoever parks wakes"];
    for (mistake, by) in [
        ("its time goes back", back),
        ("threads have times of their own", back),
        ("it sleeps too short", sleep),
        ("it tells milliseconds for nanoseconds", sleep),
        ("it sleeps alone", sleep),
        ("it is interrupted", sleep),
        ("its day counts in seconds", day),
        ("its day is far away", day),
        ("it drops work", work),
        ("it keeps work", work),
        ("it parks for no time", park),
        ("it cannot be unparked", park),
    ] {
        let clock = MistakenClock { clock: VirtualClock::new(), mistake, asked: AtomicU32::new(0) };
        let found = check_clock(&clock).expect_err(mistake);
        assert_eq!(found.check, by, "{mistake}: {found}");
    }
}

struct MistakenClock {
    clock: VirtualClock,
    mistake: &'static str,
    asked: AtomicU32,
}

impl MistakenClock {
    fn asked(&self) -> u32 {
        self.asked.fetch_add(1, Ordering::SeqCst)
    }
}

impl Clock for MistakenClock {
    fn now(&self) -> Duration {
        let now = self.clock.now();
        match self.mistake {
            "its time goes back" => {
                now + Duration::from_secs(1) - Duration::from_nanos((self.asked() / 100).into())
            }
            "it tells milliseconds for nanoseconds" => Duration::from_nanos(now.as_millis() as u64),
            "threads have times of their own" => {
                thread_local!(static READ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
                Duration::from_nanos(READ.replace(READ.get() + 1))
            }
            _ => now,
        }
    }

    fn wall(&self) -> Duration {
        let wall = self.clock.wall();
        match self.mistake {
            "its day counts in seconds" => Duration::from_nanos(1_700_000_000 + wall.as_secs()),
            "its day is far away" => Duration::from_secs(1_700_000_000_000),
            _ => wall,
        }
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        match self.mistake {
            "it sleeps too short" => self.clock.sleep(duration * 9 / 10),
            "it is interrupted" if self.asked() > 7 => Err(Interrupted),
            // Whoever sleeps besides another one wakes with it.
            "it sleeps alone" if self.asked() > 5 => Ok(()),
            _ => self.clock.sleep(duration),
        }
    }

    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        match self.mistake {
            "it parks for no time" => Ok(()),
            "it cannot be unparked" => self.clock.sleep(duration),
            _ => self.clock.park(duration),
        }
    }

    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        match self.mistake {
            "it drops work" => {}
            "it keeps work" => std::mem::forget(work),
            _ => return self.clock.spawn(work),
        }
        Ok(())
    }
}
