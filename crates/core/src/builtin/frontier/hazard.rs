/// How often something happens: events seen over the time it could have happened in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hazard {
    hits: f64,
    exposure: f64,
    /// Time without an event since the last one.
    silence: f64,
}

/// What was seen so many events ago counts 1/e: things change.
const MEMORY: f64 = 16.0;

impl Hazard {
    /// Events per second, if before anything was seen `prior` was believed as strongly as after `weight` events. A silence counts in
    /// full while it lasts, so looks thin out by themselves.
    pub(super) fn rate(&self, prior: f64, weight: f64) -> f64 {
        (self.hits + weight) / (self.exposure + self.silence + weight / prior)
    }

    pub(super) fn miss(&mut self, exposure: f64) {
        self.silence += exposure;
    }

    /// A silence that has ended counts as four mean gaps at the most: so an outage needs no detector, and is forgotten at the first
    /// hit.
    pub(super) fn hit(&mut self, exposure: f64, gap: f64) {
        let fade = 1.0 - 1.0 / MEMORY;
        self.miss(exposure);
        self.end_silence(gap);
        self.exposure *= fade;
        self.hits = self.hits * fade + 1.0;
    }

    /// The silence is over, as something else has shown. If nothing was seen before, the mean gap is believed to be `gap`.
    pub(super) fn end_silence(&mut self, gap: f64) {
        let mean = if self.hits < 1.0 { gap } else { self.exposure / self.hits };
        self.exposure += self.silence.min(4.0 * mean);
        self.silence = 0.0;
    }
}

/// The rhythm of completions: the mean time from one to the next, and how regular it is.
///
/// Time is warped so that in it completions come without memory. If the gaps follow a Weibull distribution, its cumulative
/// hazard does that: a power of the time since the last completion, of the first order when there is no rhythm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    seen: f64,
    mean: f64,
    variance: f64,
    /// The variance of our guess at when the last completion was.
    unsure: f64,
    shape: f64,
    scale: f64,
    /// The phase after which it is broken.
    broken: f64,
}

impl Rhythm {
    /// What is believed after so many completions.
    pub(super) fn new(mean: f64, variance: f64, seen: f64) -> Self {
        let mut rhythm = Rhythm { seen, mean, variance, unsure: 0.0, shape: 1.0, scale: mean, broken: 0.0 };
        rhythm.fit();
        rhythm
    }

    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    pub(super) fn is_regular(&self) -> bool {
        self.shape > 1.0
    }

    pub(super) fn seen(&self) -> f64 {
        self.seen
    }

    /// The next completion was between `from` and `to`: how long after the one before, for all we know. A Kalman filter; a pause
    /// counts as four mean gaps at the most.
    pub(super) fn add(&mut self, from: f64, to: f64) -> f64 {
        self.seen += 1.0;
        let most = if self.seen > 4.0 { 4.0 * self.mean } else { f64::INFINITY };
        let surprise = ((from + to) / 2.0).min(most) - self.mean;
        let (seen, expected) = ((to - from).powi(2) / 12.0, self.variance + self.unsure);
        let trust = expected / (expected + seen).max(1e-12);
        let gap = (self.mean + trust * surprise).clamp(from, to);

        let weight = 1.0 / (self.seen + 1.0).min(MEMORY * 2.0);
        // Both ends of the gap were seen through looks: what that adds to the variance is not the vendor's.
        let variance = surprise * surprise - self.unsure - seen;
        self.variance = (self.variance + (variance - self.variance) * weight * trust).max(0.0);
        // It follows the looks as far as they can be trusted, and as far as they contradict it.
        let contradicted = (from.min(most) - self.mean).max(0.0) + (to - self.mean).min(0.0);
        self.mean += (trust * surprise + (1.0 - trust) * contradicted) * weight;
        self.unsure = trust * seen;
        self.fit();
        gap
    }

    fn fit(&mut self) {
        let variation = |variance: f64| variance.sqrt() / self.mean;
        // A memoryless rhythm looks a little regular by chance: only what was told, or is clearly so, counts.
        let can_tell = self.seen == 0.0 || self.seen > 3.0;
        self.shape = match can_tell && variation(self.variance) < REGULAR {
            true => variation(self.variance + self.unsure).max(0.04).powf(-1.086).max(1.0),
            false => 1.0,
        };
        self.scale = self.mean / gamma_1_plus(1.0 / self.shape);
        self.broken = self.scale * 4_f64.powf(1.0 / self.shape);
    }

    /// The warped time at so long after the last completion. It passes as fast as the other on average; and after four mean gaps
    /// of it, when the rhythm is broken, just as fast.
    pub(super) fn warped(&self, phase: f64) -> f64 {
        self.warped_and_integral(phase).0
    }

    /// The warped time at a phase, and its integral up to there.
    pub(super) fn warped_and_integral(&self, phase: f64) -> (f64, f64) {
        let on_beat = phase.clamp(0.0, self.broken);
        let off_beat = (phase - on_beat).max(0.0);
        let until_then = match self.shape == 1.0 {
            true => on_beat,
            false => self.mean * (on_beat / self.scale).powf(self.shape),
        };
        let integral = until_then * on_beat / (self.shape + 1.0) + (until_then + off_beat / 2.0) * off_beat;
        (until_then + off_beat, integral)
    }
}

const REGULAR: f64 = 0.5;

/// The gamma function at 1 + x, for x from 0 to 1 (Abramowitz and Stegun 6.1.35).
fn gamma_1_plus(x: f64) -> f64 {
    1.0 + x * (-0.5748646 + x * (0.9512363 + x * (-0.6998588 + x * (0.4245549 - x * 0.1010678))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_silence_counts_as_four_gaps_once_it_has_ended() {
        let mut hazard = Hazard::default();
        (0..100).for_each(|_| hazard.hit(2.0, 2.0));
        assert!((hazard.rate(1.0, 1.0) - 0.5).abs() < 0.05);
        hazard.miss(1000.0);
        assert!(hazard.rate(1.0, 1.0) < 0.02, "it thins the looks out while it lasts");
        hazard.hit(0.0, 2.0);
        assert!(hazard.rate(1.0, 1.0) > 0.35, "and is forgotten then");
    }

    #[test]
    fn looks_that_come_far_too_late_make_no_rhythm_for_long() {
        let mut rhythm = Rhythm::new(2.4, 5.8, 10.0);
        (0..100).for_each(|_| _ = rhythm.add(0.0, 60.0));
        for n in 0..24 {
            let gap = if n % 2 == 0 { 0.2 } else { 5.0 };
            rhythm.add(gap - 0.1, gap + 0.1);
        }
        assert!(!rhythm.is_regular(), "{rhythm:?}");
    }

    #[test]
    fn what_is_regular_is_seen_through_the_looks_and_what_is_not_is_left_alone() {
        let mut regular = Rhythm::new(1.0, 1.0, 0.0);
        // Every 2.4 s, seen through looks each 0.8 s.
        for _ in 0..200 {
            regular.add(2.0, 2.8);
        }
        assert!((regular.mean() - 2.4).abs() < 0.1, "{regular:?}");
        assert!(regular.warped(1.2) < 0.3 && regular.warped(3.0) > 4.0, "{regular:?}");
        let mut random = Rhythm::new(1.0, 1.0, 0.0);
        for n in 0..200 {
            // An exponential distribution by its quantiles.
            let gap = -2.4 * ((f64::from(n * 37 % 200) + 0.5) / 200.0).ln();
            random.add(gap - 0.1, gap + 0.1);
        }
        assert_eq!(random.warped(1.0), 1.0, "{random:?}");
        assert!((random.warped_and_integral(2.0).1 - 2.0).abs() < 1e-9);
    }
}
