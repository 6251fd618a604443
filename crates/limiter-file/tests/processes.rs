//! Real processes on one file: killed, short of room, without rights, of several users.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test, and a child that talks"
)]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, SystemClock};
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};
use activity_status_limiter_file::FileLimiter;
use rustix::time::{ClockId, clock_gettime};

/// What a child is to do, and with which file.
const STEPS: &str = "LIMITER_FILE_TEST_STEPS";
const FILE: &str = "LIMITER_FILE_TEST_FILE";
/// In front of what a child says; the rest of its output is the test harness's.
const SAYS: &str = "> ";

const CLOCK: SystemClock = SystemClock::new();

fn rules(calls: u32) -> SlotRules {
    SlotRules::new(Quota::new(calls, Duration::from_millis(100))).unwrap().strict(true)
}

/// The same, with calls that do not take long.
fn brief(calls: u32) -> SlotRules {
    rules(calls).longest_call(Duration::from_millis(400))
}

fn now() -> Duration {
    clock_gettime(ClockId::Boottime).try_into().unwrap()
}

fn take(limiter: &FileLimiter) -> Result<Permit, LimiterError> {
    loop {
        match limiter.try_acquire(CallClass::Poll, &CLOCK)? {
            Acquired::Granted(permit) => return Ok(permit),
            Acquired::RetryAfter(wait) => CLOCK.sleep(wait).unwrap(),
        }
    }
}

/// No test: what a child does, in a process of its own.
#[test]
fn child() {
    let (Ok(steps), Ok(file)) = (std::env::var(STEPS), std::env::var(FILE)) else { return };
    let (mut limiter, mut permit) = (None, None);
    for step in steps.split(' ') {
        let (step, number) = step.split_once('=').unwrap_or((step, "0"));
        let number: u32 = number.parse().unwrap();
        let done = match step {
            "open" => FileLimiter::open(&file, rules(number)).map(|opened| limiter = Some(opened)),
            "open_brief" => FileLimiter::open(&file, brief(number)).map(|opened| limiter = Some(opened)),
            "take" => take(limiter.as_ref().unwrap()).map(|granted| permit = Some(granted)),
            "settle" => {
                limiter.as_ref().unwrap().settle(permit.take().unwrap(), Settlement::Answered, &CLOCK)
            }
            "calls" => calls(limiter.as_ref().unwrap(), number),
            "pause" => {
                std::io::stdin().read_line(&mut String::new()).unwrap();
                Ok(())
            }
            _ => panic!("{step} is no step"),
        };
        let said = done.map_or_else(|error| error.to_string(), |()| "done".to_owned());
        println!("\n{SAYS}{step}: {said}");
    }
}

/// So many calls on each of three threads, and when each was judged: some time between its permit and its settlement.
fn calls(limiter: &FileLimiter, number: u32) -> Result<(), LimiterError> {
    std::thread::scope(|scope| {
        let worker = |thread: u32| {
            for call in 0..number {
                let permit = take(limiter)?;
                let way = |part: u32| {
                    CLOCK.sleep(Duration::from_millis(((call + thread) * part % 4).into())).unwrap()
                };
                way(3);
                println!("\n{SAYS}judged: {}", now().as_nanos());
                way(7);
                limiter.settle(permit, Settlement::Answered, &CLOCK)?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..3).map(|thread| scope.spawn(move || worker(thread))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())
    })
}

/// A child process, killed when it is dropped.
struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(folder: &Folder, steps: &str) -> Self {
        Process::by(Command::new(&folder.program), folder, steps)
    }

    /// After these words of the shell.
    fn in_shell(words: &str, folder: &Folder, steps: &str) -> Self {
        Process::by(Process::shell(words, folder), folder, steps)
    }

    fn shell(words: &str, folder: &Folder) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{words}; exec \"$0\" \"$@\"")]).arg(&folder.program);
        shell
    }

    fn by(mut command: Command, folder: &Folder, steps: &str) -> Self {
        command.args(["child", "--exact", "--nocapture"]).env(STEPS, steps).env(FILE, &folder.file);
        let mut child = command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?} did not start: {e}"));
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Process { child, input, output: BufReader::new(output).lines() }
    }

    /// The next thing that it says.
    fn next(&mut self) -> Option<String> {
        self.output.find_map(|line| line.unwrap().strip_prefix(SAYS).map(str::to_owned))
    }

    fn says(&mut self, what: &str) -> String {
        let said = self.next().unwrap_or_default();
        assert!(said.starts_with(what), "in place of {what}: {said}");
        said
    }

    fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that everybody can reach, with this program in it.
struct Folder {
    _whole: tempfile::TempDir,
    /// Where the file is to be.
    place: PathBuf,
    file: PathBuf,
    program: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let whole = tempfile::tempdir().unwrap();
        open_to(whole.path(), 0o755);
        let program = whole.path().join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let place = whole.path().join("place");
        fs::create_dir(&place).unwrap();
        let file = place.join("the.quota");
        Folder { _whole: whole, place, file, program }
    }

    fn open(&self, calls: u32) -> FileLimiter {
        FileLimiter::open(&self.file, rules(calls)).unwrap()
    }
}

fn open_to(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn is_root(folder: &Folder) -> bool {
    fs::metadata(&folder.place).unwrap().uid() == 0
}

const NOBODY: u32 = 65534;

#[test]
fn the_slot_of_a_process_that_was_killed_ends_by_itself() {
    let folder = Folder::new();
    let limiter = FileLimiter::open(&folder.file, brief(2)).unwrap();
    let before = now();
    let mut killed = Process::start(&folder, "open_brief=2 take pause");
    killed.says("open_brief: done");
    killed.says("take: done");
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    // The others go on with the slot that is left.
    for _ in 0..2 {
        let permit = take(&limiter).unwrap();
        limiter.settle(permit, Settlement::Answered, &CLOCK).unwrap();
    }
    let _one = take(&limiter).unwrap();
    let _two = take(&limiter).unwrap();
    let both_after = now() - before;
    assert!(both_after >= Duration::from_millis(500), "{both_after:?} after the start of its call");
}

#[test]
fn two_processes_with_three_threads_each_stay_within_the_quota() {
    let folder = Folder::new();
    let (calls, each) = (5, 12);
    let steps = format!("open={calls} pause calls={each}");
    let mut both = [Process::start(&folder, &steps), Process::start(&folder, &steps)];
    both.iter_mut().for_each(|process| {
        process.says("open: done");
        process.go_on();
    });
    let mut judged = Vec::new();
    for process in &mut both {
        process.says("pause: done");
        loop {
            let said = process.next().unwrap();
            match said.strip_prefix("judged: ") {
                Some(nanos) => judged.push(Duration::from_nanos(nanos.parse().unwrap())),
                None => break assert_eq!(said, "calls: done"),
            }
        }
    }
    assert_eq!(judged.len(), 2 * 3 * each);
    judged.sort_unstable();
    for some in judged.windows(calls as usize + 1) {
        let span = some[calls as usize] - some[0];
        assert!(span > rules(calls).quota().window(), "{} calls in {span:?}", calls + 1);
    }
}

#[test]
fn a_process_that_is_stopped_with_the_file_holds_up_nobody_for_long() {
    let folder = Folder::new();
    let limiter = folder.open(2);
    let words = format!(
        "exec flock --no-fork {} sh -c 'echo \"{SAYS}stopped: done\"; kill -STOP $$'",
        folder.file.display()
    );
    let mut stopped = Process::in_shell(&words, &folder, "");
    stopped.says("stopped: done");
    let error = limiter.try_acquire(CallClass::Poll, &CLOCK).unwrap_err().to_string();
    assert!(error.contains("the.quota") && error.contains("more than 2 s"), "{error}");
}

#[test]
fn a_file_that_cannot_be_made_for_want_of_room_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut short = Process::in_shell("trap '' XFSZ; ulimit -f 0", &folder, "open=2");
    let said = short.says("open: the quota's file");
    assert!(said.contains("the.quota cannot be written: make room"), "{said}");
    let mut short = Process::in_shell("trap '' XFSZ; ulimit -f 8", &folder, "open=2");
    short.says("open: the quota's file");
    assert_eq!(fs::metadata(&folder.file).unwrap().len(), 0);
    assert_eq!(folder.open(2).snapshot(&CLOCK).unwrap().unwrap().free, 2, "with room it is made");
}

#[test]
fn a_call_that_cannot_be_written_for_want_of_room_is_not_made() {
    let folder = Folder::new();
    let limiter = folder.open(2);
    limiter.leave();
    // The third record fits, the fourth does not.
    let mut short = Process::in_shell("trap '' XFSZ; ulimit -f 8", &folder, "open=2 take");
    short.says("open: done");
    let said = short.says("take: the quota's file");
    assert!(said.contains("the.quota cannot be written: make room"), "{said}");
    take(&limiter).expect("whoever has room goes on");
}

#[test]
fn an_answer_that_cannot_be_written_for_want_of_room_keeps_its_slot() {
    let folder = Folder::new();
    let limiter = folder.open(22);
    // 512 bytes for even records: enough for the second, not with 21 calls in flight.
    let mut short = Process::in_shell("trap '' XFSZ; ulimit -f 513", &folder, "open=22 take pause settle");
    short.says("open: done");
    short.says("take: done");
    for _ in 0..20 {
        take(&limiter).unwrap();
    }
    short.go_on();
    short.says("pause: done");
    let said = short.says("settle: the quota's file");
    assert!(said.contains("the.quota cannot be written: make room"), "{said}");
    let seen = limiter.snapshot(&CLOCK).unwrap().unwrap();
    assert!(seen.used >= 21, "{seen:?}");
}

#[test]
fn without_the_right_to_write_nothing_is_opened() {
    let folder = Folder::new();
    let start = |steps| {
        let mut command = Command::new(&folder.program);
        // For root, rights mean nothing.
        is_root(&folder).then(|| command.uid(NOBODY).gid(NOBODY));
        Process::by(command, &folder, steps)
    };
    open_to(&folder.place, 0o555);
    let said = start("open=2").says("open: the quota's file");
    assert!(said.contains("the.quota may not be read and written by this user"), "{said}");
    open_to(&folder.place, 0o755);
    folder.open(2);
    open_to(&folder.file, 0o444);
    let said = start("open=2").says("open: the quota's file");
    assert!(said.contains("the.quota may not be read and written by this user"), "{said}");
}

#[test]
fn whoever_comes_while_another_user_makes_it_waits_for_the_right() {
    let folder = Folder::new();
    fs::write(&folder.file, "").unwrap();
    open_to(&folder.file, 0);
    let mut command = Command::new(&folder.program);
    is_root(&folder).then(|| command.uid(NOBODY).gid(NOBODY));
    let mut other = Process::by(command, &folder, "open=2");
    CLOCK.sleep(Duration::from_millis(300)).unwrap();
    open_to(&folder.file, 0o666);
    other.says("open: done");
}

#[test]
fn users_of_one_group_share_it_whatever_their_umask() {
    for (first, second) in [("077", "000"), ("022", "077")] {
        let folder = Folder::new();
        let start = |umask, user, steps| {
            let mut command = Process::shell(&format!("umask {umask}"), &folder);
            match is_root(&folder) {
                true => drop(command.uid(user).gid(NOBODY)),
                false => eprintln!(
                    "NOT SHOWN: two users on one file, which takes root; one user stands in for both"
                ),
            }
            Process::by(command, &folder, steps)
        };
        if is_root(&folder) {
            chown(&folder.place, None, Some(NOBODY)).unwrap();
        }
        open_to(&folder.place, 0o770);
        let mut one = start(first, NOBODY, "open=2 take pause");
        one.says("open: done");
        one.says("take: done");
        assert_eq!(fs::metadata(&folder.file).unwrap().mode() & 0o777, 0o660);
        let mut two = start(second, NOBODY - 1, "open=2 take");
        two.says("open: done");
        two.says("take: done");
    }
}
