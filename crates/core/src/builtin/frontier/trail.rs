use std::collections::VecDeque;

/// Where the turns are: the places and times at which some of them ended.
///
/// If all first attempts fail for a while, nothing is seen at first, and then first retries in place of them: the turns themselves are
/// that much further.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    ends: VecDeque<(u32, f64)>,
    /// How long before a completion that is seen at the front its job's turn was.
    delay: f64,
    /// Completions one after the other with nobody left behind.
    unbroken: u32,
}

const LENGTH: usize = 64;

/// First retries fail too: so many without a gap are none.
const UNBROKEN: u32 = 8;

impl Trail {
    pub(super) fn new() -> Self {
        Trail { ends: VecDeque::with_capacity(LENGTH), delay: 0.0, unbroken: 0 }
    }

    /// Are first retries seen in place of first attempts?
    pub(super) fn is_delayed(&self) -> bool {
        self.delay > 0.0
    }

    /// A completion was seen at the front, and it ended a silence in which first attempts may have failed: from now on first retries
    /// are seen, so long after them.
    pub(super) fn resumed(&mut self, wait: f64) {
        (self.delay, self.unbroken) = (wait, 0);
    }

    /// A completion was seen at the front, of the job that was next or of one after it.
    pub(super) fn completed(&mut self, place: u32, at: f64, is_next: bool) {
        self.unbroken = if is_next { self.unbroken.saturating_add(1) } else { 0 };
        if self.unbroken >= UNBROKEN {
            self.delay = 0.0;
        }
        self.turned(place, at - self.delay);
    }

    /// A turn ended at that time.
    pub(super) fn turned(&mut self, place: u32, at: f64) {
        if self.ends.len() == LENGTH {
            self.ends.pop_front();
        }
        self.ends.push_back((place, at));
    }

    /// Between which times a turn ended: not after `latest`.
    pub(super) fn around(&self, place: u32, latest: f64) -> (f64, f64) {
        let before = self.ends.iter().filter(|(other, _)| *other < place).max_by_key(|(other, _)| *other);
        let after = self.ends.iter().filter(|(other, _)| *other > place).min_by_key(|(other, _)| *other);
        let to = after.map_or(latest, |(_, at)| *at);
        (before.map_or(to, |(_, at)| at.min(to)), to)
    }

    /// How many places on something may be so long after the youngest completion: anywhere from the first retries to the first attempts,
    /// by a share from 0 to 1.
    pub(super) fn ahead(&self, silence: f64, share: f64) -> u32 {
        let ends = self.ends.front().zip(self.ends.back());
        let speed = ends.map_or(0.0, |((first, from), (last, to))| {
            f64::from(last.saturating_sub(*first)) / (to - from).max(1.0)
        });
        ((silence + share * self.delay) * speed) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_retries_tell_when_the_turns_were_until_eight_come_without_a_gap() {
        let mut trail = Trail::new();
        (0..10).for_each(|n| trail.completed(n, f64::from(n) * 2.0, true));
        assert!(!trail.is_delayed());
        // From 20 s on all fail: every second of them is done 30 s later.
        trail.resumed(30.0);
        (10..20).step_by(2).for_each(|n| trail.completed(n, f64::from(n) * 2.0 + 30.0, false));
        assert_eq!(trail.around(15, 100.0), (28.0, 32.0));
        assert_eq!(trail.around(30, 100.0), (36.0, 100.0));
        // Of the first retries and of the first attempts, 4 s later.
        assert_eq!([trail.ahead(4.0, 0.0), trail.ahead(4.0, 1.0)], [2, 17]);
        (19..26).for_each(|n| trail.completed(n, f64::from(n) * 2.0 + 30.0, true));
        assert!(trail.is_delayed());
        trail.completed(26, 52.0, true);
        assert!(!trail.is_delayed());
        assert_eq!(trail.around(27, 100.0), (52.0, 100.0));
    }
}
