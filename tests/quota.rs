//! The quota under everything that a network can do: a million calls in virtual time, through the whole client. A
//! world's seed is its history; the seed of one that fails is printed, and runs alone with `ASTAT_TEST_SEED`.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, Slots, VirtualClock};
use activity_status::plugin::{Clock, Delivery, Failure, Head, Request, Response, TransportError};
use activity_status::{Client, Credentials, Endpoint, Operation, RequestId, RetryPolicy};
use activity_status_sandbox::{Judge, Window};
use fastrand::Rng;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How long a call takes to the vendor, and its answer back.
#[derive(Debug, Clone, Copy)]
enum Delays {
    /// Each between two times.
    Uniform(Duration, Duration),
    /// Never less than the first, and often more by about the second.
    Tail(Duration, Duration),
    /// All the way there for as many calls as the quota has, and none back; then the other way round: whoever was judged
    /// last is followed at once by whoever is judged first.
    LateThenEarly(Duration),
    /// One call in eight is stuck for long, on one way or the other.
    Stuck(Duration, Duration),
    /// One is slow and the next one overtakes it.
    Overtaking(Duration),
}

impl Delays {
    fn draw(self, dice: &mut Rng, call: u64, quota: u64) -> (Duration, Duration) {
        match self {
            Delays::Uniform(least, most) => (between(dice, least, most), between(dice, least, most)),
            Delays::Tail(least, tail) => {
                let mut more = || least + tail.mul_f64(-(1.0 - dice.f64()).ln());
                (more(), more())
            }
            Delays::LateThenEarly(most) if (call / quota).is_multiple_of(2) => (most, Duration::ZERO),
            Delays::LateThenEarly(most) => (Duration::ZERO, most),
            Delays::Stuck(usual, long) => match dice.u64(..16) {
                0 => (long, usual),
                1 => (usual, long),
                _ => (usual, usual),
            },
            Delays::Overtaking(most) if call.is_multiple_of(2) => (most, between(dice, Duration::ZERO, most)),
            Delays::Overtaking(most) => (Duration::ZERO, between(dice, Duration::ZERO, most)),
        }
    }
}

fn between(dice: &mut Rng, least: Duration, most: Duration) -> Duration {
    least + (most - least).mul_f64(dice.f64())
}

#[derive(Debug, Clone)]
struct World {
    seed: u64,
    delays: Delays,
    quota: activity_status_sandbox::Quota,
    callers: usize,
    strict: bool,
    /// One call in so many is given up by its caller. It may be judged up to a window after that.
    given_up: Option<u64>,
    calls: u64,
}

/// What the vendor saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    calls: u64,
    refused: u64,
}

struct Vendor {
    judge: Judge,
    dice: Rng,
    seen: Seen,
    /// When calls arrive whose callers have given them up.
    late: Vec<Duration>,
    connected: HashSet<ThreadId>,
}

impl Vendor {
    /// Judges a call that arrives now, and before it those that arrived without anybody waiting for them.
    fn admits(&mut self, now: Duration) -> bool {
        self.late.sort_unstable();
        let arrived = self.late.partition_point(|at| *at <= now);
        for at in self.late.drain(..arrived).collect::<Vec<_>>() {
            let admitted = self.judge.admits(at);
            self.seen.refused += u64::from(!admitted);
        }
        let admitted = self.judge.admits(now);
        self.seen.refused += u64::from(!admitted);
        admitted
    }
}

impl World {
    /// Makes the calls, through the whole client.
    fn play(&self) -> Seen {
        let clock = Arc::new(VirtualClock::new());
        let vendor = Arc::new(Mutex::new(Vendor {
            judge: Judge::new(self.quota.clone()),
            dice: Rng::with_seed(self.seed),
            seen: Seen::default(),
            late: Vec::new(),
            connected: HashSet::new(),
        }));
        let transport = {
            let (world, clock, vendor) = (self.clone(), clock.clone(), vendor.clone());
            move |request: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
                world.send(&clock, &vendor, request, on_head)
            }
        };
        let quota = Quota::new(self.quota.calls, self.quota.window);
        let day = Duration::from_secs(24 * 3600);
        let rules = SlotRules::new(quota).unwrap().strict(self.strict).longest_call(day);
        let client = Client::builder(Endpoint::INDIA, Credentials::new("the-key").unwrap())
            .clock(clock.clone())
            .transport(transport)
            .limiter(Slots::with(rules))
            .retry(RetryPolicy::none())
            .call_deadline(day)
            .build()
            .unwrap();
        let id = RequestId::new("72003d66-aa5d-4533-9e13-73da598dedf4").unwrap();
        let made = AtomicU64::new(0);
        clock.run(self.callers, |_| {
            while made.fetch_add(1, Relaxed) < self.calls {
                // A call that is given up is an error, and that is all there is to it here.
                let _ = client.status(&Operation::ACTIVITY_CREATE, &id);
            }
        });
        let vendor = vendor.lock().unwrap();
        vendor.seen
    }

    fn send(
        &self,
        clock: &VirtualClock,
        vendor: &Mutex<Vendor>,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        let (there, back) = {
            let Vendor { dice, seen, late, .. } = &mut *vendor.lock().unwrap();
            seen.calls += 1;
            let (there, back) = self.delays.draw(dice, seen.calls, self.quota.calls.into());
            if self.given_up.is_some_and(|one_in| dice.u64(..one_in) == 0) {
                late.push(clock.now() + there + between(dice, Duration::ZERO, self.quota.window));
                (there, None)
            } else {
                (there, Some(back))
            }
        };
        if vendor.lock().unwrap().connected.insert(std::thread::current().id()) {
            // A connection of its own for each caller: a handshake for TCP and one for TLS, before anything is judged.
            request.new_connection.store(true, Relaxed);
            clock.sleep((there + back.unwrap_or(there)) * 2).unwrap();
        }
        clock.sleep(there).unwrap();
        let Some(back) = back else {
            return Err(TransportError {
                delivery: Delivery::InDoubt,
                failure: Failure::TimedOut,
                message: "no answer".to_owned(),
                source: None,
            });
        };
        let admitted = vendor.lock().unwrap().admits(clock.now());
        clock.sleep(back).unwrap();
        let head = Head { status: if admitted { 200 } else { 429 }, headers: vec![] };
        on_head(&head);
        let body =
            br#"{"RequestId":"72003d66-aa5d-4533-9e13-73da598dedf4","TaskStatus":{"Status":"In-Queue"}}"#;
        Ok(Response { head, body: body.to_vec() })
    }
}

/// Plays as many worlds as it takes for `calls` calls, or the one of `ASTAT_TEST_SEED`. Each with what was seen in it.
fn play(calls: u64, world: impl Fn(u64) -> World + Sync) -> Vec<(World, Seen)> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("ASTAT_TEST_SEED") {
        let world = world(seed);
        let seen = world.play();
        println!("{world:?}: {seen:?}");
        return vec![(world, seen)];
    }
    let calls = calls * number("ASTAT_TEST_SEEDS").unwrap_or(1);
    let played = Mutex::new(BTreeMap::new());
    let (next, made) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while made.load(Relaxed) < calls {
                    let seed = next.fetch_add(1, Relaxed);
                    let world = world(seed);
                    made.fetch_add(world.calls, Relaxed);
                    let seen = world.play();
                    played.lock().unwrap().insert(seed, (world, seen));
                }
            });
        }
    });
    played.into_inner().unwrap().into_values().collect()
}

fn again(world: &World, test: &str) -> String {
    format!(
        "ASTAT_TEST_SEED={} cargo test -p activity-status-tests --test quota {test} -- --nocapture",
        world.seed
    )
}

/// A world of every kind, by its seed.
fn adversarial(seed: u64) -> World {
    let mut dice = Rng::with_seed(seed ^ 0xadde_55a1);
    let (short, long) = (ms(dice.u64(..50)), ms(100 + dice.u64(..4000)));
    let delays = match dice.u64(..6) {
        0 => Delays::Uniform(short, long),
        1 => Delays::Tail(short, long / 10),
        2 => Delays::LateThenEarly(long),
        3 => Delays::Stuck(short, long * 3),
        4 => Delays::Overtaking(long),
        _ => Delays::Uniform(short, short),
    };
    let quota = activity_status_sandbox::Quota {
        calls: 2 + dice.u32(..24),
        window: if dice.u64(..4) == 0 { ms(200 + dice.u64(..3000)) } else { ms(5000) },
        kind: match dice.u64(..3) {
            0 => Window::Sliding,
            1 => Window::Fixed { phase: ms(dice.u64(..5000)) },
            _ => Window::TokenBucket,
        },
        refusals_count: dice.u64(..2) == 0,
    };
    let callers = 1 + dice.usize(..64);
    let given_up = (dice.u64(..4) == 0).then_some(50);
    World { seed, delays, quota, callers, strict: true, given_up, calls: 2000 }
}

#[test]
fn strict_slots_are_refused_in_no_world() {
    for (world, seen) in play(1_000_000, adversarial) {
        let again = again(&world, "strict_slots");
        assert!(seen.calls >= world.calls, "{seen:?} in {world:?}\n{again}");
        assert_eq!(seen.refused, 0, "{world:?}\n{again}");
    }
}

#[test]
fn the_estimated_margin_is_refused_once_in_100_000_calls_at_most() {
    let profiles = [
        Delays::Uniform(ms(0), ms(0)),
        Delays::Uniform(ms(40), ms(40)),
        Delays::Uniform(ms(10), ms(150)),
        Delays::Uniform(ms(0), ms(600)),
        Delays::Tail(ms(40), ms(10)),
    ];
    // Each profile for itself, on the window that forgives nothing, from the first call on: a margin is most at risk while
    // it has seen little.
    for delays in profiles {
        let world = |seed: u64| {
            let mut dice = Rng::with_seed(seed ^ 0xe571_a7ed);
            let quota = activity_status_sandbox::Quota {
                refusals_count: seed.is_multiple_of(2),
                ..Default::default()
            };
            let callers = 1 + dice.usize(..64);
            World { seed, delays, quota, callers, strict: false, given_up: None, calls: 500 }
        };
        let played = play(200_000, world);
        let calls: u64 = played.iter().map(|(_, seen)| seen.calls).sum();
        let refused: u64 = played.iter().map(|(_, seen)| seen.refused).sum();
        let worst =
            played.iter().max_by_key(|(_, seen)| seen.refused).map(|(world, _)| again(world, "estimated"));
        println!("{delays:?}: {refused} of {calls} refused");
        assert!(refused * 100_000 <= calls, "{delays:?}: {refused} of {calls} refused, most in {worst:?}");
    }
}
