//! Time and memory with a million jobs.

use std::time::Duration;

use activity_status::builtin::{Frontier, Quota, SystemClock};
use activity_status::plugin::{Clock, JobKey, Next, Observed, Schedule};

pub(crate) struct Size {
    /// Microseconds for `next` and `observe` together, if every job is in the order of submission, and if none is.
    pub(crate) in_order: f64,
    pub(crate) all_late: f64,
    /// Bytes a job when nearly all are late. `None` where the system does not tell.
    pub(crate) bytes: Option<f64>,
}

const JOBS: u64 = 1_000_000;

pub(crate) fn measure() -> Size {
    let before = resident();
    let (all_late, schedule) =
        decisions(|job| job.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61 == 0, 2 * JOBS);
    let bytes = before.and_then(|before| Some((resident()? - before) / JOBS as f64));
    drop(schedule);
    let (in_order, _) = decisions(|_| true, JOBS);
    Size { in_order, all_late, bytes }
}

/// So many decisions about a million jobs: how long each takes.
fn decisions(is_done: fn(JobKey) -> bool, decisions: u64) -> (f64, Frontier) {
    let clock = SystemClock::new();
    let mut schedule = Frontier::new(Quota::default());
    let mut now = Duration::from_secs(1000);
    for _ in 0..JOBS {
        schedule.add(0, Some(now));
    }
    let began = clock.now();
    let mut made = 0;
    while made < decisions {
        match schedule.next(now) {
            Next::Poll(job) => {
                let what = if is_done(job) { Observed::Settled } else { Observed::Pending };
                now += Duration::from_millis(80);
                schedule.observe(job, what, now, now);
            }
            Next::Wait(wait) => now += wait,
            Next::Done => break,
        }
        made += 1;
    }
    ((clock.now() - began).as_secs_f64() * 1e6 / made as f64, schedule)
}

/// The memory that this process holds, in bytes.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0)
}
