use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use activity_status::builtin::{Quota, SystemClock};
use activity_status::plugin::Clock;
use activity_status::{Client, ClientBuilder, Credentials, Endpoint, Error, Operation, RequestId};
use activity_status_sandbox::{Book, Canned, Quota as Kept, Server, Settings, Window};

use crate::Failure;
use crate::contenders::{Contender, Runs};
use crate::table::Row;

/// How long calls and answers are under way: each drawn evenly between these milliseconds.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    pub(crate) delay_ms: (u64, u64),
    /// The most that any rule without refusals can sustain on a sliding window, in percent of the quota: reckoned in
    /// virtual time for 250 calls of 8 callers.
    pub(crate) ceiling: f64,
    /// What ours must sustain on a sliding window.
    pub(crate) goal: f64,
}

pub(crate) const PROFILES: &[Profile] = &[
    Profile { name: "LAN", delay_ms: (0, 0), ceiling: 100.0, goal: 99.9 },
    Profile { name: "steady", delay_ms: (40, 40), ceiling: 99.5, goal: 99.3 },
    Profile { name: "jitter", delay_ms: (10, 150), ceiling: 95.8, goal: 95.0 },
    Profile { name: "bad", delay_ms: (0, 600), ceiling: 84.5, goal: 83.5 },
];

/// A kind of window that the server may keep.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    window: Window,
}

pub(crate) const SLIDING: &str = "sliding";

pub(crate) const WINDOWS: &[Kind] = &[
    Kind { name: SLIDING, window: Window::Sliding },
    // Windows do not begin with the first call.
    Kind { name: "fixed", window: Window::Fixed { phase: Duration::from_millis(2500) } },
    Kind { name: "token bucket", window: Window::TokenBucket },
];

/// One contender against one server.
pub(crate) struct Cell {
    pub(crate) window: &'static Kind,
    pub(crate) profile: &'static Profile,
    pub(crate) contender: &'static Contender,
}

/// What each contender has to do.
pub(crate) struct Course {
    pub(crate) ids: usize,
    pub(crate) threads: usize,
    pub(crate) quota: Quota,
}

impl Course {
    pub(crate) const FULL: Course =
        Course { ids: 250, threads: 8, quota: Quota::new(25, Duration::from_secs(5)) };
}

/// Runs these cells at the same time. Each has a server and a client of its own; they begin a little after one another, so
/// that their bursts do not meet.
pub(crate) fn run_all(cells: &[Cell], course: &Course) -> Result<Vec<Row>, Failure> {
    let apart = course.quota.window() / cells.len().max(1) as u32;
    thread::scope(|scope| {
        let runs: Vec<_> = (0..)
            .zip(cells)
            .map(|(place, cell)| {
                scope.spawn(move || {
                    SystemClock::new().sleep(apart * place)?;
                    run(cell, course)
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().map_err(|_| "a run panicked")?).collect()
    })
}

/// The server's book is looked at so often; what is timed by it is right to so much.
const LOOK: Duration = Duration::from_millis(2);

fn run(cell: &Cell, course: &Course) -> Result<Row, Failure> {
    let ids: Vec<String> = (0..course.ids).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    let server = Server::start(settings(cell, course, &ids), ([127, 0, 0, 1], 0))?;
    let clock = SystemClock::new();
    let mut seen = Seen::default();
    let started = clock.now();
    let lost = thread::scope(|scope| {
        let callers = scope.spawn(|| match cell.contender.runs {
            Runs::Here(join) => ask_here(&server, course, &ids, join),
            Runs::InPython => ask_in_python(&server, course, &ids[0]),
        });
        while !callers.is_finished() {
            seen.look(&server.book(), clock.now());
            clock.sleep(LOOK)?;
        }
        callers.join().map_err(|_| "the callers panicked")?
    })?;
    let wall = clock.now() - started;
    seen.look(&server.book(), clock.now());
    Ok(Row {
        window: cell.window.name.to_owned(),
        profile: cell.profile.name.to_owned(),
        contender: cell.contender.name.to_owned(),
        wall_s: wall.as_secs_f64(),
        refused: server.book().refused,
        lost,
        sustained: sustained(seen.accepted, seen.last - seen.first, course.quota),
    })
}

/// Asks once for each id, and answers how many questions had no answer.
fn ask_here(
    server: &Server,
    course: &Course,
    ids: &[String],
    join: fn(ClientBuilder, Quota) -> Result<ClientBuilder, Error>,
) -> Result<u64, Failure> {
    let client =
        Client::builder(Endpoint::url(&server.url())?, Credentials::new(&Settings::default().api_key)?);
    let client = join(client, course.quota)?.build()?;
    let ids = ids.iter().map(|id| RequestId::new(id)).collect::<Result<Vec<_>, _>>()?;
    let (next, lost) = (AtomicUsize::new(0), AtomicU64::new(0));
    let ask = || {
        while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = client.status(&Operation::ACTIVITY_CREATE, id);
            lost.fetch_add(answer.is_err().into(), Ordering::Relaxed);
        }
    };
    thread::scope(|scope| (0..course.threads).for_each(|_| drop(scope.spawn(ask))));
    Ok(lost.into_inner())
}

/// The environment variable that names a Python which has the module.
pub(crate) const PYTHON: &str = "ACTIVITY_STATUS_BENCH_PYTHON";

/// The same from a program of the tests, as often for one id. It keeps the default quota, that of the full course.
fn ask_in_python(server: &Server, course: &Course, id: &str) -> Result<u64, Failure> {
    let python = std::env::var(PYTHON).map_err(|_| format!("{PYTHON} is not set"))?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/quota.py");
    let output = Command::new(python)
        .args([script, &course.ids.to_string(), &course.threads.to_string(), id])
        .env("ACTIVITY_STATUS_BASE_URL", server.url())
        .env("ACTIVITY_STATUS_API_KEY", Settings::default().api_key)
        .stderr(Stdio::inherit())
        .output()?;
    let printed = String::from_utf8(output.stdout)?;
    let failed = printed.lines().find_map(|line| line.strip_prefix("failed "));
    Ok(failed.ok_or("the Python program did not come to its end")?.parse()?)
}

fn settings(cell: &Cell, course: &Course, ids: &[String]) -> Settings {
    let (least, most) = cell.profile.delay_ms;
    let delay = (Duration::from_millis(least), Duration::from_millis(most));
    let answer = |id: &String| {
        Canned {
        http_status: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        body: format!(
            r#"{{"RequestId":"{id}","TaskStatus":{{"TaskType":"Activity","Status":"Success","StatusReason":"Done"}}}}"#
        )
        .into(),
    }
    };
    Settings {
        latency_in: delay,
        latency_out: delay,
        quota: Kept {
            calls: course.quota.calls(),
            window: course.quota.window(),
            kind: cell.window.window,
            ..Kept::default()
        },
        answers: ids.iter().map(|id| (id.clone(), answer(id))).collect(),
        ..Settings::default()
    }
}

/// What the server's book showed: how many calls were let through, and when the first and the last of them.
#[derive(Default)]
struct Seen {
    accepted: u64,
    first: Duration,
    last: Duration,
}

impl Seen {
    fn look(&mut self, book: &Book, now: Duration) {
        let accepted = book.calls() - book.refused;
        if accepted > self.accepted {
            self.first = if self.accepted == 0 { now } else { self.first };
            (self.accepted, self.last) = (accepted, now);
        }
    }
}

/// Of the calls that the quota lets through after its first burst, so many percent were made: A calls over a time T are
/// (A - N) W / (N T).
fn sustained(accepted: u64, over: Duration, quota: Quota) -> f64 {
    let burst = f64::from(quota.calls());
    let windows = over.as_secs_f64() / quota.window().as_secs_f64();
    if windows > 0.0 { 100.0 * (accepted as f64 - burst) / (burst * windows) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contenders::CONTENDERS;

    #[test]
    fn sustained_is_the_share_of_the_quota_after_the_first_burst() {
        let quota = Quota::new(25, Duration::from_secs(5));
        assert_eq!(sustained(250, Duration::from_secs(45), quota), 100.0);
        assert_eq!(sustained(250, Duration::from_secs(90), quota), 50.0);
        assert_eq!(sustained(25, Duration::from_secs(9), quota), 0.0);
        assert_eq!(sustained(0, Duration::ZERO, quota), 0.0);
    }

    #[test]
    fn time_runs_from_the_first_call_let_through_to_the_last() {
        let mut seen = Seen::default();
        for (second, calls, refused) in [(1, 0, 0), (2, 1, 1), (3, 6, 2), (4, 9, 2), (5, 9, 2), (6, 12, 5)] {
            let mut book = Book::default();
            (book.status_calls, book.refused) = (calls, refused);
            seen.look(&book, Duration::from_secs(second));
        }
        assert_eq!(
            (seen.accepted, seen.first, seen.last),
            (7, Duration::from_secs(3), Duration::from_secs(4))
        );
    }

    /// Over sockets, in a fraction of a second.
    #[test]
    fn every_contender_asks_for_every_id_and_ours_has_none_refused() {
        let course = Course { ids: 15, threads: 3, quota: Quota::new(5, Duration::from_millis(100)) };
        let cell = |contender| Cell { window: &WINDOWS[0], profile: &PROFILES[0], contender };
        let here = || CONTENDERS.iter().filter(|contender| matches!(contender.runs, Runs::Here(_)));
        let cells: Vec<Cell> = here().map(cell).collect();
        let rows = run_all(&cells, &course).unwrap();
        for (row, contender) in rows.iter().zip(here()) {
            assert_eq!((&*row.window, &*row.profile, &*row.contender), ("sliding", "LAN", contender.name));
            assert_eq!(row.lost, 0, "{row:?}");
            assert!(row.sustained > 0.0 && row.wall_s > 0.0, "{row:?}");
        }
        assert_eq!(rows[1].refused, 0, "strict: none, whatever the delays");
    }

    #[test]
    fn what_the_server_refuses_is_counted() {
        let open = Contender {
            name: "none",
            what: "no limiter that matters",
            runs: Runs::Here(|client, quota| Ok(client.quota(Quota::new(quota.calls() * 4, quota.window())))),
        };
        let course = Course { ids: 8, threads: 8, quota: Quota::new(4, Duration::from_secs(1)) };
        let cell = Cell { window: &WINDOWS[0], profile: &PROFILES[0], contender: Box::leak(Box::new(open)) };
        let rows = run_all(&[cell], &course).unwrap();
        assert!(rows[0].refused > 0, "{rows:?}");
        assert_eq!(rows[0].lost, 0, "what was refused is asked again");
    }
}
