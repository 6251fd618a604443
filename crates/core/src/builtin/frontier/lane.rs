use std::collections::VecDeque;

use super::beat::{Beat, SCATTER};
use super::eta::Turns;
use super::hazard::{Hazard, Rhythm};
use super::late::{LONGEST, Late, Straggler};
use super::look::{Kind, Look};
use super::trail::Trail;

/// The jobs of one queue, in the order of submission.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    /// From the first one that is neither settled nor forgotten: a job's place, less `first`, is its index.
    jobs: VecDeque<Job>,
    first: u32,
    /// The oldest active jobs.
    near: Vec<Near>,
    hazards: [Hazard; NEAR],
    /// How often the first look at an overtaken job finds it finished.
    overtaken: Hazard,
    /// The rank of the last hit that was not at the front, until it is known if those before it were unfinished.
    jumped: Option<usize>,
    /// The mean gap that is believed in before anything was seen; and after the first completion, if the metrics told of a queue ahead.
    prior_gap: f64,
    gap_after: f64,
    told: bool,
    rhythm: Rhythm,
    beat: Beat,
    late: Late,
    sweep: Sweep,
    /// One past the youngest job known to be finished, and when the look that showed it was sent.
    top: u32,
    topped_at: f64,
    /// When its turn had ended at the latest, as far as that can be told.
    turned_at: f64,
    /// When the last completion at the front was, as far as that can be told; the next job's turn began then.
    news: f64,
    /// Hits at the front since the last miss there.
    run: u32,
    trail: Trail,
    /// Jobs whose look failed, and until when each is left alone.
    resting: Vec<(u32, f64)>,
    open: usize,
    began: bool,
}

/// A job in its queue: active until it is known to be late or settled.
#[derive(Debug, Clone, Copy)]
struct Job {
    /// When it was last known to be unfinished.
    seen: f64,
    /// For a job that is not active: a place after it with no active job between.
    skip: u32,
    state: State,
    flight: Flight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Late,
    /// Or forgotten.
    Settled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flight {
    None,
    /// A look is in flight that will rather not find it finished.
    Guess,
    /// A look is in flight that will rather find it finished: for the others it counts as finished.
    Sure,
}

/// One of the oldest active jobs, and how its look is judged.
#[derive(Debug, Clone, Copy)]
struct Near {
    place: u32,
    rank: Option<usize>,
    /// Since when it could have been finished without our knowing.
    since: f64,
    /// When its turn began.
    turn: f64,
    /// The warped time at `since`, and its integral.
    warped: (f64, f64),
    /// Is nobody before it being looked at?
    in_turn: bool,
    rate: f64,
}

/// Insurance against an order that is not the one of submission, and against a front that stands still: a look far from the front now and
/// then. While first retries are seen in place of first attempts, every second one goes where either may be.
#[derive(Debug, Clone, Copy, Default)]
struct Sweep {
    last: f64,
    misses: u32,
    looks: u32,
    /// The waiting that its looks ended of late, each.
    gain: f64,
}

/// So many of the oldest active jobs are candidates: more workers than that are seen through stragglers.
const NEAR: usize = 8;
const BEHIND: u32 = 4;
/// So many mean gaps behind, looks come too late to tell whose turn it is.
const LAG: f64 = 20.0;
const PRIOR_GAP: f64 = 60.0 / 25.0;
/// The prior gap is believed in as if so many completions had shown it: one job alone is looked at until it is done.
const BELIEF: f64 = 3.0;
/// What was told may be off by so much of it: if it was three times too long, the outcome is known seconds late and not a minute.
const DOUBT: f64 = 1.0 / 3.0;
/// So many mean gaps of silence are no chance, if the mean is of so many.
const NO_CHANCE: f64 = 8.0;
/// So many seconds after its rest a failure is forgotten.
const MEMORY: f64 = 10.0;

impl Lane {
    pub(super) fn new(ladder: Vec<f64>, beat: Beat) -> Self {
        Lane {
            jobs: VecDeque::new(),
            first: 0,
            near: Vec::with_capacity(NEAR),
            hazards: [Hazard::default(); NEAR],
            overtaken: Hazard::default(),
            jumped: None,
            prior_gap: PRIOR_GAP,
            gap_after: PRIOR_GAP,
            told: false,
            rhythm: Rhythm::new(PRIOR_GAP, PRIOR_GAP * PRIOR_GAP, 0.0),
            beat,
            late: Late::new(ladder),
            sweep: Sweep::default(),
            top: 0,
            topped_at: 0.0,
            turned_at: 0.0,
            news: 0.0,
            run: 0,
            trail: Trail::new(),
            resting: Vec::new(),
            open: 0,
            began: false,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn late(&self) -> &Late {
        &self.late
    }

    /// How the turns go on, if anything tells.
    pub(super) fn turns(&self, now: f64) -> Option<Turns> {
        let silence = (now - self.news).max(0.0);
        match self.rhythm.seen() {
            0.0 if self.told => Some(Turns::told((self.prior_gap - silence).max(0.0), self.gap_after)),
            0.0 => None,
            seen => Some(Turns::seen(self.rhythm.mean(), seen, silence)),
        }
    }

    /// How many turns there are until the end of this one. `None` if it is settled.
    pub(super) fn turns_to(&self, place: u32) -> Option<usize> {
        let index = place.checked_sub(self.first)? as usize;
        let waits = self.jobs.get(index)?.state == State::Active;
        waits.then(|| self.jobs.range(..=index).filter(|job| job.state == State::Active).count())
    }

    /// The place of a new job, or `None` if there is none left: after four thousand million jobs.
    pub(super) fn add(&mut self, submitted_at: Option<f64>) -> Option<u32> {
        let place = self.first.checked_add(u32::try_from(self.jobs.len()).ok()?)?;
        let skip = place.checked_add(1)?;
        if !self.began && self.jobs.is_empty() && submitted_at.is_none() {
            // Old ids perhaps, and many of them settled: one after the other is asked about at once, until a look misses.
            self.run = BEHIND;
        }
        self.jobs.push_back(Job {
            seen: submitted_at.unwrap_or_default(),
            skip,
            state: State::Active,
            flight: Flight::None,
        });
        self.open += 1;
        Some(place)
    }

    /// So many jobs are ahead of the first one here: its turn comes after so many gaps, the more regularly the more they are, as far as
    /// what was told is to be trusted.
    pub(super) fn hint(&mut self, ahead: f64, per_second: f64, now: f64) {
        if self.rhythm.seen() == 0.0 {
            let gap = 1.0 / per_second;
            (self.gap_after, self.prior_gap) = (gap, (ahead + 1.0) * gap);
            let variance = ((ahead + 1.0) * gap * gap).max((self.prior_gap * DOUBT).powi(2));
            self.rhythm = Rhythm::new(self.prior_gap, variance, 0.0);
            (self.told, self.began, self.news, self.sweep.last) = (true, true, now, now);
        }
    }

    /// Finds out who the candidates are at `now`.
    pub(super) fn refresh(&mut self, now: f64, price: f64) {
        if !self.began {
            (self.began, self.news) = (true, now);
            self.sweep.last = now;
        }
        self.resting.retain(|(_, until)| *until + MEMORY > now);
        self.near.clear();
        let mut from = self.first;
        while let Some(place) =
            self.active_from(from).filter(|place| *place < self.top && self.near.len() < NEAR)
        {
            from = place + 1;
            let job = self.jobs[(place - self.first) as usize];
            if !self.is_free(place, &job, now) {
                continue;
            }
            if job.seen > self.turned_at {
                self.is_late(place, price, 0.0);
            } else {
                let chance = self.overtaken.rate(0.5, 1.0).clamp(0.1, 0.95);
                self.near.push(Near {
                    place,
                    rank: None,
                    since: job.seen,
                    turn: 0.0,
                    warped: (0.0, 0.0),
                    in_turn: true,
                    rate: -(-chance).ln_1p(),
                });
            }
        }
        let (mut from, mut rank, mut finished, mut in_turn) = (self.top, 0, 0, true);
        let quiet_until = self.beat.next().filter(|next| *next <= now).unwrap_or(0.0);
        // Behind a few others its turn comes without a rhythm, and perhaps at once.
        let prior_gap = if self.rhythm.is_regular() { self.prior_gap } else { self.gap_after };
        let mut rate = self.hazards[0].rate(1.0 / prior_gap, BELIEF);
        self.beat.looks_come_each((2.0 * price / rate).sqrt());
        if self.beat.is_now(now) {
            rate = rate.max(1.0 / SCATTER);
        }
        while let Some(place) = self.active_from(from).filter(|_| rank < NEAR && finished < 64) {
            from = place + 1;
            let job = self.jobs[(place - self.first) as usize];
            if job.flight == Flight::Sure {
                finished += 1;
                continue;
            }
            if rank > 0 {
                // One worker silences all ranks at once: each begins as half of the one before.
                rate = self.hazards[rank].rate(rate / 2.0, 0.1).min(rate);
            }
            if self.is_free(place, &job, now) {
                // Until the news it waited for its turn.
                let turn = self.news + f64::from(finished) * self.rhythm.mean();
                let since = job.seen.max(turn).max(quiet_until);
                let warped = self.rhythm.warped_and_integral(since - turn);
                self.near.push(Near { place, rank: Some(rank), since, turn, warped, in_turn, rate });
            }
            in_turn &= job.flight == Flight::None;
            rank += 1;
        }
    }

    /// Before a guess: whoever is late makes room for those who are worth more.
    pub(super) fn make_room(&mut self, now: f64, price: f64) {
        if self.late.peek(now).is_some() {
            let looks = self.near.iter().map(|near| self.look_near(near, now, price).worth);
            let worth = looks.fold(0.0, f64::max);
            self.late.make_room(worth, now);
        }
    }

    fn is_free(&self, place: u32, job: &Job, now: f64) -> bool {
        let rests = self.resting.iter().any(|(other, until)| *other == place && *until > now);
        job.flight == Flight::None && !rests
    }

    /// The look that is worth most at `now`.
    pub(super) fn best(&self, now: f64, price: f64) -> Option<Look> {
        if self.beat.is_near(now) {
            return None;
        }
        // Of equals the last one wins: the oldest.
        let near = self.near.iter().map(|near| self.look_near(near, now, price));
        let late = self.late.peek(now).map(|straggler| {
            let (worth, hazard) = self.late.worth(straggler, now);
            Look {
                place: straggler.place,
                kind: Kind::Late(*straggler),
                worth: worth.max(price),
                hazard,
                hurry: false,
            }
        });
        late.into_iter().chain(near.rev()).max_by(|a, b| a.worth.total_cmp(&b.worth))
    }

    fn look_near(&self, near: &Near, now: f64, price: f64) -> Look {
        let silence = (now - near.since).max(0.0);
        let (hazard, worth) = match near.rank {
            // It had its turn: either it is finished, or it failed.
            None => (1.0, silence / 2.0),
            Some(_) => {
                let (began, until_then) = near.warped;
                let (warped, integral) = self.rhythm.warped_and_integral(near.since - near.turn + silence);
                (warped - began, integral - until_then - began * silence)
            }
        };
        let (hazard, worth) = (hazard * near.rate, worth * near.rate);
        let kind = Kind::Near { rank: near.rank, since: near.since, in_turn: near.in_turn };
        let look = Look { place: near.place, kind, worth, hazard, hurry: false };
        match self.run < BEHIND {
            // Nobody is left alone for ever.
            true if silence > LONGEST => Look { worth: worth.max(silence / 2.0), ..look },
            true => look,
            // So many hits without a miss: every look is worth its price.
            false => {
                Look { worth: worth.max(price) * f64::from(self.run), hurry: near.rank == Some(0), ..look }
            }
        }
    }

    /// When the next job that was left alone after a failed look may be looked at again.
    pub(super) fn rested_at(&self, now: f64) -> f64 {
        let untils = self.resting.iter().map(|(_, until)| *until).filter(|until| *until > now);
        untils.fold(f64::INFINITY, f64::min)
    }

    /// An insurance look, if one is due: it goes to nobody in particular.
    pub(super) fn sweep(&mut self, now: f64, call_gap: f64, best: Option<&Look>) -> Option<Look> {
        let silence = now - self.news;
        let patience = match self.trail.is_delayed() {
            _ if self.rhythm.seen() < NO_CHANCE && silence > NO_CHANCE * PRIOR_GAP => 2.0 * call_gap,
            true => 4.0 * call_gap,
            false => (10.0_f64).max(25.0 * call_gap) * (1.0 + f64::from(self.sweep.misses) / 8.0).min(6.0),
        };
        let is_due = now - self.sweep.last > patience;
        let is_better = self.sweep.gain > best.map_or(0.0, |best| best.worth);
        // After a hit at the front there is nothing to spare.
        if self.run > 0 || self.beat.is_near(now) || self.beat.is_now(now) || !(is_due || is_better) {
            return None;
        }
        let head = self.active_from(self.first)?;
        let end = self.first + self.jobs.len() as u32;
        let (nearest, all) = (NEAR as f64, f64::from(end - head));
        if all <= nearest {
            return None;
        }
        // Distances are spread evenly over their logarithm, by the golden ratio.
        let part = (f64::from(self.sweep.looks) * 0.618_033_988_75).fract();
        self.sweep.looks = self.sweep.looks.wrapping_add(1);
        self.sweep.last = now;
        let target = match self.trail.is_delayed() && !self.sweep.looks.is_multiple_of(2) {
            true => self.top.saturating_add(self.trail.ahead(now - self.topped_at, part)),
            false => head + (nearest * (all / nearest).powf(part)) as u32,
        };
        let place = self.active_from(target)?;
        let job = &self.jobs[(place - self.first) as usize];
        let is_near = self.near.iter().any(|near| near.place == place);
        if job.flight != Flight::None || is_near {
            return None;
        }
        let worth = self.sweep.gain;
        Some(Look { place, kind: Kind::Sweep { since: job.seen.max(0.0) }, worth, hazard: 0.0, hurry: false })
    }

    /// The look is on its way.
    pub(super) fn sent(&mut self, look: &Look) {
        if let Kind::Late(_) = look.kind {
            self.late.pop();
        }
        self.job(look.place).flight = if look.is_sure() { Flight::Sure } else { Flight::Guess };
    }

    /// The look was not made after all: nothing has happened.
    pub(super) fn not_sent(&mut self, look: &Look) {
        self.job(look.place).flight = Flight::None;
        match look.kind {
            Kind::Late(straggler) => self.late.put_back(straggler),
            Kind::Sweep { .. } => {
                self.sweep.last = 0.0;
                self.sweep.looks = self.sweep.looks.wrapping_sub(1);
            }
            Kind::Near { .. } => {}
        }
    }

    /// Nothing was learned: the job is as it was. If that was not the first time of late, it is left alone for `rest`: a job that
    /// cannot be asked about must not stand in the way of the others, and a single failure not in its own.
    pub(super) fn failed(&mut self, look: &Look, at: f64, rest: f64, price: f64) {
        self.job(look.place).flight = Flight::None;
        match look.kind {
            Kind::Late(straggler) => self.late.push(straggler, price, at + rest),
            _ if look.place < self.top => self.is_late(look.place, price, at + rest),
            _ => match self.resting.iter_mut().find(|(place, _)| *place == look.place) {
                Some((_, until)) => *until = at + rest,
                None => self.resting.push((look.place, at)),
            },
        }
    }

    /// It was unfinished when the look was sent.
    pub(super) fn missed(&mut self, look: &Look, sent: f64, price: f64) {
        let job = self.job(look.place);
        job.flight = Flight::None;
        job.seen = job.seen.max(sent);
        match look.kind {
            Kind::Near { rank: None, .. } => {
                self.overtaken.miss(1.0);
                if let Some(rank) = self.jumped.take() {
                    self.hazards[rank].hit(0.0, self.prior_gap);
                }
            }
            Kind::Near { rank: Some(rank), since, .. } => {
                self.hazards[rank].miss(self.exposure(since, sent));
                if rank == 0 {
                    self.run = 0;
                }
            }
            Kind::Late(straggler) => {
                self.late.miss(&straggler, sent);
                self.late.push(Straggler { seen: sent, ..straggler }, price, 0.0);
                return;
            }
            Kind::Sweep { .. } => {
                self.sweep.gain -= self.sweep.gain / 8.0;
                self.sweep.misses += 1;
            }
        }
        if look.place < self.top && sent >= self.topped_at {
            self.is_late(look.place, price, 0.0);
        }
    }

    /// It was finished when the look was sent.
    pub(super) fn hit(&mut self, look: &Look, sent: f64) {
        match look.kind {
            Kind::Near { rank: None, .. } => self.overtaken.hit(1.0, f64::INFINITY),
            Kind::Near { rank: Some(rank), since, in_turn } => {
                self.run += 1;
                self.beat.hit(sent, self.rhythm.mean());
                let to = (sent - self.news).max(0.0);
                let news = self.news + self.rhythm.add((since - self.news).clamp(0.0, to), to);
                let exposure = self.exposure(since, news);
                match rank == 0 || !in_turn {
                    true => self.hazards[rank].hit(exposure, self.prior_gap),
                    // Whether it came before its turn, the look at those before it will show.
                    false => {
                        self.hazards[rank].miss(exposure);
                        self.jumped = Some(rank);
                    }
                }
                if self.told && self.rhythm.seen() == 1.0 {
                    self.first_after_hint(news - self.news);
                }
                if let Some(wait) = self.wait_for_first_retries(since - self.news, to) {
                    self.trail.resumed(wait);
                }
                self.news = news;
                let is_next = self.active_from(self.top) == Some(look.place);
                self.trail.completed(look.place, news, is_next);
            }
            Kind::Late(straggler) => self.late.hit(&straggler, sent),
            Kind::Sweep { since } => {
                let ended = (sent - since.max(self.sweep.last - 3600.0)).max(0.0) / 2.0;
                self.sweep.gain += (ended - self.sweep.gain) / 8.0;
                self.sweep.misses = 0;
                self.trail.turned(look.place, sent);
                let gap = self.prior_gap;
                self.hazards.iter_mut().for_each(|hazard| hazard.end_silence(gap));
            }
        }
        if look.place >= self.top {
            let turned_at = match look.kind {
                Kind::Near { .. } => self.news + self.rhythm.mean() * LAG,
                _ => sent,
            };
            (self.top, self.topped_at, self.turned_at) = (look.place + 1, sent, turned_at.min(sent));
        }
        self.close(look.place);
    }

    /// It is of no interest any more, whether a look at it is in flight or not: nothing was learned.
    pub(super) fn forget(&mut self, place: u32) {
        let known = place.checked_sub(self.first).and_then(|index| self.jobs.get(index as usize));
        match known.map(|job| job.state) {
            None | Some(State::Settled) => return,
            Some(State::Late) => self.late.forget(place),
            Some(State::Active) => {}
        }
        self.close(place);
    }

    /// Nobody asks about it any more.
    fn close(&mut self, place: u32) {
        let job = self.job(place);
        (job.state, job.flight) = (State::Settled, Flight::None);
        self.open -= 1;
        while self.jobs.front().is_some_and(|job| job.state == State::Settled) {
            self.jobs.pop_front();
            self.first += 1;
        }
    }

    /// How long the first retries take that may have ended this silence, of which so much is proven: no chance, and not one before a beat.
    fn wait_for_first_retries(&self, proven: f64, silence: f64) -> Option<f64> {
        let is_chance = self.rhythm.seen() < NO_CHANCE || proven < NO_CHANCE * self.rhythm.mean();
        let wait = *self.late.ladder().first()?;
        (!is_chance && silence >= wait && self.beat.next().is_none()).then_some(wait)
    }

    /// The turns of those ahead are over: from now on each of ours is a turn. They were told to take so long, and took so long.
    fn first_after_hint(&mut self, took: f64) {
        let turns = self.prior_gap / self.gap_after;
        let gap = (self.gap_after + took / turns) / 2.0;
        (self.prior_gap, self.gap_after, self.rhythm) = (gap, gap, Rhythm::new(gap, gap * gap, 1.0));
        self.hazards = [Hazard::default(); NEAR];
    }

    /// The warped time in which it could have been finished.
    fn exposure(&self, since: f64, until: f64) -> f64 {
        (self.rhythm.warped(until - self.news) - self.rhythm.warped(since - self.news)).max(0.0)
    }

    /// Its turn ended between those of the jobs around it.
    fn is_late(&mut self, place: u32, price: f64, rest: f64) {
        let (from, to) = self.trail.around(place, self.news);
        let job = self.job(place);
        job.state = State::Late;
        let seen = job.seen;
        let straggler =
            Straggler { place, unsure: (to - from) as f32, ended: from, seen: seen.max(from), due: 0.0 };
        self.late.push(straggler, price, rest);
    }

    /// The first active job from a place on. The way is shortened for those who come after (path halving).
    fn active_from(&mut self, place: u32) -> Option<u32> {
        let mut place = place.max(self.first);
        loop {
            let job = self.jobs.get((place - self.first) as usize)?;
            if job.state == State::Active {
                return Some(place);
            }
            let next = job.skip.max(self.first);
            let after = self.jobs.get((next - self.first) as usize);
            let skip = match after {
                Some(job) if job.state != State::Active => job.skip,
                _ => next,
            };
            self.job(place).skip = skip;
            place = skip;
        }
    }

    /// Those whose turn was longer ago than the vendor retries for; and the first one, if nothing at all has happened since then.
    pub(super) fn overdue(&self, now: f64) -> Vec<u32> {
        let ladder = self.late.ladder();
        let late = self.late.iter().filter(|straggler| straggler.is_overdue(now, ladder));
        let mut overdue: Vec<u32> = late.map(|it| it.place).collect();
        if self.began && ladder.last().is_some_and(|last| now - self.news > *last) {
            overdue.extend(
                self.jobs.iter().position(|job| job.state == State::Active).map(|n| self.first + n as u32),
            );
        }
        overdue
    }

    /// The job at a place that is known to be in the queue.
    fn job(&mut self, place: u32) -> &mut Job {
        &mut self.jobs[(place - self.first) as usize]
    }
}

#[cfg(test)]
impl Lane {
    pub(super) fn assert_nobody_is_forgotten(&self, in_flight: impl Fn(u32) -> bool) {
        let mut open = 0;
        for (index, job) in self.jobs.iter().enumerate() {
            let place = self.first + index as u32;
            let flies = in_flight(place);
            let in_heap = self.late.iter().filter(|straggler| straggler.place == place).count();
            assert_eq!(flies, job.flight != Flight::None, "{place}");
            let expected = usize::from(job.state == State::Late && !flies);
            assert_eq!(in_heap, expected, "{place}: {job:?}");
            open += usize::from(job.state != State::Settled);
        }
        assert_eq!(open, self.open);
    }

    pub(super) fn trail(&mut self) -> &mut Trail {
        &mut self.trail
    }

    /// For how many jobs there is room.
    pub(super) fn room(&self) -> usize {
        self.jobs.capacity().max(self.resting.capacity())
    }
}
