use crate::Settings;
use crate::rng::Rng;

/// What will become of a job: how often it fails for a system reason first, and how it ends.
///
/// The text of a submission decides it with markers, in an `ActivityNote` say, so that anyone can provoke each:
///
/// | marker | what happens |
/// |---|---|
/// | `sandbox:fail` | an application error: `FAILURE`, never retried |
/// | `sandbox:error` | `ERROR`, final |
/// | `sandbox:fail=No such event` | the same, for this reason (up to the end of the text); `error` too |
/// | `sandbox:retry=2` | fails twice for a system reason, each time retried later, then ends as it would have |
/// | `sandbox:never` | fails for a system reason until the retries are used up |
///
/// Without a marker the probabilities of the [`Settings`] decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// How many times it fails for a system reason before it ends as `ending` says.
    pub system_failures: u32,
    /// How it ends, if the retries suffice.
    pub ending: Ending,
}

impl Fate {
    /// The fate that the markers in a submission's text ask for; none if there is no marker.
    pub fn marked(body: &str) -> Option<Fate> {
        let mut fate = None;
        for rest in body.split("sandbox:").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
            let (word, rest) = rest.split_at(end);
            let so_far = fate.unwrap_or(Fate { system_failures: 0, ending: Ending::Success });
            fate = Some(match word {
                "fail" => Fate { ending: Ending::Failure, ..so_far },
                "error" => Fate { ending: Ending::Error, ..so_far },
                "never" => Fate { system_failures: u32::MAX, ..so_far },
                "retry" => Fate { system_failures: times(rest), ..so_far },
                _ => continue,
            });
        }
        fate
    }

    /// The reason that a `fail` or `error` marker gives, to the end of the text that it stands in.
    pub(crate) fn reason(body: &str) -> Option<&str> {
        let given = body
            .split("sandbox:")
            .skip(1)
            .find_map(|rest| rest.strip_prefix("fail=").or_else(|| rest.strip_prefix("error=")))?;
        let end = given.find(['"', '\\']).unwrap_or(given.len());
        Some(given[..end].trim()).filter(|reason| !reason.is_empty())
    }

    pub(crate) fn of(body: &str, settings: &Settings, rng: &mut Rng) -> Fate {
        if let Some(fate) = Fate::marked(body) {
            return fate;
        }
        let mut system_failures = 0;
        let mut chance = settings.system_errors;
        while system_failures as usize <= settings.ladder.len() && rng.chance(chance) {
            system_failures += 1;
            chance = settings.system_errors_again;
        }
        let failed = rng.chance(settings.application_errors);
        Fate { system_failures, ending: if failed { Ending::Failure } else { Ending::Success } }
    }
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It was done.
    Success,
    /// An application error: something about the job itself is wrong.
    Failure,
    /// The system could not do it.
    Error,
}

/// The number in `=2`; once if there is none.
fn times(text: &str) -> u32 {
    let digits = text.strip_prefix('=').unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_decide() {
        use Ending::{Error, Failure, Success};
        for (body, expected) in [
            ("nothing special", None),
            ("sandbox:dance", None),
            ("a sandbox:fail.", Some((0, Failure))),
            ("sandbox:error", Some((0, Error))),
            ("sandbox:never", Some((u32::MAX, Success))),
            ("sandbox:retry=2 please", Some((2, Success))),
            ("sandbox:retry", Some((1, Success))),
            ("sandbox:retry=12\" sandbox:fail", Some((12, Failure))),
        ] {
            let fate = Fate::marked(body).map(|fate| (fate.system_failures, fate.ending));
            assert_eq!(fate, expected, "{body}");
        }
    }

    #[test]
    fn a_marker_may_give_the_reason() {
        for (body, reason) in [
            ("sandbox:fail", None),
            ("sandbox:fail=", None),
            (r#"{"a":"x sandbox:fail=MXOdd: no such event","b":1}"#, Some("MXOdd: no such event")),
            (r#"{"a":"sandbox:error=out of order sandbox:retry=2"}"#, Some("out of order")),
            (r#"{"a":"sandbox:fail=one\u0022two"}"#, Some("one")),
        ] {
            assert_eq!(Fate::reason(body), reason, "{body}");
        }
        assert_eq!(Fate::marked("sandbox:fail=No such event").map(|fate| fate.ending), Some(Ending::Failure));
    }

    #[test]
    fn without_a_marker_the_settings_decide() {
        let mut rng = Rng::new(1, 1);
        let mut count = |settings: &Settings| {
            let fates: Vec<Fate> = (0..1000).map(|_| Fate::of("{}", settings, &mut rng)).collect();
            let failed = fates.iter().filter(|fate| fate.ending == Ending::Failure).count();
            (failed, fates.iter().map(|fate| fate.system_failures).max())
        };
        assert_eq!(count(&Settings::default()), (0, Some(0)));
        let (failed, most) = count(&Settings {
            application_errors: 0.2,
            system_errors: 0.5,
            system_errors_again: 0.5,
            ..Settings::default()
        });
        assert!((150..250).contains(&failed), "{failed}");
        assert!(most > Some(3) && most <= Some(11), "{most:?}");
        let once = Settings { system_errors: 0.5, system_errors_again: 0.0, ..Settings::default() };
        assert_eq!(count(&once), (0, Some(1)));
        assert_eq!(count(&Settings { application_errors: 1.0, ..Settings::default() }).0, 1000);
    }
}
