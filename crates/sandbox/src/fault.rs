use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::answers::vendor_error;
use crate::rng::Rng;
use crate::{Call, CallKind, Manner, Reply, Settings};

/// What can go wrong with a call that is within the quota, has its keys and is well formed.
///
/// As JSON, for `POST /sandbox/faults`, each is its name in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// None: lets the call pass. For a plan, to set others off by.
    Pass,

    // Instead of the call: nothing is queued.
    /// The vendor is not there: in memory the call is certainly not sent, and not judged. A server cannot take back
    /// that it let the caller connect, and resets the connection.
    Unreachable,
    /// A 500 with the vendor's error body.
    ServerError,
    /// A 500 with a page of HTML, from some gateway.
    HtmlError,
    /// A 429, although the quota is kept.
    TooManyRequests,
    /// A 302 to [`Settings::redirect_to`].
    Redirect,
    /// The connection is kept, but no answer ever comes.
    Silence,
    /// The connection is reset.
    Reset,

    // To the answer: a submit is queued all the same.
    /// The connection is closed without an answer.
    AnswerLost,
    /// A 200 with nothing in it.
    EmptyAnswer,
    /// The answer ends half-way through its body.
    Truncated,
    /// The body comes in pieces, over [`Settings::slow_body`].
    SlowBody,
    /// 12 MB of white space come before the JSON.
    Huge,
    /// A status that is about another job. Other calls never meet it.
    AboutAnother,
}

/// An entry in a plan of faults. As JSON: `{"fault": "reset", "on": "submit", "times": 2}`; only the first is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What happens.
    pub fault: Fault,
    /// To what kind of call; to any if this is not given. Calls of other kinds go on to the next entry.
    #[serde(default)]
    pub on: Option<CallKind>,
    /// To how many calls. One if this is not given.
    #[serde(default = "once")]
    pub times: u32,
}

impl Planned {
    /// Strikes the next call of this kind.
    pub fn on(kind: CallKind, fault: Fault) -> Self {
        Planned { fault, on: Some(kind), times: 1 }
    }

    fn admits(&self, kind: CallKind) -> bool {
        let possible = self.fault != Fault::AboutAnother || kind == CallKind::Status;
        possible && self.on.is_none_or(|on| on == kind)
    }
}

impl From<Fault> for Planned {
    /// Strikes the next call of any kind.
    fn from(fault: Fault) -> Self {
        Planned { fault, on: None, times: 1 }
    }
}

/// Decides which call meets which fault.
#[derive(Debug)]
pub(crate) struct Faults {
    plan: VecDeque<Planned>,
    draws: Rng,
}

impl Faults {
    pub(crate) fn new(settings: &Settings) -> Self {
        Faults { plan: settings.faults.clone().into(), draws: Rng::new(settings.seed, 4) }
    }

    pub(crate) fn plan(&mut self, more: impl IntoIterator<Item = Planned>) {
        self.plan.extend(more);
    }

    pub(crate) fn planned(&self) -> usize {
        self.plan.len()
    }

    /// Uses up an [`Unreachable`](Fault::Unreachable) if it is the next in the plan for calls of this kind.
    pub(crate) fn take_unreachable(&mut self, kind: CallKind) -> bool {
        let next = self.plan.iter().position(|planned| planned.admits(kind) && planned.times > 0);
        let found = next.filter(|index| self.plan[*index].fault == Fault::Unreachable);
        found.and_then(|index| self.use_up(index)).is_some()
    }

    /// What strikes a call of this kind; none if it passes.
    pub(crate) fn next(&mut self, kind: CallKind, settings: &Settings) -> Option<Fault> {
        let planned = self.plan.iter().position(|planned| planned.admits(kind) && planned.times > 0);
        let fault = match planned {
            Some(index) => self.use_up(index),
            None if self.draws.chance(settings.fault_probability) => {
                let drawn = settings.fault_kinds.get(self.draws.below(settings.fault_kinds.len()));
                drawn.copied().filter(|fault| Planned::from(*fault).admits(kind))
            }
            None => None,
        };
        fault.filter(|fault| *fault != Fault::Pass)
    }

    fn use_up(&mut self, index: usize) -> Option<Fault> {
        let planned = self.plan.get_mut(index)?;
        let fault = planned.fault;
        planned.times -= 1;
        if planned.times == 0 {
            self.plan.remove(index);
        }
        Some(fault)
    }
}

impl Fault {
    /// The answer to a call that is not carried out because of this; none if it is carried out.
    pub(crate) fn instead(self, call: &Call, settings: &Settings) -> Option<Reply> {
        let html = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>";
        Some(match self {
            Fault::ServerError => {
                vendor_error(500, "MXUnhandledException", "An error has occurred. Please try again")
            }
            Fault::HtmlError => Reply::new(500, "text/html", html.to_vec()),
            Fault::TooManyRequests => crate::answers::refusal(&settings.quota),
            Fault::Redirect => {
                let mut reply = Reply::new(302, "text/html", Vec::new());
                reply.headers.push(("location".into(), format!("{}{}", settings.redirect_to, call.target())));
                reply
            }
            Fault::Silence => Reply::odd(Manner::Never),
            Fault::Reset | Fault::Unreachable => Reply::odd(Manner::Reset),
            _ => return None,
        })
    }

    /// What is left of the answer to a call that was carried out.
    pub(crate) fn spoil(self, mut reply: Reply, settings: &Settings) -> Reply {
        match self {
            Fault::AnswerLost => reply = Reply::odd(Manner::Closed),
            Fault::EmptyAnswer => reply.body.clear(),
            Fault::Truncated => reply.manner = Manner::Truncated,
            Fault::SlowBody => reply.manner = Manner::Slow(settings.slow_body),
            Fault::Huge => {
                let body = std::mem::replace(&mut reply.body, vec![b' '; HUGE]);
                reply.body.extend(body);
            }
            _ => {}
        }
        reply
    }
}

const HUGE: usize = 12_000_000;

/// How long the pieces of a slow body are apart, and how many there are.
pub(crate) fn slow_pieces(len: usize, over: Duration) -> (usize, Duration) {
    let pieces = len.clamp(1, 10);
    (len.div_ceil(pieces).max(1), over / pieces as u32)
}

fn once() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use CallKind::{Metrics, Status, Submit};

    #[test]
    fn a_plan_is_used_up_in_order_by_the_calls_it_is_for() {
        let settings = Settings {
            faults: vec![
                Planned::on(Submit, Fault::Reset),
                Planned { times: 2, ..Fault::Pass.into() },
                Fault::AboutAnother.into(),
                Fault::Huge.into(),
                Planned { times: 0, ..Fault::Silence.into() },
            ],
            ..Settings::default()
        };
        let mut faults = Faults::new(&settings);
        let met = [Status, Submit, Metrics, Submit, Status, Status].map(|kind| faults.next(kind, &settings));
        let expected = [None, Some(Fault::Reset), None, Some(Fault::Huge), Some(Fault::AboutAnother), None];
        assert_eq!(met, expected);
    }

    #[test]
    fn the_unreachable_is_taken_only_when_its_turn_has_come() {
        let settings = Settings {
            faults: vec![Fault::Pass.into(), Planned::on(Submit, Fault::Unreachable)],
            ..Settings::default()
        };
        let mut faults = Faults::new(&settings);
        assert!(!faults.take_unreachable(Submit));
        assert_eq!(faults.next(Submit, &settings), None);
        assert!(!faults.take_unreachable(Status));
        assert!(faults.take_unreachable(Submit));
        assert!(!faults.take_unreachable(Submit));
    }

    #[test]
    fn faults_are_drawn_as_often_as_told() {
        let settings = Settings {
            fault_probability: 0.2,
            fault_kinds: vec![Fault::Reset, Fault::Silence, Fault::AboutAnother],
            ..Settings::default()
        };
        let mut faults = Faults::new(&settings);
        let drawn: Vec<Fault> = (0..3000).filter_map(|_| faults.next(Submit, &settings)).collect();
        assert!((330..470).contains(&drawn.len()), "{}", drawn.len());
        assert!(drawn.contains(&Fault::Reset) && drawn.contains(&Fault::Silence));
        assert!(!drawn.contains(&Fault::AboutAnother));
    }

    #[test]
    fn a_plan_reads_as_json() {
        let plan: Vec<Planned> =
            serde_json::from_str(r#"[{"fault":"answer_lost","on":"submit"},{"fault":"pass","times":3}]"#)
                .unwrap();
        let expected = [Planned::on(Submit, Fault::AnswerLost), Planned { times: 3, ..Fault::Pass.into() }];
        assert_eq!(plan, expected);
        assert!(serde_json::from_str::<Planned>(r#"{"fault":"reset","onn":"submit"}"#).is_err());
    }
}
