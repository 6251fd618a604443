use std::time::Duration;

use crate::wire::quoted;
use crate::{Error, parse_duration};

/// So many calls in so long a window. 25 calls in 5 s is the vendor's default; other plans have less \[docs\].
///
/// ```
/// use activity_status::builtin::Quota;
/// use std::time::Duration;
///
/// assert_eq!(Quota::default(), Quota::new(25, Duration::from_secs(5)));
/// assert_eq!("10/5s".parse::<Quota>()?, Quota::new(10, Duration::from_secs(5)));
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    calls: u32,
    window: Duration,
}

impl Quota {
    /// `calls` in any `window`. A quota of zero, or with a window of zero or over an hour, is refused by
    /// [`SlotRules::new`].
    pub const fn new(calls: u32, window: Duration) -> Self {
        Quota { calls, window }
    }

    /// How many calls.
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    /// In how long a time.
    pub const fn window(&self) -> Duration {
        self.window
    }

    fn checked(self) -> Result<Self, Error> {
        let hour = Duration::from_secs(3600);
        if self.calls == 0 || self.calls > 100_000 || self.window.is_zero() || self.window > hour {
            return Err(Error::config(format!(
                "a quota of {} calls in {:?} lets nothing through or makes no sense; the vendor's default is 25 in 5 s",
                self.calls, self.window
            )));
        }
        Ok(self)
    }
}

impl Default for Quota {
    fn default() -> Self {
        Quota::new(25, Duration::from_secs(5))
    }
}

impl std::str::FromStr for Quota {
    type Err = Error;

    /// Calls, a slash, a time: `25/5s`, `25/5`, `100/1m`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('/').and_then(|(calls, window)| {
            Some(Quota::new(calls.trim().parse().ok()?, parse_duration(window).ok()?))
        });
        parts
            .ok_or_else(|| {
                Error::config(format!("{} is no quota: give calls and seconds, such as 25/5s", quoted(text)))
            })?
            .checked()
    }
}

/// How slots are kept: the quota, and what may be chosen about it. The same for every limiter made of slots, wherever
/// its state lives; all who share one state are to use the same rules.
///
/// ```
/// use activity_status::builtin::{Quota, SlotRules};
///
/// let rules = SlotRules::new(Quota::default())?.strict(true).submit_share(20)?;
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRules {
    quota: Quota,
    strict: bool,
    submit_share: u8,
    longest_call: Duration,
}

/// No call takes longer: its transport sees to that.
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(24 * 3600);

impl SlotRules {
    /// The rules for this quota: an estimated margin, half of a contended quota for submits, calls of 60 s at most.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a quota of zero or of more than 100,000 calls, or a window of zero or
    /// over an hour.
    pub fn new(quota: Quota) -> Result<Self, Error> {
        let longest_call = Duration::from_secs(60);
        Ok(SlotRules { quota: quota.checked()?, strict: false, submit_share: 50, longest_call })
    }

    /// Whether a slot is held for a whole window after the answer. It is then safe under any delay, and costs one round trip
    /// a window. Otherwise (default) it is held for less by a margin that is estimated from the round trips seen: that gains
    /// where they are steady, is zero where they vary, and lets through at most one refusal in 100,000 calls. Whoever is strict
    /// makes all who share the state strict.
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Of a hundred calls let through while submits and questions both wait, so many are submits. What one kind does not
    /// use, the other gets. 50 unless set: each job needs one submit and at least one question, so with equal shares
    /// neither piles up behind the other.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for 0 and for 100 and more, which would starve one of the two.
    pub fn submit_share(mut self, percent: u8) -> Result<Self, Error> {
        if !(1..=99).contains(&percent) {
            return Err(Error::config(format!(
                "a submit share of {percent} starves one kind of call; give 1 to 99 of a hundred"
            )));
        }
        self.submit_share = percent;
        Ok(self)
    }

    /// The longest that one call may take, its [deadline](crate::ClientBuilder::call_deadline): the slot of a caller that
    /// died in a call is free a window after that. 60 s unless set; a day at the most.
    pub fn longest_call(mut self, longest: Duration) -> Self {
        self.longest_call = longest.min(LONGEST_CALL);
        self
    }

    /// The same rules for another quota.
    ///
    /// # Errors
    /// Those of [`new`](SlotRules::new).
    pub fn with_quota(mut self, quota: Quota) -> Result<Self, Error> {
        self.quota = quota.checked()?;
        Ok(self)
    }

    /// The quota that is kept.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// Whether the margin is zero, always.
    pub const fn is_strict(&self) -> bool {
        self.strict
    }

    /// The longest that a call may take.
    pub const fn lease(&self) -> Duration {
        self.longest_call
    }

    pub(crate) const fn percent_of_submits(&self) -> u8 {
        self.submit_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_that_make_no_sense_are_refused() {
        for text in ["0/5s", "25/0s", "25", "x/5", "25/-1", "25/1e9", "25/nan", "-1/5", ""] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
        assert!(SlotRules::new(Quota::new(0, Duration::from_secs(5))).is_err());
        assert_eq!("100/1m".parse::<Quota>().unwrap(), Quota::new(100, Duration::from_secs(60)));
        assert_eq!(" 2 / 2.5 s".parse::<Quota>().unwrap(), Quota::new(2, Duration::from_millis(2500)));
    }
}
