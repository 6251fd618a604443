//! One quota for many processes: two in Rust, one in C and one in Python on one file; two on one Redis; one that is killed
//! in a call. Over real sockets, with the quota that the vendor documents.
//!
//! `cargo xtask test` builds the programs and says where they are.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, SystemClock};
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter};
use activity_status_limiter_file::FileLimiter;
use activity_status_sandbox::{Book, Call, CallKind, Fault, Planned, Server, Settings};
use activity_status_tests::root;

/// How many calls in all: enough to see it, or as many as `ASTAT_TEST_CALLS` says.
fn calls() -> usize {
    std::env::var("ASTAT_TEST_CALLS").ok().and_then(|many| many.parse().ok()).unwrap_or(100)
}

fn tool(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`, which builds what this needs"))
}

/// A sandbox that keeps 25 in 5 s, and a job that it knows.
fn sandbox(settings: Settings) -> (Server, String) {
    let server = Server::start(settings, ([127, 0, 0, 1], 0)).expect("a free loopback port");
    let call = Call::post("/activity/create", r#"{"RelatedProspectId":"lead","ActivityEvent":201}"#)
        .header("x-api-key", "sandbox-api-key")
        .header("x-lsq-accesskey", "sandbox-access-key")
        .header("x-lsq-secretkey", "sandbox-secret-key");
    let id = {
        let mut sandbox = server.sandbox().lock().expect("nobody panicked");
        assert_eq!(sandbox.handle(&call, Duration::ZERO).status, 200);
        sandbox.ids().next().expect("it was taken")
    };
    (server, id)
}

/// A program that asks for the same job `count` times.
fn asking(program: &str, server: &Server, limiter: &str, id: &str, count: usize) -> Child {
    let mut command = match program {
        "Rust" => {
            let mut command = Command::new(tool("ASTAT_TEST_CLI"));
            command.args(["status", "--concurrency", "8", "--set", "max_attempts=1"]);
            command.args(std::iter::repeat_n(id, count));
            command
        }
        "C" => Command::new(tool("ASTAT_TEST_C_QUOTA")),
        _ => {
            let mut command = Command::new(tool("ASTAT_TEST_PYTHON"));
            command.arg(root().join("tests/python/quota.py"));
            command
        }
    };
    if program != "Rust" {
        command.args([&count.to_string(), "8", id]);
    }
    command
        .env("ACTIVITY_STATUS_BASE_URL", server.url())
        .env("ACTIVITY_STATUS_API_KEY", "sandbox-api-key")
        .env("ACTIVITY_STATUS_LIMITER", limiter)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs programs at the same time on one limiter, `calls()` calls in all: what the vendor saw, and in how many seconds.
fn together(programs: &[&str], limiter: &str) -> (Book, f64) {
    let (server, id) = sandbox(Settings::default());
    let clock = SystemClock::new();
    // The one call that made the job is over for the vendor, but it was no call of ours.
    clock.sleep(Duration::from_secs(5)).expect("nobody interrupts it");
    let started = clock.now();
    let each = calls() / programs.len();
    let children: Vec<Child> =
        programs.iter().map(|program| asking(program, &server, limiter, &id, each)).collect();
    for (program, mut child) in programs.iter().zip(children) {
        let ended = child.wait().expect("it ends");
        assert!(ended.success(), "{program}: {ended}");
    }
    (server.book(), (clock.now() - started).as_secs_f64())
}

fn all_answered(name: &str, (book, seconds): &(Book, f64)) -> f64 {
    let sustained = (calls() - 25) as f64 / 5.0 / seconds;
    println!(
        "{name}: {} calls in {seconds:.1} s, {} refused, {:.1} % of the quota",
        calls(),
        book.refused,
        sustained * 100.0
    );
    assert_eq!((book.refused, book.status_calls), (0, calls() as u64), "{name}");
    sustained
}

#[test]
fn four_processes_in_three_languages_share_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| format!("file:{}", folder.path().join(name).display());
    let (four, one) = (file("four"), file("one"));
    std::thread::scope(|scope| {
        let alone = scope.spawn(|| together(&["Rust"], &one));
        let four = all_answered("four processes", &together(&["Rust", "Rust", "C", "Python"], &four));
        let alone = all_answered("one alone", &alone.join().expect("it passes"));
        assert!(four >= 0.95 * alone, "{four:.3} of the quota together, {alone:.3} alone");
    });
}

#[test]
fn two_processes_share_a_redis() {
    let redis = Redis::start();
    let (server, id) = sandbox(Settings::default());
    // Of a new server nothing is known, so the first to come waits for a window; and then its call is over.
    assert!(asking("Rust", &server, &redis.url, &id, 1).wait().expect("it ends").success());
    SystemClock::new().sleep(Duration::from_secs(5)).expect("nobody interrupts it");
    std::thread::scope(|scope| {
        let alone = scope.spawn(|| together(&["Rust"], "process"));
        let two = all_answered("two on Redis", &together(&["Rust", "Python"], &redis.url));
        let alone = all_answered("one alone", &alone.join().expect("it passes"));
        assert!(two >= 0.95 * alone, "{two:.3} of the quota together, {alone:.3} alone");
    });
}

#[test]
fn a_process_that_is_killed_in_a_call_loses_no_slot_for_longer_than_the_call_and_a_window() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("quota");
    let (server, id) = sandbox(Settings::default());
    let silent = Planned { times: 5, ..Planned::on(CallKind::Status, Fault::Silence) };
    server.sandbox().lock().expect("nobody panicked").plan([silent]);
    let (longest, window) = (Duration::from_secs(4), Duration::from_secs(1));
    let mut child = Command::new(tool("ASTAT_TEST_CLI"))
        .args(["status", "--concurrency", "5", "--quota", "5/1s", "--set", "call_deadline=4s"])
        .args(["--limiter", &format!("file:{}", path.display())])
        .args(std::iter::repeat_n(&id, 5))
        .env("ACTIVITY_STATUS_BASE_URL", server.url())
        .env("ACTIVITY_STATUS_API_KEY", "sandbox-api-key")
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let clock = SystemClock::new();
    while server.book().status_calls < 5 {
        clock.sleep(Duration::from_millis(10)).expect("nobody interrupts it");
    }
    let killed = clock.now();
    child.kill().expect("it runs");
    child.wait().expect("it is dead");

    let rules = SlotRules::new(Quota::new(5, window)).expect("a quota").longest_call(longest);
    let limiter = FileLimiter::open(&path, rules).expect("it can be opened");
    let seen = limiter.snapshot(&clock).expect("it can be read").expect("it says");
    assert_eq!((seen.used, seen.free), (5, 0), "its slots are held");
    while let Acquired::RetryAfter(wait) = limiter.try_acquire(CallClass::Poll, &clock).expect("it answers") {
        clock.sleep(wait).expect("nobody interrupts it");
    }
    let lost_for = clock.now() - killed;
    println!("the slots of a killed process were free {lost_for:?} after its end");
    // A second for a machine that has other things to do.
    assert!(lost_for <= longest + window + Duration::from_secs(1), "{lost_for:?}");
}

/// A real server on a port of its own. It ends with its test, however that ends.
struct Redis {
    url: String,
    child: Child,
}

impl Redis {
    fn start() -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn()
            .expect("this test needs redis-server (apt-get install redis-server)");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            SystemClock::new().sleep(Duration::from_millis(10)).expect("nobody interrupts it");
        }
        Redis { url: format!("redis://127.0.0.1:{port}"), child }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
