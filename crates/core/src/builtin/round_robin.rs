use std::collections::VecDeque;
use std::time::Duration;

use super::Quota;
use super::pace::{Pace, wait};
use crate::plugin::{Eta, JobKey, Next, Observed, Schedule};

/// Asks about one job after the other, evenly spread: for jobs whose order nobody knows. If it is known, a
/// [`Frontier`](super::Frontier) knows of each outcome hundreds of times sooner.
#[derive(Debug, Clone)]
pub struct RoundRobin {
    pace: Pace,
    /// Open and not in flight, whoever was asked about longest ago first.
    line: VecDeque<u64>,
    in_flight: Vec<u64>,
    added: u64,
    settled: u64,
    began: Option<f64>,
}

impl RoundRobin {
    /// No jobs yet. The calls are spread over the quota's window.
    pub fn new(quota: Quota) -> Self {
        RoundRobin {
            pace: Pace::new(quota),
            line: VecDeque::new(),
            in_flight: Vec::new(),
            added: 0,
            settled: 0,
            began: None,
        }
    }
}

impl Schedule for RoundRobin {
    fn add(&mut self, _lane: u16, _submitted_at: Option<Duration>) -> JobKey {
        self.line.push_back(self.added);
        self.added += 1;
        JobKey(self.added - 1)
    }

    fn next(&mut self, now: Duration) -> Next {
        let now = now.as_secs_f64();
        self.began.get_or_insert(now);
        if self.is_empty() {
            return Next::Done;
        }
        let due = self.pace.due();
        if due > now || self.line.is_empty() || self.in_flight.len() >= self.pace.most_in_flight() {
            return Next::Wait(wait(if due > now { due - now } else { self.pace.gap() }));
        }
        let Some(job) = self.line.pop_front() else { return Next::Done };
        self.in_flight.push(job);
        self.pace.called(now);
        Next::Poll(JobKey(job))
    }

    fn observe(&mut self, job: JobKey, what: Observed, _sent_at: Duration, _answered_at: Duration) {
        let Some(place) = self.in_flight.iter().position(|other| *other == job.0) else { return };
        self.in_flight.swap_remove(place);
        match what {
            Observed::Settled => self.settled += 1,
            Observed::Pending | Observed::Failed => self.line.push_back(job.0),
            Observed::Refused => self.line.push_front(job.0),
            Observed::Unsent => {
                self.line.push_front(job.0);
                self.pace.not_called();
            }
        }
    }

    fn forget(&mut self, job: JobKey) {
        self.line.retain(|other| *other != job.0);
        self.in_flight.retain(|other| *other != job.0);
    }

    fn len(&self) -> usize {
        self.line.len() + self.in_flight.len()
    }

    fn eta(&self, now: Duration) -> Option<Eta> {
        let passed = now.as_secs_f64() - self.began?;
        let (open, settled) = (self.len() as f64, self.settled as f64);
        eta(open, passed / settled, settled, open * self.pace.gap())
    }

    /// Without an order it may be any of those to come.
    fn eta_of(&self, job: JobKey, now: Duration) -> Option<Eta> {
        if !self.line.contains(&job.0) && !self.in_flight.contains(&job.0) {
            return None;
        }
        let Eta { remaining, uncertainty } = self.eta(now)?;
        let evenly = remaining.as_secs_f64() / 12_f64.sqrt();
        let uncertainty = Duration::try_from_secs_f64(evenly.hypot(uncertainty.as_secs_f64() / 2.0)).ok()?;
        Some(Eta { remaining: remaining / 2, uncertainty })
    }
}

/// When so many turns are over if they go on as those that were `seen`, one in each `gap` seconds. Not sooner than in `least` seconds.
pub(super) fn eta(turns: f64, gap: f64, seen: f64, least: f64) -> Option<Eta> {
    let likely = Duration::try_from_secs_f64((turns * gap).max(least)).ok()?;
    // The rate is known to 1 in the root of what was seen; and the rest scatters as much as what was seen.
    let relative = (1.0 / seen.max(1.0) + 1.0 / turns.max(1.0)).sqrt();
    let uncertainty = Duration::try_from_secs_f64(likely.as_secs_f64() * relative).ok()?;
    (seen > 0.0).then_some(Eta { remaining: likely, uncertainty })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_after_the_other_evenly_and_nobody_twice() {
        let mut schedule = RoundRobin::new(Quota::default());
        let keys: Vec<JobKey> = (0..3).map(|_| schedule.add(0, None)).collect();
        let mut now = Duration::from_secs(9);
        for round in 0..6 {
            assert_eq!(schedule.next(now), Next::Poll(keys[round % 3]));
            let Next::Wait(wait) = schedule.next(now) else { panic!("the gap must pass") };
            assert!(wait > MS * 199 && wait < MS * 201, "{wait:?}");
            schedule.observe(keys[round % 3], Observed::Pending, now, now);
            now += MS * 201;
        }
        assert_eq!(schedule.eta(now), None, "nothing has settled");
        assert_eq!(schedule.next(now), Next::Poll(keys[0]));
        schedule.observe(keys[0], Observed::Refused, now, now);
        now += MS * 201;
        assert_eq!(schedule.next(now), Next::Poll(keys[0]), "nothing was learned of it");
        schedule.observe(keys[0], Observed::Unsent, now, now);
        assert_eq!(schedule.next(now), Next::Poll(keys[0]), "nothing was done, and so no gap need pass");
        schedule.observe(keys[0], Observed::Settled, now, now);
        schedule.observe(keys[0], Observed::Pending, now, now);
        schedule.observe(JobKey(77), Observed::Settled, now, now);
        assert_eq!((schedule.len(), schedule.eta(now).is_some()), (2, true));
        assert_eq!(schedule.eta_of(keys[0], now), None, "it is settled");
        let (all, one) = (schedule.eta(now).unwrap(), schedule.eta_of(keys[1], now).unwrap());
        assert_eq!(one.remaining, all.remaining / 2);
        assert!(one.uncertainty > all.remaining / 4 && one.uncertainty < all.uncertainty, "{one:?} {all:?}");
        for key in &keys[1..] {
            now += MS * 201;
            assert_eq!(schedule.next(now), Next::Poll(*key));
        }
        now += MS * 201;
        assert!(matches!(schedule.next(now), Next::Wait(wait) if !wait.is_zero()), "both are in flight");
        keys[1..].iter().for_each(|key| schedule.observe(*key, Observed::Settled, now, now));
        assert_eq!(schedule.next(now), Next::Done);
    }

    #[test]
    fn who_is_forgotten_is_not_asked_about_and_a_late_answer_does_not_bring_it_back() {
        let mut schedule = RoundRobin::new(Quota::default());
        let keys: Vec<JobKey> = (0..3).map(|_| schedule.add(0, None)).collect();
        let now = Duration::from_secs(9);
        assert_eq!(schedule.next(now), Next::Poll(keys[0]));
        schedule.forget(keys[0]);
        schedule.forget(keys[1]);
        schedule.forget(JobKey(77));
        assert_eq!((schedule.len(), schedule.eta_of(keys[1], now)), (1, None));
        schedule.observe(keys[0], Observed::Pending, now, now);
        for n in 1..4 {
            assert_eq!(schedule.next(now + MS * 201 * n), Next::Poll(keys[2]));
            schedule.observe(keys[2], Observed::Pending, now, now);
        }
        schedule.forget(keys[2]);
        assert_eq!(schedule.next(now + MS * 9000), Next::Done);
    }
}
