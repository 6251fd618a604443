use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use crate::fate::{Ending, Fate};
use crate::rng::Rng;
use crate::{Order, Retries, Settings};

/// The vendor's queue: jobs in, workers, retries. It knows a job by its number alone, and moves only in
/// [`advance`](Queue::advance), from one event to the next.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Time begins with the first [`advance`](Queue::advance), so that a clock may begin anywhere.
    open: bool,
    now: Duration,
    agenda: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    agenda_serial: u64,
    waiting: VecDeque<Ticket>,
    idle_workers: usize,
    jobs: Vec<Progress>,
    in_retry: usize,
    finished: VecDeque<Duration>,
    outages: Vec<(Duration, Duration)>,
    /// The mean time that a job takes, and the mean gap between jobs of other tenants.
    service: Duration,
    others_gap: Option<Duration>,
    service_draws: Rng,
    order_draws: Rng,
    others_draws: Rng,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) fate: Fate,
    /// How often it has failed for a system reason.
    pub(crate) failures: u32,
    pub(crate) in_work: bool,
    pub(crate) settled: Option<(Duration, Ending)>,
}

/// What can be a place in the queue: a job of ours, or one of another tenant.
type Ticket = Option<usize>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A job of another tenant arrives.
    OtherArrives,
    /// A worker is through with a job.
    Done(Ticket),
    /// A retry besides the queue is through.
    DoneDirectly(usize),
    /// The time of a retry has come.
    Retry(usize),
}

/// For what will never be; far enough, and adding to it does not overflow.
const NEVER: Duration = Duration::from_secs(1 << 40);
const TEN_MINUTES: Duration = Duration::from_secs(600);

impl Queue {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut outages = settings.outages.clone();
        outages.sort_unstable();
        let per_minute = |rate: f64| Duration::try_from_secs_f64(60.0 / rate).unwrap_or(NEVER).min(NEVER);
        Queue {
            open: false,
            now: Duration::ZERO,
            agenda: BinaryHeap::new(),
            agenda_serial: 0,
            waiting: std::iter::repeat_n(None, settings.others_ahead).collect(),
            idle_workers: settings.workers,
            jobs: Vec::new(),
            in_retry: 0,
            finished: VecDeque::new(),
            outages,
            service: per_minute(settings.rate_per_minute / settings.workers as f64),
            others_gap: (settings.others > 0.0).then(|| {
                per_minute(settings.rate_per_minute * settings.others).max(Duration::from_millis(1))
            }),
            service_draws: Rng::new(settings.seed, 1),
            order_draws: Rng::new(settings.seed, 2),
            others_draws: Rng::new(settings.seed, 3),
        }
    }

    /// Puts a job at the end and answers its number. They count from 0.
    pub(crate) fn add(&mut self, settings: &Settings, fate: Fate) -> usize {
        let job = self.jobs.len();
        self.jobs.push(Progress { fate, failures: 0, in_work: false, settled: None });
        self.waiting.push_back(Some(job));
        self.give_out(settings);
        job
    }

    /// Lets everything happen that is due by `now`; `settled` hears of each job that ends.
    pub(crate) fn advance(&mut self, settings: &Settings, now: Duration, mut settled: impl FnMut(Ending)) {
        if !self.open {
            (self.open, self.now) = (true, now);
            self.expect_another_tenant();
            self.give_out(settings);
        }
        while let Some(Reverse((at, _, event))) = self.agenda.peek().copied() {
            if at > now {
                break;
            }
            self.agenda.pop();
            self.now = at;
            match event {
                Event::OtherArrives => {
                    self.waiting.push_back(None);
                    self.expect_another_tenant();
                }
                Event::Done(ticket) => {
                    self.idle_workers += 1;
                    self.finished.push_back(at);
                    ticket.and_then(|job| self.finish(settings, job)).into_iter().for_each(&mut settled);
                }
                Event::DoneDirectly(job) => self.finish(settings, job).into_iter().for_each(&mut settled),
                Event::Retry(job) => {
                    self.in_retry -= 1;
                    match settings.retries {
                        Retries::Queued => self.waiting.push_back(Some(job)),
                        Retries::Direct => {
                            self.jobs[job].in_work = true;
                            let done = self.done_at(settings, Duration::from_secs(1));
                            self.schedule(done, Event::DoneDirectly(job));
                        }
                    }
                }
            }
            self.give_out(settings);
            self.forget_before(at);
        }
        self.now = self.now.max(now);
        self.forget_before(self.now);
    }

    pub(crate) fn progress(&self, job: usize) -> &Progress {
        &self.jobs[job]
    }

    /// How many jobs of anybody's are not over: waiting, in work, or to be tried again.
    pub(crate) fn pending(&self, settings: &Settings) -> usize {
        self.waiting.len() + (settings.workers - self.idle_workers) + self.in_retry
    }

    /// How many were processed in a minute, over the last ten.
    pub(crate) fn rate_per_minute(&self) -> f64 {
        self.finished.len() as f64 / 10.0
    }

    /// One try at a job is over; answers how the job ended if that was its end.
    fn finish(&mut self, settings: &Settings, job: usize) -> Option<Ending> {
        let spell =
            settings.error_spells.iter().any(|(start, len)| self.now >= *start && self.now - *start < *len);
        let progress = &mut self.jobs[job];
        progress.in_work = false;
        let mut ending = progress.fate.ending;
        if spell || progress.failures < progress.fate.system_failures {
            let delay = settings.ladder.get(progress.failures as usize);
            progress.failures += 1;
            if let Some(delay) = delay {
                self.in_retry += 1;
                self.schedule(self.now.saturating_add(*delay), Event::Retry(job));
                return None;
            }
            ending = Ending::Error;
        }
        progress.settled = Some((self.now, ending));
        Some(ending)
    }

    /// Gives waiting jobs to idle workers.
    fn give_out(&mut self, settings: &Settings) {
        while self.idle_workers > 0 {
            let next = match settings.order {
                Order::Fifo => self.waiting.pop_front(),
                Order::Lifo => self.waiting.pop_back(),
                Order::Shuffled => self.waiting.swap_remove_back(self.order_draws.below(self.waiting.len())),
            };
            let Some(ticket) = next else { return };
            self.idle_workers -= 1;
            if let Some(job) = ticket {
                self.jobs[job].in_work = true;
            }
            let done = self.done_at(settings, self.service);
            self.schedule(done, Event::Done(ticket));
        }
    }

    /// When work that takes about `mean` and begins now is done. It stands still during outages.
    fn done_at(&mut self, settings: &Settings, mean: Duration) -> Duration {
        let spread = settings.spread.clamp(0.0, 1.0);
        let drawn = if spread > 0.0 { self.service_draws.exponential() } else { 1.0 };
        let mut work = mean.mul_f64(1.0 - spread + spread * drawn);
        let mut at = self.now;
        for (start, len) in &self.outages {
            let end = start.saturating_add(*len);
            let until_then = start.saturating_sub(at);
            if at + work <= *start {
                break;
            }
            if end > at {
                work -= until_then;
                at = end;
            }
        }
        at.saturating_add(work)
    }

    fn expect_another_tenant(&mut self) {
        if let Some(gap) = self.others_gap {
            let gap = gap.mul_f64(self.others_draws.exponential()).max(Duration::from_nanos(1));
            self.schedule(self.now + gap, Event::OtherArrives);
        }
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        self.agenda_serial += 1;
        self.agenda.push(Reverse((at, self.agenda_serial, event)));
    }

    fn forget_before(&mut self, now: Duration) {
        while self.finished.front().is_some_and(|at| now.saturating_sub(*at) > TEN_MINUTES) {
            self.finished.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Fate = Fate { system_failures: 0, ending: Ending::Success };

    /// Jobs of these fates, all there at the start, and after how many seconds each settled, within a day.
    fn settled(settings: &Settings, fates: &[Fate]) -> Vec<Option<f64>> {
        let mut queue = opened(settings);
        for fate in fates {
            queue.add(settings, *fate);
        }
        queue.advance(settings, Duration::from_secs(86_400), |_| ());
        queue.jobs.iter().map(|job| job.settled.map(|(at, _)| at.as_secs_f64())).collect()
    }

    fn opened(settings: &Settings) -> Queue {
        let mut queue = Queue::new(settings);
        queue.advance(settings, Duration::ZERO, |_| ());
        queue
    }

    /// 60 a minute: a second each.
    fn steady() -> Settings {
        Settings { rate_per_minute: 60.0, ..Settings::default() }
    }

    #[test]
    fn orders() {
        let in_order = |order| settled(&Settings { order, ..steady() }, &[FINE; 5]);
        assert_eq!(in_order(Order::Fifo), [1.0, 2.0, 3.0, 4.0, 5.0].map(Some));
        // The first is in work before the others come.
        assert_eq!(in_order(Order::Lifo), [1.0, 5.0, 4.0, 3.0, 2.0].map(Some));
        let mut shuffled = in_order(Order::Shuffled);
        assert_ne!(shuffled, in_order(Order::Fifo));
        shuffled.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(shuffled, in_order(Order::Fifo));
    }

    #[test]
    fn the_rate_is_that_of_all_workers_together() {
        let four = Settings { workers: 4, ..steady() };
        assert_eq!(settled(&four, &[FINE; 6]), [4.0, 4.0, 4.0, 4.0, 8.0, 8.0].map(Some));
        assert_eq!(settled(&Settings { workers: 0, ..steady() }, &[FINE]), [None]);
        assert_eq!(settled(&Settings { rate_per_minute: 0.0, ..steady() }, &[FINE]), [None]);
    }

    #[test]
    fn a_spread_keeps_the_mean() {
        for spread in [0.5, 1.0] {
            let settings = Settings { spread, rate_per_minute: 60.0, seed: 3, ..Settings::default() };
            let ends: Vec<f64> = settled(&settings, &[FINE; 4000]).into_iter().map(Option::unwrap).collect();
            let gaps: Vec<f64> = ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let deviation =
                (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
            assert!((mean - 1.0).abs() < 0.05, "{mean}");
            assert!((deviation - spread).abs() < 0.05, "{deviation}");
        }
    }

    #[test]
    fn work_stands_still_during_outages() {
        let secs = |s| Duration::from_secs_f64(s);
        let outages = vec![(secs(2.5), secs(10.0)), (secs(1.0), secs(0.5)), (secs(3.0), secs(9.0))];
        let settings = Settings { outages, ..steady() };
        // The second ends just as an outage begins; the third begins with it.
        assert_eq!(settled(&settings, &[FINE; 4]), [1.0, 2.5, 13.5, 14.5].map(Some));
        let late = Settings { outages: vec![(secs(0.5), secs(1.0))], ..steady() };
        assert_eq!(settled(&late, &[FINE; 2]), [2.0, 3.0].map(Some));
    }

    #[test]
    fn the_ladder_is_the_vendors() {
        let direct = Settings { retries: Retries::Direct, ..steady() };
        let never = Fate { system_failures: u32::MAX, ending: Ending::Success };
        let steps = [30, 120, 420, 900, 1800, 2700, 3600, 5400, 7200, 10800];
        for tries in 0..=10_u32 {
            // A second for each try, and the steps between them.
            let expected = f64::from(tries + 1) + steps[..tries as usize].iter().sum::<i32>() as f64;
            let fate = Fate { system_failures: tries, ..FINE };
            assert_eq!(settled(&direct, &[fate]), [Some(expected)], "{tries}");
            if tries == 10 {
                assert_eq!(settled(&direct, &[never]), [Some(expected)]);
            }
        }
    }

    #[test]
    fn a_retry_in_the_queue_waits_its_turn_and_a_direct_one_does_not() {
        let once = Fate { system_failures: 1, ending: Ending::Success };
        let fates: Vec<Fate> = std::iter::once(once).chain([FINE; 99]).collect();
        assert_eq!(settled(&steady(), &fates)[0], Some(101.0));
        assert_eq!(settled(&Settings { retries: Retries::Direct, ..steady() }, &fates)[0], Some(32.0));
    }

    #[test]
    fn in_an_error_spell_everything_fails_for_a_system_reason() {
        let spell = (Duration::from_secs(2), Duration::from_secs(2));
        let settings =
            Settings { error_spells: vec![spell], ladder: vec![Duration::from_secs(10)], ..steady() };
        assert_eq!(settled(&settings, &[FINE; 4]), [1.0, 13.0, 14.0, 4.0].map(Some));
    }

    #[test]
    fn other_tenants_take_their_share() {
        let ahead = Settings { others_ahead: 3, ..steady() };
        assert_eq!(settled(&ahead, &[FINE]), [Some(4.0)]);

        let busy = Settings { others: 0.5, seed: 5, ..steady() };
        let mut queue = opened(&busy);
        queue.advance(&busy, Duration::from_secs(7200), |_| ());
        assert!((25.0..35.0).contains(&queue.rate_per_minute()), "{}", queue.rate_per_minute());
    }

    #[test]
    fn what_is_pending_is_counted() {
        let settings = Settings { workers: 2, ..steady() };
        let mut queue = opened(&settings);
        for failures in [1, 0, 0, 0] {
            queue.add(&settings, Fate { system_failures: failures, ending: Ending::Success });
        }
        let mut pending = |at| {
            queue.advance(&settings, Duration::from_secs(at), |_| ());
            (queue.pending(&settings), queue.rate_per_minute())
        };
        assert_eq!(pending(0), (4, 0.0));
        assert_eq!(pending(2), (3, 0.2));
        assert_eq!(pending(4), (1, 0.4));
        assert_eq!(pending(33), (1, 0.4));
        assert_eq!(pending(34), (0, 0.5));
        assert_eq!(pending(634), (0, 0.1));
        assert_eq!(pending(635), (0, 0.0));
    }
}
