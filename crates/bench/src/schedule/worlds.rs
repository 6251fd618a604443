//! Queues of a vendor that nobody has measured: when each job is done, and in which order its id was given.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use fastrand::Rng;

/// A job as the world knows it. Times are seconds since the world began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Job {
    pub(crate) submitted: f64,
    pub(crate) done: f64,
    pub(crate) lane: u16,
}

/// Jobs in the order in which their ids are given to the client.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) jobs: Vec<Job>,
    /// When the client comes. What was submitted before, it has no time for.
    pub(crate) opens: f64,
    /// What the metrics would tell: jobs ahead of the first one, and their rate a second.
    pub(crate) ahead: Option<(u64, f64)>,
}

/// A family of worlds: one for each seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) make: fn(&mut Rng) -> World,
    /// Small worlds are drawn more than once and their figures taken together.
    pub(crate) draws: u32,
    /// How the network is, if it is not 80 ms there and back.
    pub(crate) net: Net,
}

/// What happens to a call on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Net {
    /// There and back, at least.
    pub(crate) trip: f64,
    /// On top of it, each way evenly up to half of this.
    pub(crate) jitter: f64,
    pub(crate) lost: f64,
    pub(crate) refused: f64,
}

impl Net {
    pub(crate) const STEADY: Net = Net { trip: 0.08, jitter: 0.0, lost: 0.0, refused: 0.0 };
}

pub(crate) const FAMILIES: &[Family] = &[
    one("W1", "burst of 2,000, exponential service, 25/min", |rng| burst(2000, &Vendor::default(), rng)),
    one("W1d", "the same, service regular to 5 %", |rng| {
        burst(2000, &Vendor { service: regular, ..Vendor::default() }, rng)
    }),
    one("W1s", "2,000 submitted at 5/s", |rng| {
        world(&Vendor::default(), (0..2000).map(|n| Arrival::ours(f64::from(n) * 0.2)), rng)
    }),
    one("W2", "an hour at 70 % load", |rng| steady(&Vendor::default(), rng)),
    one("W3", "burst, four workers, lognormal service", |rng| burst(2000, &FOUR, rng)),
    one("W3s", "the same, steady", |rng| steady(&FOUR, rng)),
    one("W4", "burst, 3 % system errors, retried directly", |rng| {
        burst(2000, &Vendor { errors: 0.03, ..Vendor::default() }, rng)
    }),
    one("W4s", "steady, 3 % system errors, retried from the tail", |rng| {
        steady(&Vendor { errors: 0.03, retry: Retry::Tail, ..Vendor::default() }, rng)
    }),
    one("W4c", "burst, every first attempt fails for 5 minutes", |rng| {
        burst(2000, &Vendor { errors: 0.01, spell: Some((600.0, 900.0)), ..Vendor::default() }, rng)
    }),
    one("W5", "burst of 5,000 at 600/min: twice the quota", |rng| {
        burst(5000, &Vendor { per_minute: 600.0, ..Vendor::default() }, rng)
    }),
    one("W6", "half the jobs foreign, 20 min outage, then three times as fast", tenants),
    one("W7", "burst of 200,000 at 600/min", |rng| {
        burst(200_000, &Vendor { per_minute: 600.0, ..Vendor::default() }, rng)
    }),
    one("W7b", "burst of 20,000 at 250/min: 83 % of the quota", |rng| {
        burst(20_000, &Vendor { per_minute: 250.0, ..Vendor::default() }, rng)
    }),
    few("W8", "one job, one foreign ahead", |rng| ahead(1, 1, rng)),
    few("W8e", "five jobs, two foreign ahead", |rng| ahead(5, 2, rng)),
    few("W8q", "one job, 100 foreign ahead", |rng| ahead(1, 100, rng)),
    one("B1", "ids shuffled", |rng| shuffled(burst(2000, &Vendor::default(), rng), rng)),
    one("B2", "last in, first out", |rng| {
        let mut world = burst(2000, &Vendor::default(), rng);
        world.jobs.reverse();
        world
    }),
    one("B3", "four partitions", |rng| partitions(&[6.25; 4], rng)),
    one("B3s", "two queues, one four times as fast", |rng| partitions(&[20.0, 5.0], rng)),
    one("B4", "a tenth has priority", priority),
    one("B5", "16 workers", |rng| burst(2000, &Vendor { workers: 16, ..FOUR }, rng)),
    one("B5x", "64 workers, heavy tail", |rng| {
        burst(2000, &Vendor { workers: 64, service: |rng| lognormal(2.0, rng), ..FOUR }, rng)
    }),
    one("B6", "the client starts at half time, with the ids alone", |rng| World {
        opens: 2400.0,
        ..burst(2000, &Vendor::default(), rng)
    }),
    one("B6s", "the same, ids shuffled", |rng| World {
        opens: 2400.0,
        ..shuffled(burst(2000, &Vendor::default(), rng), rng)
    }),
    one("B7", "20 % system errors, retried from the tail, 75/min, two workers", |rng| {
        let vendor =
            Vendor { per_minute: 75.0, workers: 2, errors: 0.2, retry: Retry::Tail, ..Vendor::default() };
        burst(2000, &vendor, rng)
    }),
    one("N1", "picked up in batches, once a minute", batches),
    one("N2", "the rate drifts by 3 over an hour", |rng| {
        let speed = |t: f64| 3_f64.powf((t * std::f64::consts::TAU / 3600.0).sin() / 2.0);
        burst(2000, &Vendor { speed, ..Vendor::default() }, rng)
    }),
    one("N3", "two minutes on, one off", |rng| {
        let speed = |t: f64| if t % 180.0 < 120.0 { 1.0 } else { 0.0 };
        burst(2000, &Vendor { speed, ..Vendor::default() }, rng)
    }),
    Family {
        net: Net { trip: 0.08, jitter: 0.4, lost: 0.01, refused: 0.02 },
        ..one("N4", "jitter of 0.4 s, 1 % of the answers lost, 2 % of the calls refused", |rng| {
            burst(2000, &Vendor::default(), rng)
        })
    },
    one("N5", "two operations on one quota", |rng| {
        let mut both = burst(1000, &Vendor::default(), rng);
        let other = burst(1000, &Vendor { per_minute: 50.0, ..FOUR }, rng);
        both.jobs.extend(other.jobs.iter().map(|job| Job { lane: 1, ..*job }));
        both
    }),
    Family {
        net: Net { trip: 0.6, ..Net::STEADY },
        ..one("N6", "a round trip of 600 ms", |rng| burst(2000, &Vendor::default(), rng))
    },
];

const fn one(name: &'static str, what: &'static str, make: fn(&mut Rng) -> World) -> Family {
    Family { name, what, make, draws: 1, net: Net::STEADY }
}

const fn few(name: &'static str, what: &'static str, make: fn(&mut Rng) -> World) -> Family {
    Family { draws: 100, ..one(name, what, make) }
}

/// How the vendor works its jobs off.
#[derive(Debug, Clone, Copy)]
struct Vendor {
    per_minute: f64,
    workers: u32,
    /// Draws a time with a mean of one.
    service: fn(&mut Rng) -> f64,
    /// How fast it works at a time. At zero nothing is begun.
    speed: fn(f64) -> f64,
    /// The chance that a first attempt fails; each retry fails again with a half.
    errors: f64,
    /// Every first attempt that ends in this time fails.
    spell: Option<(f64, f64)>,
    retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Retry {
    /// Done at its time, whoever waits.
    Direct,
    /// It joins the end of the queue at its time.
    Tail,
}

impl Vendor {
    const fn default() -> Self {
        Vendor {
            per_minute: 25.0,
            workers: 1,
            service: exponential,
            speed: |_| 1.0,
            errors: 0.0,
            spell: None,
            retry: Retry::Direct,
        }
    }
}

const FOUR: Vendor = Vendor { workers: 4, service: |rng| lognormal(1.0, rng), ..Vendor::default() };

/// The waits before the vendor's own retries, in seconds.
const LADDER: [f64; 10] = [30.0, 120.0, 420.0, 900.0, 1800.0, 2700.0, 3600.0, 5400.0, 7200.0, 10800.0];

pub(crate) fn exponential(rng: &mut Rng) -> f64 {
    -(1.0 - rng.f64()).ln()
}

fn normal(rng: &mut Rng) -> f64 {
    (2.0 * exponential(rng)).sqrt() * (rng.f64() * std::f64::consts::TAU).cos()
}

fn regular(rng: &mut Rng) -> f64 {
    (1.0 + 0.05 * normal(rng)).max(0.5)
}

fn lognormal(sigma: f64, rng: &mut Rng) -> f64 {
    (sigma * normal(rng) - sigma * sigma / 2.0).exp()
}

/// A job that comes to the vendor: ours or a foreign one.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: f64,
    ours: bool,
}

impl Arrival {
    fn ours(at: f64) -> Self {
        Arrival { at, ours: true }
    }
}

fn burst(jobs: usize, vendor: &Vendor, rng: &mut Rng) -> World {
    world(vendor, (0..jobs).map(|_| Arrival::ours(0.0)), rng)
}

/// An hour of Poisson arrivals at 70 % of the rate.
fn steady(vendor: &Vendor, rng: &mut Rng) -> World {
    let arrivals = poisson(0.7 * vendor.per_minute / 60.0, 3600.0, 1.0, rng);
    world(vendor, arrivals.into_iter(), rng)
}

fn poisson(rate: f64, until: f64, share: f64, rng: &mut Rng) -> Vec<Arrival> {
    let mut at = 0.0;
    let mut found = Vec::new();
    loop {
        at += exponential(rng) / rate;
        if at > until {
            return found;
        }
        found.push(Arrival { at, ours: rng.f64() < share });
    }
}

fn tenants(rng: &mut Rng) -> World {
    let speed = |t: f64| match t / 60.0 {
        t if t < 30.0 => 1.0,
        t if t < 50.0 => 0.0,
        t if t < 80.0 => 3.0,
        _ => 1.0,
    };
    let arrivals = poisson(0.7 * 25.0 / 60.0, 7200.0, 0.5, rng);
    world(&Vendor { speed, ..Vendor::default() }, arrivals.into_iter(), rng)
}

fn ahead(ours: usize, foreign: usize, rng: &mut Rng) -> World {
    let order = (0..foreign + ours).map(|n| Arrival { at: 0.0, ours: n >= foreign });
    World { ahead: Some((foreign as u64, 25.0 / 60.0)), ..world(&Vendor::default(), order, rng) }
}

fn shuffled(mut world: World, rng: &mut Rng) -> World {
    rng.shuffle(&mut world.jobs);
    world
}

/// The ids of several queues, mixed in one list.
fn partitions(per_minute: &[f64], rng: &mut Rng) -> World {
    let each = 2000 / per_minute.len();
    let mut queues: Vec<VecDeque<Job>> = per_minute
        .iter()
        .map(|&per_minute| burst(each, &Vendor { per_minute, ..Vendor::default() }, rng).jobs.into())
        .collect();
    let mut order: Vec<usize> = (0..each * per_minute.len()).map(|n| n % per_minute.len()).collect();
    rng.shuffle(&mut order);
    World {
        jobs: order.into_iter().filter_map(|queue| queues[queue].pop_front()).collect(),
        opens: 0.0,
        ahead: None,
    }
}

fn priority(rng: &mut Rng) -> World {
    let done = burst(2000, &Vendor::default(), rng).jobs;
    let first: Vec<bool> = (0..done.len()).map(|_| rng.f64() < 0.1).collect();
    let (mut fast, mut slow) = (0, first.iter().filter(|first| **first).count());
    let jobs = first.iter().map(|is_first| {
        let place = if *is_first { &mut fast } else { &mut slow };
        *place += 1;
        done[*place - 1]
    });
    World { jobs: jobs.collect(), opens: 0.0, ahead: None }
}

/// At each full minute 25 jobs are picked up, and done at once, a tenth of a second each.
fn batches(rng: &mut Rng) -> World {
    let mut at = 0.0;
    let jobs = (0..2000).map(|n| {
        at = if n % 25 == 0 { 60.0 * f64::from(n / 25 + 1) } else { at };
        at += 0.1 * exponential(rng);
        Job { submitted: 0.0, done: at, lane: 0 }
    });
    World { jobs: jobs.collect(), opens: 0.0, ahead: None }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Came,
    Ended,
    Woke,
}

/// Works the arrivals off in the order of coming.
fn world(vendor: &Vendor, arrivals: impl Iterator<Item = Arrival>, rng: &mut Rng) -> World {
    let mean = 60.0 / vendor.per_minute * f64::from(vendor.workers);
    let arrivals: Vec<Arrival> = arrivals.collect();
    let mut done = vec![f64::NAN; arrivals.len()];
    let mut attempts = vec![0_usize; arrivals.len()];
    let mut waiting = VecDeque::new();
    let mut idle = vendor.workers;
    let (mut events, mut count) = (BinaryHeap::new(), 0_u64);
    let mut put = |events: &mut BinaryHeap<_>, at: f64, event: Event, job: usize| {
        count += 1;
        events.push((Reverse((at.max(0.0).to_bits(), count)), job, Tag(event)));
    };
    for (job, arrival) in arrivals.iter().enumerate() {
        put(&mut events, arrival.at, Event::Came, job);
    }
    while let Some((Reverse((now, _)), job, Tag(event))) = events.pop() {
        let now = f64::from_bits(now);
        match event {
            Event::Came => waiting.push_back(job),
            Event::Woke => {}
            Event::Ended => {
                idle += 1;
                let in_spell = vendor.spell.is_some_and(|(from, to)| (from..to).contains(&now));
                let mut fails = match attempts[job] {
                    0 => in_spell || rng.f64() < vendor.errors,
                    _ => rng.f64() < 0.5,
                };
                let mut at = now;
                while fails && attempts[job] < LADDER.len() {
                    at += LADDER[attempts[job]];
                    attempts[job] += 1;
                    if vendor.retry == Retry::Tail {
                        break;
                    }
                    at += exponential(rng);
                    fails = rng.f64() < 0.5;
                }
                match vendor.retry {
                    Retry::Tail if at > now => put(&mut events, at, Event::Came, job),
                    _ => done[job] = at,
                }
            }
        }
        while idle > 0 && !waiting.is_empty() {
            let speed = (vendor.speed)(now);
            if speed == 0.0 {
                put(&mut events, now + 1.0, Event::Woke, 0);
                break;
            }
            if let Some(job) = waiting.pop_front() {
                idle -= 1;
                put(&mut events, now + mean * (vendor.service)(rng) / speed, Event::Ended, job);
            }
        }
    }
    let ours = arrivals.iter().zip(done).filter(|(arrival, _)| arrival.ours);
    World {
        jobs: ours.map(|(arrival, done)| Job { submitted: arrival.at, done, lane: 0 }).collect(),
        opens: 0.0,
        ahead: None,
    }
}

/// Equal to every other: events of one time happen in the order in which they were put.
#[derive(Debug)]
struct Tag(Event);

impl PartialEq for Tag {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Tag {}
impl PartialOrd for Tag {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Tag {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
