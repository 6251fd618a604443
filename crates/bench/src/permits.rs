use std::hint::black_box;

use activity_status::builtin::{Quota, SlotRules, Slots, SystemClock};
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, Settlement};
use activity_status_limiter_file::FileLimiter;

use crate::Failure;
use crate::contenders::governor;

/// Nanoseconds for one permit: the median of many batches.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) take: f64,
    pub(crate) give_back: f64,
}

/// What permits cost one caller while nobody else asks.
pub(crate) struct Costs {
    pub(crate) in_process: Result<Cost, Failure>,
    pub(crate) through_file: Result<Cost, Failure>,
    /// Its check alone; it has nothing to give back.
    pub(crate) governor: f64,
}

pub(crate) fn measure() -> Result<Costs, Failure> {
    let rules = SlotRules::new(Quota::default())?;
    let folder = tempfile::tempdir()?;
    let file = FileLimiter::open(folder.path().join("quota"), rules);
    Ok(Costs {
        in_process: cost(&Slots::with(rules), 20_000),
        through_file: file.map_err(Failure::from).and_then(|file| cost(&file, 1000)),
        governor: cost_of_governor(20_000),
    })
}

pub(crate) fn text(costs: &Costs) -> String {
    let line = |name: &str, cost: &Result<Cost, Failure>| match cost {
        Ok(Cost { take, give_back }) => {
            format!("- {name}: {take:.0} ns to take one, {give_back:.0} ns to give it back\n")
        }
        Err(error) => format!("- {name}: not measured: {error}\n"),
    };
    format!(
        "A permit, uncontended:\n{}{}- governor's check: {:.0} ns\n",
        line("in process", &costs.in_process),
        line("through the file", &costs.through_file),
        costs.governor
    )
}

/// Takes the whole quota and gives it back unsent, so that it is there again at once: a batch. Its permits are those of a
/// table that fills up.
fn cost(limiter: &dyn Limiter, batches: usize) -> Result<Cost, Failure> {
    let (clock, calls) = (SystemClock::new(), Quota::default().calls());
    let mut permits = Vec::with_capacity(calls as usize);
    let (mut takes, mut gives) = (Vec::with_capacity(batches), Vec::with_capacity(batches));
    // A new file may hold its slots for a window, for nobody knows what was there before.
    match limiter.try_acquire(CallClass::Poll, &clock)? {
        Acquired::Granted(permit) => limiter.settle(permit, Settlement::NotSent, &clock)?,
        Acquired::RetryAfter(wait) => clock.sleep(wait)?,
    }
    for _ in 0..batches {
        let start = clock.now();
        for _ in 0..calls {
            match limiter.try_acquire(CallClass::Poll, &clock)? {
                Acquired::Granted(permit) => permits.push(permit),
                Acquired::RetryAfter(wait) => return Err(format!("the quota ran out for {wait:?}").into()),
            }
        }
        let taken = clock.now();
        for permit in permits.drain(..) {
            limiter.settle(permit, Settlement::NotSent, &clock)?;
        }
        let given = clock.now();
        takes.push((taken - start).as_nanos() as f64 / f64::from(calls));
        gives.push((given - taken).as_nanos() as f64 / f64::from(calls));
    }
    Ok(Cost { take: median(takes), give_back: median(gives) })
}

/// With a quota that does not run out; its size makes no difference to a GCRA.
fn cost_of_governor(batches: usize) -> f64 {
    let (clock, calls) = (SystemClock::new(), 25);
    let governor = governor(Quota::new(u32::MAX, std::time::Duration::from_secs(5)));
    let batch = |_| {
        let start = clock.now();
        for _ in 0..calls {
            let _ = black_box(governor.check());
        }
        (clock.now() - start).as_nanos() as f64 / f64::from(calls)
    };
    median((0..batches).map(batch).collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_leaves_the_quota_as_it_was() {
        let (slots, clock) = (Slots::new(Quota::default()).unwrap(), SystemClock::new());
        let cost = cost(&slots, 3).unwrap();
        assert!(cost.take > 0.0 && cost.give_back > 0.0, "{cost:?}");
        assert_eq!(slots.snapshot(&clock).unwrap().map(|quota| quota.used), Some(0));
        assert!(super::cost(&Slots::new(Quota::new(24, Quota::default().window())).unwrap(), 1).is_err());
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
