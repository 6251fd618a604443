//! A schedule against a world, under the quota, in virtual time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use activity_status::builtin::Quota;
use activity_status::plugin::{JobKey, Next, Observed, Schedule};
use fastrand::Rng;

use super::worlds::{Net, World};

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// From each completion to the client's knowing of it, in seconds.
    pub(crate) latency: Vec<f64>,
    pub(crate) calls: u64,
    pub(crate) lost: u64,
    /// From the last completion to knowing of all.
    pub(crate) tail: f64,
}

impl Seen {
    /// Nothing yet.
    pub(crate) fn none() -> Self {
        Seen { tail: f64::NEG_INFINITY, ..Seen::default() }
    }

    pub(crate) fn add(&mut self, other: Seen) {
        self.tail = self.tail.max(other.tail);
        self.calls += other.calls;
        self.lost += other.lost;
        self.latency.extend(other.latency);
    }

    pub(crate) fn mean(&self) -> f64 {
        self.latency.iter().sum::<f64>() / self.latency.len() as f64
    }

    /// The value that this share of the latencies does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.latency.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[((sorted.len() - 1) as f64 * share).round() as usize]
    }

    pub(crate) fn calls_each(&self) -> f64 {
        self.calls as f64 / self.latency.len() as f64
    }
}

/// The world's zero on the client's clock, so that no time is before its beginning.
const ZERO: f64 = 1000.0;

fn clock(seconds: f64) -> Duration {
    Duration::from_secs_f64(ZERO + seconds)
}

/// Lost answers are given up after this time.
const TIMEOUT: f64 = 2.0;

struct Answer {
    key: JobKey,
    job: usize,
    what: Observed,
    sent: f64,
}

/// Lets the schedule find out about every job of the world. A schedule that breaks its contract ends the program.
/// `metrics` is what one call told before the first look, if it was made: jobs ahead, and their rate a second.
pub(crate) fn run(
    schedule: &mut dyn Schedule,
    world: &World,
    metrics: Option<(u64, f64)>,
    quota: Quota,
    net: Net,
    rng: &mut Rng,
) -> Seen {
    let calls_allowed = quota.calls() as usize;
    let window = quota.window().as_secs_f64();
    let mut order: Vec<usize> = (0..world.jobs.len()).collect();
    let comes = |job: usize| world.jobs[job].submitted.max(world.opens);
    order.sort_by(|a, b| comes(*a).total_cmp(&comes(*b)));
    let mut coming = order.into_iter().peekable();

    let mut seen = Seen::none();
    if let Some((ahead, per_second)) = metrics {
        schedule.hint(0, ahead, per_second, clock(world.opens));
        seen.calls += 1;
    }
    let mut job_of = HashMap::new();
    let mut in_flight = vec![false; world.jobs.len()];
    let mut answers: BinaryHeap<(Reverse<(u64, u64)>, usize)> = BinaryHeap::new();
    let mut letters: Vec<Option<Answer>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut sent: VecDeque<f64> = VecDeque::new();
    let mut now = world.opens;
    let last = world.jobs.iter().map(|job| job.done).fold(0.0, f64::max);
    loop {
        while let Some(job) = coming.next_if(|job| comes(*job) <= now) {
            let submitted = world.jobs[job].submitted;
            let known = (world.opens == 0.0).then(|| clock(submitted));
            let key = schedule.add(world.jobs[job].lane, known);
            job_of.insert(key, job);
        }
        while let Some((Reverse((at, _)), _)) = answers.peek() {
            if f64::from_bits(*at) > now {
                break;
            }
            let Some((Reverse((at, _)), letter)) = answers.pop() else { break };
            let Some(Answer { key, job, what, sent }) = letters[letter].take() else { break };
            free.push(letter);
            let at = f64::from_bits(at);
            in_flight[job] = false;
            schedule.observe(key, what, clock(sent), clock(at));
            if what == Observed::Settled {
                seen.latency.push(at - world.jobs[job].done.max(world.opens));
                seen.tail = seen.tail.max(at - last);
                job_of.remove(&key);
            }
        }
        let mut wake = f64::INFINITY;
        while sent.front().is_some_and(|at| at + window <= now) {
            sent.pop_front();
        }
        if sent.len() < calls_allowed {
            match schedule.next(clock(now)) {
                Next::Poll(key) => {
                    let job = job_of[&key];
                    assert!(!in_flight[job], "two looks at job {job} in flight at {now} s");
                    in_flight[job] = true;
                    sent.push_back(now);
                    seen.calls += 1;
                    let mut way = || (net.trip + net.jitter * rng.f64()) / 2.0;
                    let judged = now + way();
                    let (mut answered, chance) = (judged + way(), rng.f64());
                    let what = match chance {
                        c if c < net.lost => Observed::Failed,
                        c if c < net.lost + net.refused => Observed::Refused,
                        _ if world.jobs[job].done <= judged => Observed::Settled,
                        _ => Observed::Pending,
                    };
                    if what == Observed::Failed {
                        answered = now + TIMEOUT;
                    }
                    let answer = Some(Answer { key, job, what, sent: now });
                    let letter = free.pop().unwrap_or(letters.len());
                    match letters.get_mut(letter) {
                        Some(place) => *place = answer,
                        None => letters.push(answer),
                    }
                    answers.push((Reverse((answered.to_bits(), seen.calls)), letter));
                    continue;
                }
                Next::Wait(wait) => {
                    assert!(!wait.is_zero(), "asked to wait for nothing at {now} s");
                    assert!(!schedule.is_empty() || answers.is_empty(), "waits for nobody at {now} s");
                    wake = now + wait.as_secs_f64();
                }
                Next::Done if answers.is_empty() && coming.peek().is_none() => break,
                Next::Done => {}
            }
        } else if let Some(at) = sent.front() {
            wake = at + window;
        }
        if let Some((Reverse((at, _)), _)) = answers.peek() {
            wake = wake.min(f64::from_bits(*at));
        }
        if let Some(job) = coming.peek() {
            wake = wake.min(comes(*job));
        }
        // Durations are whole nanoseconds: a wake-up may round to a moment before the time that is meant.
        now = wake.max(now + 1e-9);
    }
    seen.lost = job_of.len() as u64;
    seen
}

/// Who knows every completion and is bound by the quota alone: jobs in the order of completion, each asked about so that
/// the question comes just in time.
pub(crate) fn oracle(world: &World, quota: Quota, net: Net) -> Seen {
    let mut done: Vec<f64> = world.jobs.iter().map(|job| job.done.max(world.opens)).collect();
    done.sort_by(f64::total_cmp);
    let half = net.trip / 2.0;
    let calls = quota.calls() as usize;
    let mut sends: Vec<f64> = Vec::with_capacity(done.len());
    for (k, done) in done.iter().enumerate() {
        let earliest = match k.checked_sub(calls) {
            Some(before) => sends[before] + quota.window().as_secs_f64(),
            None => world.opens,
        };
        sends.push((done - half).max(earliest));
    }
    let latency = sends.iter().zip(&done).map(|(send, done)| send + net.trip - done).collect();
    Seen { latency, calls: done.len() as u64, tail: net.trip, ..Seen::default() }
}
