//! The file itself: whatever happens to it, too many calls are never made.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, VirtualClock};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Interrupted, Limiter, LimiterError, Permit, Settlement,
};
use activity_status_limiter_file::FileLimiter;
use rustix::fs::{FlockOperation, flock};

const S: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(5);

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    clock: Arc<VirtualClock>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("the.quota");
        let clock = Arc::new(VirtualClock::new());
        clock.sleep(S * 100).unwrap();
        Fixture { _folder: folder, path, clock }
    }

    fn try_open(&self, calls: u32) -> Result<FileLimiter, LimiterError> {
        let rules = SlotRules::new(Quota::new(calls, WINDOW)).unwrap();
        FileLimiter::open_on(&self.path, rules, self.clock.clone())
    }

    fn open(&self, calls: u32) -> FileLimiter {
        self.try_open(calls).unwrap()
    }

    fn try_take(&self, limiter: &FileLimiter) -> Result<Option<Permit>, LimiterError> {
        Ok(match limiter.try_acquire(CallClass::Poll, &*self.clock)? {
            Acquired::Granted(permit) => Some(permit),
            Acquired::RetryAfter(_) => None,
        })
    }

    fn take(&self, limiter: &FileLimiter) -> Permit {
        self.try_take(limiter).unwrap().expect("a slot is free")
    }

    fn free(&self, limiter: &FileLimiter) -> u32 {
        limiter.snapshot(&*self.clock).unwrap().unwrap().free
    }

    fn pass(&self, time: Duration) {
        self.clock.sleep(time).unwrap();
    }

    /// Somebody else has the file, a stopped process say, until this is dropped.
    fn hold(&self) -> File {
        let held = File::open(&self.path).unwrap();
        flock(&held, FlockOperation::NonBlockingLockExclusive).expect("nobody has the file");
        held
    }
}

/// What an error must say: which file, and something to do.
fn says(error: &LimiterError, path: &Path, what: &str) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains(what), "{text}");
}

/// No slot is free for anyone, whoever asks.
fn is_careful(fixture: &Fixture, limiter: Result<&FileLimiter, &LimiterError>, what: &str) {
    match limiter {
        Err(error) => says(error, &fixture.path, ""),
        Ok(limiter) => match limiter.snapshot(&*fixture.clock) {
            Err(error) => says(&error, &fixture.path, ""),
            Ok(seen) => {
                assert_eq!(seen.unwrap().free, 0, "{what}");
                assert!(fixture.try_take(limiter).unwrap().is_none(), "{what}");
            }
        },
    }
}

/// Where the two records begin; nothing else in the file is read.
const PLACES: [u64; 2] = [64, 256 << 10];
const LONGEST: usize = 600;

/// A file with all three slots used, of which an older record in it says that one is free.
fn used_up() -> (Fixture, FileLimiter, impl Fn(&Fixture)) {
    let fixture = Fixture::new();
    let limiter = fixture.open(3);
    let first = fixture.take(&limiter);
    limiter.settle(first, Settlement::Answered, &*fixture.clock).unwrap();
    fixture.take(&limiter);
    fixture.take(&limiter);
    let parts = [0, PLACES[1]].map(|at| {
        let mut bytes = vec![0; 64 + LONGEST];
        File::open(&fixture.path).unwrap().read_exact_at(&mut bytes, at).unwrap();
        (at, bytes)
    });
    let length = fs::metadata(&fixture.path).unwrap().len();
    let restore = move |fixture: &Fixture| {
        let file = File::options().write(true).open(&fixture.path).unwrap();
        file.set_len(length).unwrap();
        parts.iter().for_each(|(at, bytes)| file.write_all_at(bytes, *at).unwrap());
    };
    (fixture, limiter, restore)
}

#[test]
fn no_byte_that_changes_makes_a_slot_free() {
    let (fixture, old, restore) = used_up();
    let positions = (0..64 + LONGEST as u64).chain(PLACES[1]..PLACES[1] + LONGEST as u64);
    for at in positions {
        for flip in [0x01, 0x80, 0xff] {
            let spoil = || {
                restore(&fixture);
                let file = File::options().read(true).write(true).open(&fixture.path).unwrap();
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ flip], at).unwrap();
            };
            spoil();
            is_careful(&fixture, Ok(&old), &format!("byte {at}, a program that runs"));
            spoil();
            is_careful(&fixture, fixture.try_open(3).as_ref(), &format!("byte {at}, one that starts"));
        }
    }
}

#[test]
fn nowhere_cut_off_makes_a_slot_free() {
    let (fixture, old, restore) = used_up();
    let lengths = (1..64 + LONGEST as u64).chain(PLACES[1] - 3..PLACES[1] + LONGEST as u64);
    for length in lengths {
        for filled in [false, true] {
            let spoil = || {
                restore(&fixture);
                let file = File::options().write(true).open(&fixture.path).unwrap();
                let whole = file.metadata().unwrap().len();
                file.set_len(length).unwrap();
                // As after a power cut: the length is there, the bytes are not.
                filled.then(|| file.set_len(whole).unwrap());
            };
            spoil();
            is_careful(&fixture, Ok(&old), &format!("cut off at {length}, a program that runs"));
            spoil();
            is_careful(
                &fixture,
                fixture.try_open(3).as_ref(),
                &format!("cut off at {length}, one that starts"),
            );
        }
    }
}

#[test]
fn a_write_that_was_cut_short_holds_all_for_a_window_and_then_goes_on() {
    let fixture = Fixture::new();
    let limiter = fixture.open(3);
    limiter.leave();
    // Killed in the middle of it: of the next record some bytes are there.
    File::options().write(true).open(&fixture.path).unwrap().write_all_at(&[1; 40], PLACES[0]).unwrap();
    assert_eq!((fixture.free(&limiter), fixture.free(&fixture.open(3))), (0, 0));
    fixture.pass(WINDOW + S);
    assert_eq!((fixture.free(&limiter), fixture.free(&fixture.open(3))), (3, 3));
}

#[test]
fn what_cannot_be_read_is_named_with_what_to_do() {
    let fixture = Fixture::new();
    let refuse = |bytes: &[u8], what: &str| {
        fs::write(&fixture.path, bytes).unwrap();
        says(&fixture.try_open(3).unwrap_err(), &fixture.path, what);
        assert_eq!(fs::read(&fixture.path).unwrap(), bytes, "it was changed");
    };
    refuse(b"name,phone\nAsha,98\n", "give all programs another path");
    refuse(&[0; 5000], "delete it");
    refuse(b"activity-status quota, layout 1\n", "delete it");
    refuse(b"activity-status quota, layout 2\n and more", "one version");
    refuse(&[b"activity-status quota, layout 1\n".as_slice(), &[0; 5000]].concat(), "delete it");
    // What is there and empty was just made.
    fs::write(&fixture.path, b"").unwrap();
    assert_eq!(fixture.free(&fixture.open(3)), 3);

    let rules = SlotRules::new(Quota::default()).unwrap();
    for (path, what) in [
        ("/dev/null", "no regular file"),
        ("/", "no regular file"),
        ("/no/such/folder/here", "make its folder"),
    ] {
        says(&FileLimiter::open(path, rules).unwrap_err(), Path::new(path), what);
    }
}

#[test]
fn a_file_that_was_lost_in_use_holds_all_for_a_window() {
    /// What happens to the file.
    type Loss = fn(&Fixture);
    let losses: [(&str, Loss); 4] = [
        ("deleted", |fixture| fs::remove_file(&fixture.path).unwrap()),
        ("emptied", |fixture| drop(File::create(&fixture.path).unwrap())),
        ("replaced", |fixture| {
            fs::remove_file(&fixture.path).unwrap();
            let other = fixture.open(2);
            for _ in 0..9 {
                other.leave();
            }
        }),
        ("moved", |fixture| fs::rename(&fixture.path, fixture.path.with_extension("old")).unwrap()),
    ];
    // Often, as whether a new file's generations are above or below the old one's is chance.
    for (name, lose) in losses.repeat(16) {
        let fixture = Fixture::new();
        let (one, two) = (fixture.open(2), fixture.open(2));
        let permit = fixture.take(&one);
        one.settle(permit, Settlement::Answered, &*fixture.clock).unwrap();
        let in_flight = fixture.take(&two);
        fixture.pass(S);
        lose(&fixture);
        for limiter in [&one, &two] {
            assert_eq!(fixture.free(limiter), 0, "{name}");
            assert!(fixture.try_take(limiter).unwrap().is_none(), "{name}");
            limiter.leave();
        }
        assert_eq!(fixture.free(&fixture.open(2)), 0, "{name}: the new file knows of it");
        two.settle(in_flight, Settlement::Answered, &*fixture.clock).unwrap();
        fixture.pass(WINDOW + S);
        assert_eq!((fixture.free(&one), fixture.free(&two)), (2, 2), "{name}: and goes on");
    }
}

#[test]
fn an_older_copy_put_back_holds_all() {
    let fixture = Fixture::new();
    let limiter = fixture.open(2);
    limiter.leave();
    let copy = fs::read(&fixture.path).unwrap();
    let permit = fixture.take(&limiter);
    limiter.settle(permit, Settlement::Answered, &*fixture.clock).unwrap();
    fs::write(&fixture.path, copy).unwrap();
    assert_eq!(fixture.free(&limiter), 0);
    assert!(fixture.try_take(&limiter).unwrap().is_none());
}

#[test]
fn another_quota_is_taken_over_when_idle_and_refused_when_not() {
    let fixture = Fixture::new();
    let three = fixture.open(3);
    let permit = fixture.take(&three);
    let error = fixture.try_open(4).unwrap_err();
    says(&error, &fixture.path, "3 calls in 5s");
    says(&error, &fixture.path, "4 calls in 5s");
    three.settle(permit, Settlement::Answered, &*fixture.clock).unwrap();
    assert!(fixture.try_open(4).is_err());
    fixture.pass(WINDOW + S);
    let four = fixture.open(4);
    fixture.take(&four);
    assert_eq!(fixture.free(&four), 3);
    says(&fixture.try_take(&three).unwrap_err(), &fixture.path, "4 calls in 5s");
}

#[test]
fn a_quota_too_large_for_a_file_is_refused() {
    let fixture = Fixture::new();
    let error = fixture.try_open(10_001).unwrap_err().to_string();
    assert!(error.contains("10001 calls") && error.contains("written at each call"), "{error}");
    assert!(!fixture.path.exists());
}

#[test]
fn a_file_that_somebody_keeps_is_an_error_after_two_seconds() {
    let fixture = Fixture::new();
    let limiter = fixture.open(2);
    let permit = fixture.take(&limiter);
    let stopped = fixture.hold();
    type Question<'a> = (&'a str, &'a dyn Fn() -> Result<(), LimiterError>);
    let asked: [Question<'_>; 4] = [
        ("open", &|| fixture.try_open(2).map(drop)),
        ("acquire", &|| fixture.try_take(&limiter).map(drop)),
        ("settle", &|| limiter.settle(Permit(permit.0), Settlement::Answered, &*fixture.clock)),
        ("snapshot", &|| limiter.snapshot(&*fixture.clock).map(drop)),
    ];
    for (name, ask) in asked {
        // The one that opens by itself sleeps by the clock it was given, too.
        let before = fixture.clock.now();
        says(&ask().expect_err(name), &fixture.path, "more than 2 s");
        let took = fixture.clock.now() - before;
        assert!((S * 2..S * 2 + S / 10).contains(&took), "{name}: {took:?}");
    }
    limiter.leave();
    drop(stopped);
    assert_eq!(fixture.free(&limiter), 1, "none of these took effect");
}

/// Sees to it that nobody has the file while a clock is asked.
struct Nosy {
    path: PathBuf,
    clock: VirtualClock,
    held: Mutex<Option<File>>,
    sleeps: AtomicBool,
}

impl Nosy {
    fn check(&self) {
        let held = self.held.lock().unwrap().take();
        drop(held);
        if let Ok(file) = File::open(&self.path) {
            flock(&file, FlockOperation::NonBlockingLockExclusive)
                .expect("the file is locked while a clock is asked");
        }
    }
}

impl Clock for Nosy {
    fn now(&self) -> Duration {
        if self.held.lock().unwrap().is_none() {
            self.check();
        }
        self.clock.now()
    }
    fn wall(&self) -> Duration {
        self.clock.wall()
    }
    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        self.sleeps.store(true, Ordering::Relaxed);
        self.check();
        self.clock.sleep(duration)
    }
}

fn nosy(fixture: &Fixture) -> (Arc<Nosy>, FileLimiter) {
    let clock = Arc::new(Nosy {
        path: fixture.path.clone(),
        clock: VirtualClock::new(),
        held: Mutex::default(),
        sleeps: AtomicBool::new(false),
    });
    let rules = SlotRules::new(Quota::new(3, WINDOW)).unwrap();
    let limiter = FileLimiter::open_on(&fixture.path, rules, clock.clone()).unwrap();
    (clock, limiter)
}

#[test]
fn no_lock_is_held_while_a_clock_is_asked() {
    let fixture = Fixture::new();
    let (clock, limiter) = nosy(&fixture);
    for keep in [false, true, false] {
        // Somebody has the file until we sleep.
        let before = || *clock.held.lock().unwrap() = keep.then(|| fixture.hold());
        before();
        let Acquired::Granted(permit) = limiter.try_acquire(CallClass::Poll, &*clock).unwrap() else {
            panic!("nobody waits")
        };
        before();
        limiter.settle(permit, Settlement::NotSent, &*clock).unwrap();
        before();
        limiter.snapshot(&*clock).unwrap();
        before();
        limiter.leave();
        assert_eq!(clock.sleeps.swap(false, Ordering::Relaxed), keep);
    }
}

#[test]
fn a_wait_for_the_file_is_no_part_of_the_call() {
    let fixture = Fixture::new();
    let (clock, limiter) = nosy(&fixture);
    for _ in 0..2 {
        limiter.try_acquire(CallClass::Poll, &*clock).unwrap();
    }
    let Acquired::Granted(permit) = limiter.try_acquire(CallClass::Poll, &*clock).unwrap() else { panic!() };
    let answered_at = clock.now();
    *clock.held.lock().unwrap() = Some(fixture.hold());
    limiter.settle(permit, Settlement::Answered, &*clock).unwrap();
    let waited = clock.now() - answered_at;
    let left = limiter.snapshot(&*clock).unwrap().unwrap().next_free_in;
    assert!(!waited.is_zero() && left + waited == WINDOW + Duration::from_millis(1), "{left:?}, {waited:?}");
}

#[test]
fn an_interrupted_wait_for_the_file_ends_at_once() {
    struct Pressed(VirtualClock);
    impl Clock for Pressed {
        fn now(&self) -> Duration {
            self.0.now()
        }
        fn wall(&self) -> Duration {
            self.0.wall()
        }
        fn sleep(&self, _: Duration) -> Result<(), Interrupted> {
            Err(Interrupted)
        }
    }
    let fixture = Fixture::new();
    let limiter = fixture.open(2);
    let permit = fixture.take(&limiter);
    let clock = Pressed(VirtualClock::new());
    let _held = fixture.hold();
    // The client sleeps next, and so gets to know.
    assert!(matches!(limiter.try_acquire(CallClass::Poll, &clock), Ok(Acquired::RetryAfter(_))));
    says(&limiter.settle(permit, Settlement::Answered, &clock).unwrap_err(), &fixture.path, "interrupted");
}

#[test]
fn a_look_changes_nothing() {
    let (fixture, limiter, _) = used_up();
    let before = fs::read(&fixture.path).unwrap();
    assert_eq!(fixture.free(&limiter), 0);
    assert!(before == fs::read(&fixture.path).unwrap());
}

#[test]
fn a_program_may_change_its_folder() {
    // Only a path that is not absolute could change its meaning.
    let rules = SlotRules::new(Quota::default()).unwrap();
    let error = FileLimiter::open("no-such-folder/the.quota", rules).unwrap_err();
    says(&error, &std::env::current_dir().unwrap().join("no-such-folder/the.quota"), "make its folder");
}

/// So a child that is forked has nothing of its parent's to share.
#[cfg(target_os = "linux")]
#[test]
fn nothing_stays_open_between_calls() {
    let (fixture, limiter, _) = used_up();
    limiter.leave();
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let ours = open.filter(|one| fs::read_link(one.path()).is_ok_and(|file| file == fixture.path));
    assert_eq!(ours.count(), 0);
}
