use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::hazard::Hazard;

/// A job that was overtaken by a younger one, and was seen unfinished after that: the vendor retries it, says its
/// documentation, at times that are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Straggler {
    pub(super) place: u32,
    /// Its turn ended between `ended` and so many seconds later.
    pub(super) unsure: f32,
    pub(super) ended: f64,
    /// When it was last known to be unfinished.
    pub(super) seen: f64,
    /// When a look at it pays.
    pub(super) due: f64,
}

impl Straggler {
    /// Is its turn longer ago than the vendor retries for?
    pub(super) fn is_overdue(&self, now: f64, ladder: &[f64]) -> bool {
        ladder.last().is_some_and(|last| now - self.ended - f64::from(self.unsure) > *last)
    }

    /// When each retry begins at the earliest, in seconds after `ended`, and in how many seconds it is over.
    pub(super) fn retries(&self, ladder: &[f64]) -> impl Iterator<Item = (f64, f64)> {
        let mut length = f64::from(self.unsure) + SPREAD - SPREAD_PER_RUNG;
        ladder.iter().map(move |due| {
            length += SPREAD_PER_RUNG;
            (*due, length)
        })
    }
}

/// The stragglers of a lane that have no look in flight.
#[derive(Debug, Clone)]
pub(super) struct Late {
    heap: BinaryHeap<Straggler>,
    /// When retries are due, in seconds after the first failure.
    ladder: Vec<f64>,
    /// Events in log-age: the chance to be finished in the next second is about c / age.
    any_time: Hazard,
    /// Events in retries that are due: a hit is a job that was finished in one.
    on_retry: Hazard,
    /// When room was made: once at a time, so that a look that was not sent after all is chosen again.
    roomy_at: f64,
}

/// A retry takes place somewhere in so many seconds after it is due, and each one before it has added to that.
const SPREAD: f64 = 3.0;
const SPREAD_PER_RUNG: f64 = 1.5;

impl Late {
    pub(super) fn new(ladder: Vec<f64>) -> Self {
        Late {
            heap: BinaryHeap::new(),
            ladder,
            any_time: Hazard::default(),
            on_retry: Hazard::default(),
            roomy_at: 0.0,
        }
    }

    /// Puts a straggler in its place: due when a look at it is worth `price`, and not before `rest`.
    pub(super) fn push(&mut self, straggler: Straggler, price: f64, rest: f64) {
        let due = self.pays_at(&straggler, price).max(rest);
        self.heap.push(Straggler { due, ..straggler });
    }

    /// Puts a straggler back that nobody looked at.
    pub(super) fn put_back(&mut self, straggler: Straggler) {
        self.heap.push(straggler);
    }

    fn pays_at(&self, straggler: &Straggler, price: f64) -> f64 {
        let (mut early, mut late) = (straggler.seen, straggler.seen + 1.0);
        while self.worth(straggler, late).0 < price && late - straggler.seen < LONGEST {
            (early, late) = (late, straggler.seen + (late - straggler.seen) * 2.0);
        }
        self.pays_between(straggler, price, early, late)
    }

    /// When a look pays that does not pay at the first time, and may at the second.
    fn pays_between(&self, straggler: &Straggler, price: f64, mut early: f64, mut late: f64) -> f64 {
        for _ in 0..6 {
            let middle = (early + late) / 2.0;
            match self.worth(straggler, middle).0 < price {
                true => early = middle,
                false => late = middle,
            }
        }
        late
    }

    /// Whoever is due, but worth less than another look, makes room for those behind: until it is worth as much, or its silence
    /// has grown by a quarter. Those who have waited for too long keep their order.
    pub(super) fn make_room(&mut self, worth: f64, now: f64) {
        if now <= self.roomy_at {
            return;
        }
        self.roomy_at = now;
        for _ in 0..4 {
            let Some(first) = self.peek(now).copied() else { return };
            if now - first.seen > LONGEST || self.worth(&first, now).0 >= worth {
                return;
            }
            let latest = now + (now - first.seen) / 4.0;
            let due = match self.worth(&first, latest).0 < worth {
                true => latest,
                false => self.pays_between(&first, worth, now, latest),
            };
            if let Some(mut first) = self.heap.peek_mut() {
                first.due = due;
            }
        }
    }

    /// Who is due.
    pub(super) fn peek(&self, now: f64) -> Option<&Straggler> {
        self.heap.peek().filter(|straggler| straggler.due <= now)
    }

    pub(super) fn pop(&mut self) -> Option<Straggler> {
        self.heap.pop()
    }

    pub(super) fn forget(&mut self, place: u32) {
        self.heap.retain(|straggler| straggler.place != place);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Straggler> {
        self.heap.iter()
    }

    /// When the vendor's retries are due.
    pub(super) fn ladder(&self) -> &[f64] {
        &self.ladder
    }

    /// The waiting that a look at `now` is expected to end, and the cumulated hazard.
    pub(super) fn worth(&self, straggler: &Straggler, now: f64) -> (f64, f64) {
        let silence = (now - straggler.seen).max(0.0);
        let (by_age, by_retry) = self.hazards(straggler, now);
        (silence / 2.0 * (by_age + by_retry), by_age + by_retry)
    }

    pub(super) fn miss(&mut self, straggler: &Straggler, at: f64) {
        self.any_time.miss(log_age(straggler, at));
        self.on_retry.miss(self.retries(straggler, at));
    }

    /// The likelier cause is taken for the cause.
    pub(super) fn hit(&mut self, straggler: &Straggler, at: f64) {
        let (by_age, by_retry) = self.hazards(straggler, at);
        match by_retry > by_age {
            true => self.on_retry.hit(self.retries(straggler, at), f64::INFINITY),
            false => self.any_time.hit(log_age(straggler, at), f64::INFINITY),
        }
    }

    fn hazards(&self, straggler: &Straggler, now: f64) -> (f64, f64) {
        let by_age = self.any_time.rate(PRIOR_PER_LOG_AGE, 1.0) * log_age(straggler, now);
        let by_retry = match self.retries(straggler, now) {
            0.0 => 0.0,
            retries => -(1.0 - (self.on_retry.rate(PRIOR_PER_RETRY, 1.0) * retries).min(0.9)).ln(),
        };
        (by_age, by_retry)
    }

    /// How many retries have taken place since the last look, as far as that can be told: a sum of chances.
    fn retries(&self, straggler: &Straggler, now: f64) -> f64 {
        let (from, to) = (straggler.seen - straggler.ended, now - straggler.ended);
        let mut tried = 0.0;
        for (due, length) in straggler.retries(&self.ladder).take_while(|(due, _)| *due < to) {
            let overlap = to.min(due + length) - from.max(due);
            if overlap > 0.0 {
                tried += overlap / length;
            }
        }
        tried
    }
}

/// Half of the jobs are finished when their age has grown by e squared or so: what the vendor's ladder looks like from far away.
const PRIOR_PER_LOG_AGE: f64 = 0.5;
const PRIOR_PER_RETRY: f64 = 0.5;

/// Nobody is left alone for longer.
pub(super) const LONGEST: f64 = 150.0;

/// How much older, as a logarithm, it has become since the last look.
fn log_age(straggler: &Straggler, now: f64) -> f64 {
    let age = |at: f64| 1.0 + (at - straggler.ended - f64::from(straggler.unsure) / 2.0).max(0.0);
    (age(now) / age(straggler.seen)).ln().max(0.0)
}

/// The first one due is the greatest, as a heap wants it.
impl Ord for Straggler {
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.total_cmp(&self.due).then(other.place.cmp(&self.place))
    }
}

impl PartialOrd for Straggler {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Straggler {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Straggler {}
