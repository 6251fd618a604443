use std::collections::VecDeque;
use std::time::Duration;

/// How many calls the vendor lets through, and how it counts them. 25 in 5 s on a sliding window by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// How many calls.
    pub calls: u32,
    /// In how long a time.
    pub window: Duration,
    /// What kind of window: the vendor does not say.
    pub kind: Window,
    /// Whether a refused call is counted like any other. False by default.
    pub refusals_count: bool,
}

impl Default for Quota {
    fn default() -> Self {
        Quota { calls: 25, window: Duration::from_secs(5), kind: Window::Sliding, refusals_count: false }
    }
}

/// The kinds of window that a server may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The calls of the time just past count, its edge included: a call exactly one window later is one too many.
    Sliding,
    /// Time is cut into windows; the count begins again with each.
    Fixed {
        /// When a window begins, from time zero. More than a window is folded back.
        phase: Duration,
    },
    /// A bucket of as many tokens as calls, full at first, that fills up evenly within a window.
    TokenBucket,
}

/// Keeps a [`Quota`]: says of each call whether it is let through.
#[derive(Debug, Clone)]
pub struct Judge {
    quota: Quota,
    count: Count,
}

impl Judge {
    /// One that has seen no call yet.
    pub fn new(quota: Quota) -> Self {
        let count = match quota.kind {
            Window::Sliding => Count::Sliding(VecDeque::new()),
            Window::Fixed { .. } => Count::Fixed { window: 0, calls: 0 },
            Window::TokenBucket => Count::Bucket { level: u128::MAX, at: Duration::ZERO },
        };
        Judge { quota, count }
    }

    /// Is a call at `now` within the quota? `now` must not go back from one call to the next.
    pub fn admits(&mut self, now: Duration) -> bool {
        let calls = self.quota.calls;
        let refusals_count = self.quota.refusals_count;
        let span = self.quota.window.as_nanos().max(1);
        match &mut self.count {
            Count::Sliding(last) => {
                // Of all that came before, only the call `calls` places back decides.
                let admitted = match last.front() {
                    Some(first) if last.len() >= calls as usize => {
                        now.saturating_sub(*first).as_nanos() > span
                    }
                    _ => calls > 0,
                };
                if admitted || refusals_count {
                    last.push_back(now);
                }
                if last.len() > calls as usize {
                    last.pop_front();
                }
                admitted
            }
            Count::Fixed { window, calls: counted } => {
                let Window::Fixed { phase } = self.quota.kind else { return false };
                let current = (now.as_nanos() + span - phase.as_nanos() % span) / span;
                if current != *window {
                    (*window, *counted) = (current, 0);
                }
                let admitted = *counted < calls;
                *counted = counted.saturating_add(u32::from(admitted || refusals_count));
                admitted
            }
            Count::Bucket { level, at } => {
                // One token is `span` units, and `calls` units flow in each nanosecond: no rounding anywhere.
                let flow = now.saturating_sub(*at).as_nanos().saturating_mul(u128::from(calls));
                *level = level.saturating_add(flow).min(span.saturating_mul(u128::from(calls)));
                *at = now;
                let admitted = *level >= span;
                if admitted || refusals_count {
                    *level = level.saturating_sub(span);
                }
                admitted
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Count {
    /// When the last counted calls came: as many as the quota has.
    Sliding(VecDeque<Duration>),
    Fixed {
        window: u128,
        calls: u32,
    },
    Bucket {
        level: u128,
        at: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Judges calls at these milliseconds against 2 in 1 s; `+` is let through, `-` is not.
    fn check(kind: Window, refusals_count: bool, at_ms: &[u64], expected: &str) {
        let quota = Quota { calls: 2, window: Duration::from_secs(1), kind, refusals_count };
        let mut judge = Judge::new(quota);
        let judged: String =
            at_ms.iter().map(|ms| if judge.admits(Duration::from_millis(*ms)) { '+' } else { '-' }).collect();
        assert_eq!(judged, expected, "{kind:?}, refusals count: {refusals_count}, at {at_ms:?}");
    }

    #[test]
    fn each_window_at_its_edges() {
        let fixed = |ms| Window::Fixed { phase: Duration::from_millis(ms) };
        check(Window::Sliding, false, &[0, 0, 0, 999, 1000, 1001, 1001, 1001], "++---++-");
        check(Window::Sliding, false, &[0, 600, 1000, 1001, 1600, 1601], "++-+-+");
        check(Window::Sliding, false, &[0, 0, 500, 1000, 1001, 1400, 1501, 2502], "++--++-+");
        check(Window::Sliding, true, &[0, 0, 500, 1000, 1001, 1400, 1501, 2502], "++-----+");
        check(fixed(0), false, &[0, 999, 999, 1000, 1999, 1999, 2000], "++-++-+");
        check(fixed(300), false, &[0, 299, 299, 300, 301, 1299, 1300], "++-++-+");
        check(fixed(1300), false, &[0, 299, 299, 300], "++-+");
        check(fixed(0), true, &[0, 0, 0, 1000, 1000, 1000], "++-++-");
        check(Window::TokenBucket, false, &[0, 0, 0, 499, 500, 500, 5000, 5000, 5000], "++--+-++-");
        check(Window::TokenBucket, true, &[0, 0, 499, 500, 998, 999, 1499], "++----+");
        let judge = Judge::new(Quota { calls: 0, ..Quota::default() });
        assert!(!judge.clone().admits(Duration::ZERO));
    }

    #[test]
    fn a_sliding_window_never_holds_more_than_the_quota_and_refuses_only_when_full() {
        for seed in 0..50 {
            let mut rng = Rng::new(seed, 0);
            let mut judge = Judge::new(Quota { calls: 5, ..Quota::default() });
            let mut admitted: Vec<Duration> = Vec::new();
            let mut now = Duration::ZERO;
            for _ in 0..500 {
                now += Duration::from_millis(rng.below(1000) as u64);
                let within = admitted.iter().filter(|at| now - **at <= Duration::from_secs(5)).count();
                let admits = judge.admits(now);
                assert_eq!(admits, within < 5, "seed {seed} at {now:?}");
                admitted.extend(admits.then_some(now));
            }
        }
    }
}
