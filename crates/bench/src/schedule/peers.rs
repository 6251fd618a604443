//! What people use today: each job on a timer of its own, or one after the other. Models of the documented defaults.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use activity_status::builtin::{Frontier, Quota, RoundRobin};
use activity_status::plugin::{Eta, JobKey, Next, Observed, Schedule};
use fastrand::Rng;

/// Someone who finds out about jobs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) make: fn(Quota) -> Box<dyn Schedule>,
    /// Does it ask for the metrics once, before the first look?
    pub(crate) metrics: bool,
}

pub(crate) const OURS: &[Contender] = &[
    plain("frontier", |quota| Box::new(Frontier::new(quota))),
    plain("frontier 0.02", |quota| priced(quota, 20)),
    plain("frontier 0.1", |quota| priced(quota, 100)),
    plain("frontier 0.5", |quota| priced(quota, 500)),
    plain("frontier 2", |quota| priced(quota, 2000)),
    plain("frontier 10", |quota| priced(quota, 10_000)),
    Contender { metrics: true, ..plain("frontier, metrics", |quota| Box::new(Frontier::new(quota))) },
];

pub(crate) const PEERS: &[Contender] = &[
    plain("fixed 15 s", |_| timer(|_| 15.0, usize::MAX)),
    plain("fixed 5 s", |_| timer(|_| 5.0, usize::MAX)),
    plain("boto 15 s x 40", |_| timer(|_| 15.0, 40)),
    plain("boto 5 s x 40", |_| timer(|_| 5.0, 40)),
    plain("azure 30 s", |_| timer(|_| 30.0, usize::MAX)),
    plain("tenacity 1..60", |_| timer(|n| 2_f64.powi(n.min(6) as i32).min(60.0), usize::MAX)),
    plain("lro x 1.3", |_| timer(|n| 1.3_f64.powi(n.min(40) as i32).min(60.0), usize::MAX)),
    plain("gapic x 1.5", |_| timer(|n| (5.0 * 1.5_f64.powi(n.min(40) as i32)).min(45.0), usize::MAX)),
    plain("round robin", |_| Box::new(Turns::new(Pick::Next))),
    plain("random", |_| Box::new(Turns::new(Pick::Random(Rng::with_seed(7))))),
];

pub(crate) const PACED: &[Contender] = &[
    plain("round robin, paced", |quota| Box::new(RoundRobin::new(quota))),
    plain("oldest first, paced", |quota| {
        Box::new(Turns { gap: quota.window() / quota.calls(), ..Turns::new(Pick::Oldest) })
    }),
];

const fn plain(name: &'static str, make: fn(Quota) -> Box<dyn Schedule>) -> Contender {
    Contender { name, make, metrics: false }
}

fn priced(quota: Quota, milliseconds: u64) -> Box<dyn Schedule> {
    Box::new(Frontier::new(quota).price(Duration::from_millis(milliseconds)))
}

fn timer(pause: fn(usize) -> f64, attempts: usize) -> Box<dyn Schedule> {
    Box::new(Timers {
        pause,
        attempts,
        due: BinaryHeap::new(),
        looks: BTreeMap::new(),
        keys: 0,
        now: Duration::ZERO,
    })
}

/// Each job is asked about again some time after its last answer.
struct Timers {
    pause: fn(usize) -> f64,
    attempts: usize,
    due: BinaryHeap<Reverse<(Duration, u64)>>,
    looks: BTreeMap<u64, usize>,
    keys: u64,
    now: Duration,
}

impl Timers {
    fn put(&mut self, job: u64, from: Duration, looks: usize) {
        self.due.push(Reverse((from + Duration::from_secs_f64((self.pause)(looks)), job)));
    }
}

impl Schedule for Timers {
    fn add(&mut self, _lane: u16, submitted_at: Option<Duration>) -> JobKey {
        let job = self.keys;
        self.keys += 1;
        self.looks.insert(job, 0);
        // Who does not know when a job was submitted looks at once.
        match submitted_at {
            Some(at) => self.put(job, at, 0),
            None => self.due.push(Reverse((self.now, job))),
        }
        JobKey(job)
    }

    fn next(&mut self, now: Duration) -> Next {
        self.now = now;
        match self.due.peek() {
            Some(Reverse((due, _))) if *due > now => Next::Wait(*due - now),
            Some(Reverse((_, job))) => {
                let job = *job;
                self.due.pop();
                Next::Poll(JobKey(job))
            }
            None if self.looks.is_empty() => Next::Done,
            None => Next::Wait(Duration::from_secs(60)),
        }
    }

    fn observe(&mut self, job: JobKey, what: Observed, _sent_at: Duration, answered_at: Duration) {
        let Some(looks) = self.looks.get_mut(&job.0) else { return };
        *looks += 1;
        let looks = *looks;
        // boto gives up after so many attempts: such a job is lost.
        if what == Observed::Settled || looks >= self.attempts {
            self.looks.remove(&job.0);
        } else {
            self.put(job.0, answered_at, looks);
        }
    }

    fn len(&self) -> usize {
        self.looks.len()
    }

    fn eta(&self, _now: Duration) -> Option<Eta> {
        None
    }
}

enum Pick {
    Next,
    Random(Rng),
    Oldest,
}

/// One job after the other, as fast as the limiter lets, or with a gap.
struct Turns {
    pick: Pick,
    gap: Duration,
    sent: Duration,
    open: VecDeque<u64>,
    in_flight: usize,
    keys: u64,
}

impl Turns {
    fn new(pick: Pick) -> Self {
        Turns {
            pick,
            gap: Duration::ZERO,
            sent: Duration::ZERO,
            open: VecDeque::new(),
            in_flight: 0,
            keys: 0,
        }
    }
}

impl Schedule for Turns {
    fn add(&mut self, _lane: u16, _submitted_at: Option<Duration>) -> JobKey {
        self.open.push_back(self.keys);
        self.keys += 1;
        JobKey(self.keys - 1)
    }

    fn next(&mut self, now: Duration) -> Next {
        if self.open.is_empty() {
            return if self.in_flight == 0 { Next::Done } else { Next::Wait(Duration::from_secs(60)) };
        }
        if now < self.sent + self.gap {
            return Next::Wait(self.sent + self.gap - now);
        }
        let picked = match &mut self.pick {
            Pick::Next | Pick::Oldest => self.open.pop_front(),
            Pick::Random(rng) => {
                let place = rng.usize(..self.open.len());
                self.open.swap_remove_back(place)
            }
        };
        self.in_flight += 1;
        self.sent = now;
        picked.map_or(Next::Done, |job| Next::Poll(JobKey(job)))
    }

    fn observe(&mut self, job: JobKey, what: Observed, _sent_at: Duration, _answered_at: Duration) {
        self.in_flight -= 1;
        match (&self.pick, what) {
            (_, Observed::Settled) => {}
            (Pick::Oldest, _) => {
                let place = self.open.partition_point(|other| *other < job.0);
                self.open.insert(place, job.0);
            }
            _ => self.open.push_back(job.0),
        }
    }

    fn len(&self) -> usize {
        self.open.len() + self.in_flight
    }

    fn eta(&self, _now: Duration) -> Option<Eta> {
        None
    }
}
