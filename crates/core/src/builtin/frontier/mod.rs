//! Which job to ask about next, if the order of submission is known.

mod beat;
mod eta;
mod hazard;
mod lane;
mod late;
mod look;
mod trail;

use std::time::Duration;

use super::Quota;
use super::pace::{Pace, wait};
use crate::plugin::{Eta, JobKey, Next, Observed, Schedule};
use beat::Beat;
use lane::Lane;
use late::Straggler;
use look::{Kind, Look};

/// Looks only where the queue can be: jobs end more or less in the order of submission, so of all that are open only a few
/// can have ended since the last look.
///
/// One rule decides. A look is worth the waiting that it is expected to end; the best one is made if that exceeds the
/// [price](Frontier::price) of a call, else nothing is done until one will. The waiting that a look ends is the integral of the
/// cumulated hazard since the job was last known to be unfinished. What differs is whose hazard it is:
///
/// - The oldest jobs: one hazard for each rank, learned, so that one worker or many are followed alike; in a warped time if the
///   completions are regular.
/// - A job that was *overtaken* by a younger one has had its turn: one look, soon.
/// - If it was unfinished then, it is *late*: it is followed by age, and looked at when the vendor's retries are due.
/// - If completions come in batches at a beat, calls are saved for the next one.
/// - Now and then a look goes far from the front, as an insurance against an order that is another.
#[derive(Debug, Clone)]
pub struct Frontier {
    lanes: Vec<Lane>,
    in_flight: Vec<(JobKey, Look)>,
    pace: Pace,
    price: f64,
    ladder: Vec<f64>,
    now: f64,
}

impl Frontier {
    /// When the vendor tries a job again that failed for its own reasons, in seconds after that \[docs\].
    pub const RETRIES: [u64; 10] = [30, 150, 570, 1470, 3270, 5970, 9570, 14970, 22170, 32970];

    /// No jobs yet. Guesses are spread evenly over the quota's window.
    pub fn new(quota: Quota) -> Self {
        Frontier {
            lanes: Vec::new(),
            in_flight: Vec::new(),
            pace: Pace::new(quota),
            price: 0.005,
            ladder: Self::RETRIES.map(|seconds| seconds as f64).into(),
            now: 0.0,
        }
    }

    /// How much waiting one call must be expected to end: 5 ms at first, at most an hour. More is fewer calls and later news: with 100 ms
    /// about a third of the calls, and a mean of 0.4 s from completion to knowing where it was 0.2 s.
    pub fn price(mut self, waiting: Duration) -> Self {
        self.price = waiting.as_secs_f64().clamp(1e-6, 3600.0);
        self
    }

    /// When the vendor's own retries take place, as times after the first failure.
    pub fn retries(mut self, after: impl IntoIterator<Item = Duration>) -> Self {
        self.ladder = after.into_iter().map(|time| time.as_secs_f64()).collect();
        self
    }

    fn lane(&mut self, lane: u16) -> &mut Lane {
        while self.lanes.len() <= usize::from(lane) {
            let beat = Beat::new(self.pace.window(), self.pace.gap());
            self.lanes.push(Lane::new(self.ladder.clone(), beat));
        }
        &mut self.lanes[usize::from(lane)]
    }

    /// The best look of all lanes at `now`, and its lane.
    fn best(&self, now: f64) -> Option<(usize, Look)> {
        let lanes = self.lanes.iter().enumerate();
        let looks = lanes.filter_map(|(lane, it)| Some((lane, it.best(now, self.price)?)));
        looks.max_by(|(_, a), (_, b)| a.worth.total_cmp(&b.worth))
    }

    /// Guesses keep an even gap; what is nearly certain may go back to back.
    fn may_go(&self, look: &Look, now: f64) -> bool {
        look.worth >= self.price && (look.hurry || look.is_sure() || now >= self.pace.due())
    }

    /// How long until a look pays and may go, as long as nothing new is seen.
    fn until_one_pays(&self, now: f64) -> f64 {
        let pays = |at: f64| self.best(at).is_some_and(|(_, look)| self.may_go(&look, at));
        let (mut early, mut late) = (now, self.pace.due().max(now + self.pace.gap() / 8.0));
        if pays(late) && self.pace.due() >= late {
            return late - now;
        }
        while !pays(late) && late - now < LONGEST_WAIT {
            (early, late) = (late, now + (late - now) * 2.0);
        }
        for _ in 0..8 {
            let middle = (early + late) / 2.0;
            match pays(middle) {
                true => late = middle,
                false => early = middle,
            }
        }
        let rested = self.lanes.iter().map(|lane| lane.rested_at(now)).fold(late, f64::min);
        rested - now
    }

    fn late_in_flight(&self) -> impl Iterator<Item = (JobKey, &Straggler)> {
        self.in_flight.iter().filter_map(|(key, look)| match &look.kind {
            Kind::Late(straggler) => Some((*key, straggler)),
            _ => None,
        })
    }

    /// The gap between two calls for a lane: the lanes share the quota by their open jobs.
    fn call_gap_of(&self, lane: &Lane) -> f64 {
        self.pace.gap() * self.len() as f64 / lane.open().max(1) as f64
    }
}

const LONGEST_WAIT: f64 = 60.0;

/// A job whose looks fail is left alone for so many call gaps.
const REST: f64 = 4.0;

impl Schedule for Frontier {
    fn add(&mut self, lane: u16, submitted_at: Option<Duration>) -> JobKey {
        let place = self.lane(lane).add(submitted_at.map(|at| at.as_secs_f64()));
        key(lane, place.unwrap_or(u32::MAX))
    }

    fn next(&mut self, now: Duration) -> Next {
        self.now = self.now.max(now.as_secs_f64());
        let now = self.now;
        if self.is_empty() {
            return Next::Done;
        }
        if self.in_flight.len() >= self.pace.most_in_flight() {
            return Next::Wait(wait(self.pace.gap()));
        }
        let price = self.price;
        self.lanes.iter_mut().for_each(|lane| lane.refresh(now, price));
        let may_guess = now >= self.pace.due();
        if may_guess {
            self.lanes.iter_mut().for_each(|lane| lane.make_room(now, price));
        }
        let mut best = self.best(now);
        if may_guess {
            let gap = self.pace.gap();
            for (number, lane) in self.lanes.iter_mut().enumerate() {
                if let Some(look) = lane.sweep(now, gap, best.as_ref().map(|(_, look)| look)) {
                    best = Some((number, Look { worth: look.worth.max(self.price), ..look }));
                    break;
                }
            }
        }
        let Some((lane, look)) = best.filter(|(_, look)| self.may_go(look, now)) else {
            return Next::Wait(wait(self.until_one_pays(now)));
        };
        self.lanes[lane].sent(&look);
        self.pace.called(now);
        let key = key(lane as u16, look.place);
        self.in_flight.push((key, look));
        Next::Poll(key)
    }

    fn observe(&mut self, job: JobKey, what: Observed, sent_at: Duration, answered_at: Duration) {
        let Some(index) = self.in_flight.iter().position(|(key, _)| *key == job) else { return };
        let (_, look) = self.in_flight.swap_remove(index);
        let (sent, answered) = (sent_at.as_secs_f64(), answered_at.as_secs_f64());
        let lane = &mut self.lanes[(job.0 >> 32) as usize];
        match what {
            Observed::Settled => lane.hit(&look, sent),
            Observed::Pending => lane.missed(&look, sent, self.price),
            Observed::Refused => lane.failed(&look, answered, 0.0, self.price),
            Observed::Failed => lane.failed(&look, answered, REST * self.pace.gap(), self.price),
            Observed::Unsent => {
                lane.not_sent(&look);
                self.pace.not_called();
            }
        }
    }

    fn forget(&mut self, job: JobKey) {
        self.in_flight.retain(|(key, _)| *key != job);
        if let Some(lane) = self.lanes.get_mut((job.0 >> 32) as usize) {
            lane.forget(job.0 as u32);
        }
    }

    fn len(&self) -> usize {
        self.lanes.iter().map(Lane::open).sum()
    }

    fn eta(&self, now: Duration) -> Option<Eta> {
        let now = now.as_secs_f64();
        let busy = self.lanes.iter().filter(|lane| lane.open() > 0);
        let queues: Option<Vec<Eta>> =
            busy.map(|lane| lane.turns(now)?.eta(lane.open(), self.call_gap_of(lane))).collect();
        let late = self.lanes.iter().flat_map(|lane| lane.late().iter());
        let late = late.chain(self.late_in_flight().map(|(_, straggler)| straggler));
        let retries = late.map(|straggler| straggler.eta(now, &self.ladder));
        queues?.into_iter().chain(retries).max_by_key(|eta| eta.remaining)
    }

    /// One that waits for its turn will be known when those before it and itself have had theirs; one that is late, after the
    /// vendor's next retry of it.
    fn eta_of(&self, job: JobKey, now: Duration) -> Option<Eta> {
        let now = now.as_secs_f64();
        let (lane, place) = (self.lanes.get((job.0 >> 32) as usize)?, job.0 as u32);
        if let Some((_, straggler)) = self.late_in_flight().find(|(key, _)| *key == job) {
            return Some(straggler.eta(now, &self.ladder));
        }
        match lane.late().iter().find(|straggler| straggler.place == place) {
            Some(straggler) => Some(straggler.eta(now, &self.ladder)),
            None => lane.turns(now)?.eta(lane.turns_to(place)?, self.call_gap_of(lane)),
        }
    }

    fn overdue(&self, now: Duration) -> Vec<JobKey> {
        let in_flight = self.late_in_flight().filter_map(|(key, straggler)| {
            straggler.is_overdue(now.as_secs_f64(), &self.ladder).then_some(key)
        });
        let lanes = self.lanes.iter().enumerate();
        let overdue = lanes.flat_map(|(lane, it)| {
            it.overdue(now.as_secs_f64()).into_iter().map(move |place| key(lane as u16, place))
        });
        overdue.chain(in_flight).collect()
    }

    fn hint(&mut self, lane: u16, ahead: u64, per_second: f64, now: Duration) {
        if per_second.is_finite() && per_second > 0.0 {
            self.lane(lane).hint(ahead as f64, per_second, now.as_secs_f64());
        }
    }
}

fn key(lane: u16, place: u32) -> JobKey {
    JobKey(u64::from(lane) << 32 | u64::from(place))
}

#[cfg(test)]
mod tests;
