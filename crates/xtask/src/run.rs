//! Runs commands one after another, keeps all that they print, and counts what passed.
#![expect(clippy::disallowed_methods, reason = "a tool tells how long its steps took")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// One run of the tests.
pub(crate) struct Run {
    passed: u64,
    failed: u64,
    steps: usize,
}

impl Run {
    pub(crate) fn start() -> Self {
        let _ = fs::remove_dir_all(logs());
        fs::create_dir_all(logs()).expect("the target folder can be written");
        Run { passed: 0, failed: 0, steps: 0 }
    }

    /// A cargo command, in the repository.
    pub(crate) fn cargo<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Step {
        Step::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments)
    }

    /// Runs one step. What it prints goes to a file, and to the terminal if it fails. The tests that it says to have
    /// run are counted; a step that says nothing of tests counts as one.
    pub(crate) fn step(&mut self, name: &str, step: Step) -> bool {
        self.steps += 1;
        let file =
            format!("{:02}-{}.log", self.steps, name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        let path = logs().join(file);
        let started = Instant::now();
        let status = logged(step.command, &path);
        let printed = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
        let (passed, failed) = counted(&printed);
        let ok = matches!(&status, Ok(status) if step.expected.contains(&status.code().unwrap_or(-1)));
        let failed = if ok { failed } else { failed.max(1) };
        let passed = if passed + failed == 0 { 1 } else { passed };
        self.passed += passed;
        self.failed += failed;
        let seconds = started.elapsed().as_secs_f64();
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        say(&format!("{verdict:6} {name}: {passed} passed, {failed} failed, {seconds:.1} s"));
        if failed > 0 {
            say(&tail(&printed, 120));
            match status {
                Ok(status) => {
                    say(&format!(
                        "------ {name} ended with {status}; all it printed is in {}",
                        path.display()
                    ));
                }
                Err(error) => say(&format!("------ {name} could not be started: {error}")),
            }
        }
        failed == 0
    }

    /// A check of our own.
    pub(crate) fn check(&mut self, name: &str, result: Result<(), String>) -> bool {
        match &result {
            Ok(()) => {
                self.passed += 1;
                say(&format!("ok     {name}"));
            }
            Err(problem) => {
                self.failed += 1;
                say(&format!("FAILED {name}: {problem}"));
            }
        }
        result.is_ok()
    }

    /// The last line, and the exit code that goes with it.
    pub(crate) fn finish(mut self) -> ExitCode {
        let leaks = leaked_keys();
        self.check("no key in anything that was printed", leaks);
        say(&format!("{} passed, {} failed", self.passed, self.failed));
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Removes a folder that only steps which are over have needed: what all of them build together is more than a small disk holds.
pub(crate) fn discard(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}

/// A line for whoever watches. A disk that is full, and cannot take it, ends steps but not the run.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Runs a command whose output goes to a file.
fn logged(mut command: Command, path: &Path) -> io::Result<ExitStatus> {
    let log = File::create(path)?;
    let also = log.try_clone()?;
    ended(command.stdin(Stdio::null()).stdout(log).stderr(also).spawn()?)
}

/// How a command ended, which it must within the time that any step of ours may take.
fn ended(mut child: Child) -> io::Result<ExitStatus> {
    let (began, mut pause) = (Instant::now(), Duration::from_millis(1));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if began.elapsed() > LONGEST {
            child.kill()?;
            return child.wait();
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

const LONGEST: Duration = Duration::from_secs(30 * 60);

/// One command with its surroundings.
pub(crate) struct Step {
    command: Command,
    expected: Vec<i32>,
}

impl Step {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        // What cargo sets for this program would make others load the library from the folder where cargo builds.
        command.current_dir(root()).env_remove("LD_LIBRARY_PATH");
        Step { command, expected: vec![0] }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn envs(mut self, pairs: &[(String, String)]) -> Self {
        self.command.envs(pairs.iter().map(|(name, value)| (name, value)));
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// The exit codes that count as success, in place of 0.
    pub(crate) fn expect(mut self, codes: &[i32]) -> Self {
        self.expected = codes.to_vec();
        self
    }

    /// The command itself, to be started in the background.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate lies two folders deep").to_owned()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where the tests build and keep what is theirs.
pub(crate) fn workshop() -> PathBuf {
    target().join("xtask")
}

fn logs() -> PathBuf {
    workshop().join("logs")
}

/// What test programs say of themselves: cargo's and pytest's closing lines, and the plain `N passed, N failed`.
fn counted(printed: &str) -> (u64, u64) {
    let before = |line: &str, word: &str| -> u64 {
        let numbers = line.split([' ', ',', ';']).filter(|part| !part.is_empty()).collect::<Vec<_>>();
        numbers.windows(2).find(|two| two[1] == word).and_then(|two| two[0].parse().ok()).unwrap_or(0)
    };
    let closing = |line: &&str| {
        let line = line.trim();
        line.starts_with("test result:")
            || line.starts_with("=")
                && (line.contains(" passed") || line.contains(" failed") || line.contains(" error"))
            || line.split(' ').count() == 4 && line.ends_with(" failed") && line.contains(" passed,")
    };
    printed.lines().filter(closing).fold((0, 0), |(passed, failed), line| {
        let errors = before(line, "errors") + before(line, "error");
        (passed + before(line, "passed"), failed + before(line, "failed") + errors)
    })
}

fn tail(printed: &str, lines: usize) -> String {
    let all: Vec<&str> = printed.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Every key that a test, an example or the README's code calls with: none may stand in what was printed.
fn leaked_keys() -> Result<(), String> {
    let keys = [
        "k3yA-XqZw7Jv9",
        "r/k3yB-LhRf4",
        "Gs+Wk6VxMtEa1",
        "k3yT-telephony",
        "s3cr3t",
        "sandbox-api-key",
        "sandbox-access-key",
        "sandbox-secret-key",
    ];
    let mut found = Vec::new();
    for entry in fs::read_dir(logs()).map_err(|e| e.to_string())?.flatten() {
        let printed = fs::read(entry.path()).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        found.extend(printed.lines().filter(|line| keys.iter().any(|key| line.contains(key))).map(|line| {
            format!("{}: a line of {} characters", entry.file_name().to_string_lossy(), line.len())
        }));
    }
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}
