//! One quota for all processes of a machine, kept in a file.
//!
//! ```
//! use activity_status::builtin::{Quota, SlotRules};
//! use activity_status::{Client, Credentials, Endpoint};
//! use activity_status_limiter_file::FileLimiter;
//! use std::time::Duration;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("leadsquared.quota");
//! // A caller that has died frees its slot by itself: not before the longest call that a client makes.
//! let rules = SlotRules::new(Quota::default())?.longest_call(Duration::from_secs(60));
//! let limiter = FileLimiter::open(path, rules)?;
//! let client = Client::builder(Endpoint::INDIA, Credentials::new("key")?).limiter(limiter).build()?;
//! assert_eq!(client.snapshot()?.map(|quota| quota.free), Some(25));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod layout;
#[cfg_attr(not(unix), path = "elsewhere.rs")]
mod machine;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use activity_status::builtin::{NotATable, Quota, SlotRules, SlotTable, SystemClock};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Interrupted, Limiter, LimiterError, Permit, Settlement, Snapshot,
};

use layout::{COUNT_BITS, Latest, Record, Unreadable};
use machine::Locked;

/// The limiter for all processes of one machine: a [`SlotTable`] in a file.
///
/// Give all programs that use one key the same file and the same [`SlotRules`]. The file is made if there is none, for its
/// owner and its group to read and write; to share it between users, put it into a folder of their group (`chmod g+s`).
/// It belongs on a disk of this machine, for programs that share its clock: containers with time namespaces of their own would
/// hold each other up. It holds no secret. Delete it only while no program uses it: one that does
/// notices, and waits a window, but one that starts then cannot know of the calls just made.
///
/// A process that dies in a call leaves a slot that is free again after the longest call and a window. Whatever else
/// makes the past unknown (a write that was cut short, damage, a reboot, another file in its place) holds every slot for
/// a window: calls come late then, and not too many unless one that was lost lasts longer than a window.
///
/// Any number of threads and processes may use it at once, also after a `fork`. A question takes some microseconds; while
/// another process has the file, it sleeps by the caller's clock, for 2 s at the most.
///
/// Only for Unix: elsewhere [`open`](FileLimiter::open) says so in an error.
pub struct FileLimiter {
    path: PathBuf,
    rules: SlotRules,
    /// Whose time counts, if not the machine's.
    clock: Option<Arc<dyn Clock>>,
    course: u32,
    /// The latest generation that this handle has written; 0 before the first.
    written: AtomicU64,
    threads: RandomState,
}

/// Every call writes the whole table: a larger one would cost more than the call.
const MOST_CALLS: u32 = 10_000;

/// Whoever has the file has it for some microseconds, so longer than this means that it does not go on.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// Of who gives up: nothing is lost if it cannot say so, and Ctrl-C does not end this wait.
const LEAVE_PATIENCE: Duration = Duration::from_millis(20);
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// A time that is so much before that of the last record is that of another course.
const MOMENT: Duration = Duration::from_secs(1);

impl FileLimiter {
    /// Opens the file, or makes it. Time is the machine's, which nobody can set back, whatever clock a client has.
    ///
    /// A file that keeps another quota is taken over if nobody uses it.
    ///
    /// # Errors
    /// [`LimiterError`], which names the file and says what to do: it cannot be made, read and written; it is damaged or
    /// something else; it keeps another quota; another process does not let go of it. Also for a quota of more than 10,000
    /// calls, because the whole state is written at each call.
    pub fn open(path: impl AsRef<Path>, rules: SlotRules) -> Result<Self, LimiterError> {
        FileLimiter::with(path.as_ref(), rules, None, machine::course_of_time())
    }

    /// The same by the time of this clock: a virtual one, for tests. All who share the file must share the clock.
    ///
    /// # Errors
    /// Those of [`open`](FileLimiter::open).
    pub fn open_on(
        path: impl AsRef<Path>,
        rules: SlotRules,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LimiterError> {
        FileLimiter::with(path.as_ref(), rules, Some(clock), 0)
    }

    /// The file it keeps the quota in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rules that it keeps.
    pub fn rules(&self) -> &SlotRules {
        &self.rules
    }

    fn with(
        path: &Path,
        rules: SlotRules,
        clock: Option<Arc<dyn Clock>>,
        course: u32,
    ) -> Result<Self, LimiterError> {
        let calls = rules.quota().calls();
        if calls > MOST_CALLS {
            return Err(LimiterError {
                message: format!(
                    "a quota of {calls} calls is too large for a file, whose whole state is written at each call: keep at \
                     most {MOST_CALLS} in a file, or the quota in the process or in Redis"
                ),
                source: None,
            });
        }
        // The program may change its folder later.
        let path = std::path::absolute(path).map_err(|error| no_access(path, error))?;
        let (written, threads) = (AtomicU64::new(0), RandomState::new());
        let limiter = FileLimiter { path, rules, clock, course, written, threads };
        // A device would forget what is written.
        if limiter.path.metadata().is_ok_and(|there| !there.is_file()) {
            return Err(trouble(&limiter.path, "is no regular file: give the path of one, or of none yet"));
        }
        // Writes at once, so that whatever is wrong with the file shows here.
        limiter.change(limiter.own_clock(), LOCK_PATIENCE, |_, _| ())?;
        Ok(limiter)
    }

    /// Changes the table of all. What `act` answers holds only if this succeeds.
    fn change<T>(
        &self,
        clock: &dyn Clock,
        patience: Duration,
        act: impl FnOnce(&mut SlotTable, Duration) -> T,
    ) -> Result<T, LimiterError> {
        let (file, now) = self.locked(clock, patience)?;
        let (mut table, generation) = self.find(&file, now)?;
        let answer = act(&mut table, now);
        let table = table.to_bytes(&self.rules);
        let record = Record { generation, course: self.course, written_at: now, table };
        layout::write(&file, &record).map_err(|error| no_access(&self.path, error))?;
        self.written.store(generation, Ordering::Relaxed);
        Ok(answer)
    }

    /// The file for ourselves, and the time then. No lock is held while a clock is asked or sleeps.
    fn locked(&self, clock: &dyn Clock, patience: Duration) -> Result<(Locked, Duration), LimiterError> {
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            let asked = self.clock.as_ref().map(|clock| clock.now());
            let error = match machine::lock(&self.path) {
                // The machine is asked only now: whoever had to wait in between must not bring an old time.
                Ok(file) => return Ok((file, asked.unwrap_or_else(machine::time))),
                Err(error) => error,
            };
            let may_pass = match error.kind() {
                ErrorKind::WouldBlock => true,
                // Its maker has not given it to the group yet.
                ErrorKind::PermissionDenied => self.path.metadata().is_ok_and(|there| there.len() == 0),
                _ => false,
            };
            if !may_pass || waited >= patience {
                return Err(no_access(&self.path, error));
            }
            clock.sleep(pause).map_err(|interrupted| LimiterError {
                message: format!(
                    "the wait for {}, which another process has, was interrupted",
                    self.path.display()
                ),
                source: Some(Box::new(interrupted)),
            })?;
            waited += pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The table in the file as it stands now, and the generation of what is written next.
    fn find(&self, file: &Locked, now: Duration) -> Result<(SlotTable, u64), LimiterError> {
        let written = self.written.load(Ordering::Relaxed);
        let latest = layout::read(file).map_err(|why| unreadable(&self.path, why))?;
        let (mut table, generation, is_known) = match latest {
            None => {
                let own = self.threads.hash_one((std::process::id(), now));
                (SlotTable::new(), (own << COUNT_BITS) | 1, written == 0)
            }
            Some(Latest { record, is_certain }) => {
                // If not, it was replaced by another file, or by an older state of itself.
                let is_the_same = record.generation >= written
                    && (written == 0 || record.generation >> COUNT_BITS == written >> COUNT_BITS);
                let is_of_now = record.course == self.course && now + MOMENT >= record.written_at;
                // Everyone of another course of time is dead.
                let table = if is_of_now { self.table(&record, now)? } else { SlotTable::new() };
                (table, record.generation.wrapping_add(1), is_certain && is_the_same && is_of_now)
            }
        };
        if !is_known {
            table.hold_all(&self.rules, now);
        }
        Ok((table, generation))
    }

    fn table(&self, record: &Record, now: Duration) -> Result<SlotTable, LimiterError> {
        let other = match SlotTable::from_bytes(&record.table, &self.rules) {
            Ok(table) => return Ok(table),
            Err(NotATable::OtherQuota(other)) => other,
            Err(_) => return Err(unreadable(&self.path, Unreadable::OtherLayout)),
        };
        let damaged = || unreadable(&self.path, Unreadable::Damaged);
        let rules = self.rules.with_quota(other).map_err(|_| damaged())?;
        let theirs = SlotTable::from_bytes(&record.table, &rules).map_err(|_| damaged())?;
        if theirs.is_idle(&rules, now) {
            return Ok(SlotTable::new());
        }
        let (there, here) = (in_words(other), in_words(self.rules.quota()));
        let what = format!(
            "keeps a quota of {there}, and this program has one of {here}: give all programs that share the file the same \
             quota, or come again when nobody has used it for {:?}",
            other.window()
        );
        Err(trouble(&self.path, &what))
    }

    /// The time that counts.
    fn now(&self) -> Duration {
        self.clock.as_ref().map_or_else(machine::time, |clock| clock.now())
    }

    /// For what is asked without a clock.
    fn own_clock(&self) -> &dyn Clock {
        self.clock.as_deref().unwrap_or(&SystemClock)
    }

    /// Who waits is known by its thread, also after a fork.
    fn me(&self) -> u64 {
        self.threads.hash_one((std::process::id(), std::thread::current().id()))
    }
}

impl Limiter for FileLimiter {
    fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let acquire =
            |table: &mut SlotTable, now: Duration| table.try_acquire(&self.rules, self.me(), class, now);
        match self.change(clock, LOCK_PATIENCE, acquire) {
            // Its next sleep tells the caller, by the right kind of error.
            Err(error) if error.source.as_ref().is_some_and(|source| source.is::<Interrupted>()) => {
                Ok(Acquired::RetryAfter(FIRST_PAUSE))
            }
            answer => answer,
        }
    }

    /// If that cannot be written, its place is lost a little later.
    fn leave(&self) {
        let _ = self.change(self.own_clock(), LEAVE_PATIENCE, |table, _| table.leave(self.me()));
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        // Before the wait for the file, which is no part of the round trip.
        let at = self.now();
        self.change(clock, LOCK_PATIENCE, |table, _| table.settle(&self.rules, permit, how, at))
    }

    fn longest_call(&self) -> Option<Duration> {
        Some(self.rules.lease())
    }

    fn snapshot(&self, clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
        let (file, now) = self.locked(clock, LOCK_PATIENCE)?;
        let (table, _) = self.find(&file, now)?;
        Ok(Some(table.snapshot(&self.rules, now)))
    }
}

impl fmt::Debug for FileLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLimiter")
            .field("path", &self.path)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

fn in_words(quota: Quota) -> String {
    format!("{} calls in {:?}", quota.calls(), quota.window())
}

fn trouble(path: &Path, what: &str) -> LimiterError {
    LimiterError { message: format!("the quota's file {} {what}", path.display()), source: None }
}

fn no_access(path: &Path, error: io::Error) -> LimiterError {
    let what = match error.kind() {
        ErrorKind::WouldBlock => {
            "is held by another process for more than 2 s: let it go on or end it, `fuser` tells which"
                .to_owned()
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => format!(
            "may not be read and written by this user: give it both rights to the file, and to the folder if there is no \
             file yet ({error})"
        ),
        ErrorKind::NotFound => format!("cannot be made: make its folder first ({error})"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            format!("cannot be written: make room on its disk, or raise the user's limit ({error})")
        }
        _ => format!("cannot be used: {error}"),
    };
    LimiterError { source: Some(Box::new(error)), ..trouble(path, &what) }
}

fn unreadable(path: &Path, why: Unreadable) -> LimiterError {
    let what = match why {
        Unreadable::Io(error) => return no_access(path, error),
        Unreadable::NotAQuota => {
            "is something else and was left as it is: give all programs another path; or, if it was the quota's, stop them, wait a \
             window and delete it"
        }
        Unreadable::OtherLayout => {
            "is of another version of this library: use one version in all programs, or another file"
        }
        Unreadable::Damaged => {
            "is damaged: stop the programs that use it, wait a window, delete it; it is made anew"
        }
    };
    trouble(path, what)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

    use activity_status::builtin::VirtualClock;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    struct Fixture {
        folder: tempfile::TempDir,
        clock: Arc<VirtualClock>,
    }

    impl Fixture {
        fn at(now: Duration) -> Self {
            let clock = VirtualClock::new();
            clock.sleep(now).unwrap();
            Fixture { folder: tempfile::tempdir().unwrap(), clock: Arc::new(clock) }
        }

        fn open(&self, course: u32) -> FileLimiter {
            let rules = SlotRules::new(Quota::new(3, S * 5)).unwrap();
            let path = self.folder.path().join("quota");
            FileLimiter::with(&path, rules, Some(self.clock.clone()), course).unwrap()
        }

        fn free(&self, limiter: &FileLimiter) -> u32 {
            limiter.snapshot(&*self.clock).unwrap().unwrap().free
        }

        /// The same file with the clock of another machine.
        fn moved_to(mut self, now: Duration) -> Self {
            self.clock = Fixture::at(now).clock;
            self
        }
    }

    #[test]
    fn after_a_reboot_all_calls_of_before_are_over_in_a_window() {
        for (later, course) in [(S * 2, 2), (S * 50, 2), (S * 2, 1), (S * 500, 2)] {
            let before = Fixture::at(S * 50);
            before.open(1).try_acquire(CallClass::Poll, &*before.clock).unwrap();
            let after = before.moved_to(later);
            let limiter = after.open(course);
            assert_eq!(after.free(&limiter), 0, "{later:?} {course}");
            let wait = limiter.try_acquire(CallClass::Poll, &*after.clock).unwrap();
            assert_eq!(wait, Acquired::RetryAfter(Duration::from_millis(5001)));
            limiter.leave();
            after.clock.sleep(Duration::from_millis(5001)).unwrap();
            assert_eq!(after.free(&limiter), 3, "the one in flight was dead");
        }
    }

    #[test]
    fn within_a_moment_the_time_may_differ() {
        let before = Fixture::at(S * 50);
        before.open(1).try_acquire(CallClass::Poll, &*before.clock).unwrap();
        let after = before.moved_to(S * 50 - MOMENT);
        assert_eq!(after.free(&after.open(1)), 2);
    }

    #[test]
    fn the_largest_quota_fits_with_all_its_calls_and_those_who_wait() {
        let fixture = Fixture::at(S);
        let rules = SlotRules::new(Quota::new(MOST_CALLS, S * 5)).unwrap();
        let path = fixture.folder.path().join("quota");
        let open = || FileLimiter::open_on(&path, rules, fixture.clock.clone()).unwrap();
        let limiter = open();
        let used_up = |table: &mut SlotTable, now| {
            (0..u64::from(MOST_CALLS) + 300)
                .filter(|who| {
                    matches!(table.try_acquire(&rules, *who, CallClass::Poll, now), Acquired::Granted(_))
                })
                .count()
        };
        assert_eq!(limiter.change(&*fixture.clock, LOCK_PATIENCE, used_up).unwrap(), MOST_CALLS as usize);
        assert_eq!(fixture.free(&open()), 0);
        // The first record of a file may be long, too.
        std::fs::remove_file(&path).unwrap();
        limiter.leave();
        assert_eq!(fixture.free(&open()), 0);
        fixture.clock.sleep(S * 6).unwrap();
        assert_eq!(fixture.free(&open()), MOST_CALLS);
    }

    #[test]
    fn a_forked_child_waits_by_another_name() {
        let fixture = Fixture::at(S);
        let (one, two) = (fixture.open(1), fixture.open(1));
        assert_eq!(one.me(), one.me());
        assert_ne!(one.me(), two.me());
        let child = |process: u32| one.threads.hash_one((process, std::thread::current().id()));
        assert_eq!(child(std::process::id()), one.me());
        assert_ne!(child(std::process::id() + 1), one.me());
    }

    #[test]
    fn who_gives_up_waits_no_longer_for_the_file_than_a_moment() {
        let fixture = Fixture::at(S);
        let limiter = fixture.open(1);
        let held = machine::lock(&limiter.path).unwrap();
        limiter.leave();
        let left_after = fixture.clock.now() - S;
        assert!(left_after < LEAVE_PATIENCE + LONGEST_PAUSE, "{left_after:?}");
        drop(held);
    }
}
