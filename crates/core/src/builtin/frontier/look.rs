use super::late::Straggler;

/// A look that could be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) place: u32,
    pub(super) kind: Kind,
    /// The seconds of waiting that it is expected to end.
    pub(super) worth: f64,
    /// The cumulated hazard: how often the job should have finished since it was last seen.
    pub(super) hazard: f64,
    /// It need not keep the gap.
    pub(super) hurry: bool,
}

impl Look {
    /// Will it rather find the job finished?
    pub(super) fn is_sure(&self) -> bool {
        self.hazard >= std::f64::consts::LN_2
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// One of the oldest that were not overtaken by a younger one, or, without a rank, of those that were.
    Near {
        rank: Option<usize>,
        since: f64,
        in_turn: bool,
    },
    Late(Straggler),
    Sweep {
        since: f64,
    },
}
