use std::fmt;

use crate::contenders::{OURS, OURS_IN_PYTHON};
use crate::permits::Costs;
use crate::race::{PROFILES, SLIDING, WINDOWS};
use crate::table::{Row, find};

/// Something that ours must reach.
pub(crate) struct Goal {
    what: String,
    figure: String,
    pub(crate) reached: bool,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.reached { "ok    " } else { "MISSED" };
        write!(f, "{verdict} {}: {}", self.what, self.figure)
    }
}

/// Each goal with its figure.
pub(crate) fn check(rows: &[Row], costs: &Costs) -> Vec<Goal> {
    let ours = |window, profile| find(rows, window, profile, OURS);
    let mut goals = Vec::new();
    for profile in PROFILES {
        for window in WINDOWS {
            let (figure, reached) = match ours(window.name, profile.name) {
                Some(Row { refused, lost, .. }) => (format!("{refused}, {lost}"), refused + lost == 0),
                None => ("no run".to_owned(), false),
            };
            let what = format!("{} window, {}: calls refused, ids lost: none", window.name, profile.name);
            goals.push(Goal { what, figure, reached });
        }
        let sustained = ours(SLIDING, profile.name).map_or(0.0, |row| row.sustained);
        goals.push(Goal {
            what: format!("{SLIDING} window, {}: sustained {} % or more", profile.name, profile.goal),
            figure: format!("{sustained:.2} %"),
            reached: sustained >= profile.goal,
        });
    }
    for profile in PROFILES {
        let (rust, python) = (ours(SLIDING, profile.name), find(rows, SLIDING, profile.name, OURS_IN_PYTHON));
        let (figure, reached) = match (rust, python) {
            (Some(rust), Some(python)) => {
                let less = rust.sustained - python.sustained;
                let lost = python.refused + python.lost;
                (format!("{less:.2} less, {lost} refused or lost"), less <= 0.3 && lost == 0)
            }
            _ => ("no run".to_owned(), false),
        };
        let what =
            format!("{SLIDING} window, {}: Python at most 0.3 points less, none refused", profile.name);
        goals.push(Goal { what, figure, reached });
    }
    for (what, cost, bound_ns) in
        [("in process", &costs.in_process, 200.0), ("through the file", &costs.through_file, 20_000.0)]
    {
        let (figure, reached) = match cost {
            Ok(cost) => (format!("{:.0} ns", cost.take), cost.take < bound_ns),
            Err(error) => (format!("not measured: {error}"), false),
        };
        goals.push(Goal { what: format!("a permit {what}: less than {bound_ns} ns"), figure, reached });
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permits::Cost;
    use crate::table::sample;

    fn missed(rows: &[Row], costs: &Costs) -> Vec<String> {
        check(rows, costs).iter().filter(|goal| !goal.reached).map(Goal::to_string).collect()
    }

    #[test]
    fn a_goal_that_is_missed_is_named_with_its_figure() {
        let good = || Costs {
            in_process: Ok(Cost { take: 150.0, give_back: 90.0 }),
            through_file: Ok(Cost { take: 9000.0, give_back: 9000.0 }),
            governor: 20.0,
        };
        let mut rows = sample();
        for row in &mut rows {
            row.sustained = 100.0;
            (row.refused, row.lost) = (0, 0);
        }
        let all: Vec<Row> = WINDOWS
            .iter()
            .flat_map(|kind| rows.iter().map(|row| Row { window: kind.name.into(), ..row.clone() }))
            .collect();
        assert_eq!(missed(&all, &good()), [""; 0]);

        let mut slow = all.clone();
        slow[0].sustained = 99.89;
        let mut behind = all.clone();
        let python = behind.iter_mut().find(|row| row.contender == OURS_IN_PYTHON);
        python.unwrap().sustained = 99.69;
        let mut lost = all.clone();
        lost[0].lost = 1;
        let named = |missed: Vec<String>, words: &str| {
            assert!(
                missed.len() == 1 && missed[0].contains("MISSED") && missed[0].contains(words),
                "{missed:?}"
            );
        };
        named(missed(&slow, &good()), "99.89 %");
        named(missed(&lost, &good()), "0, 1");
        named(missed(&behind, &good()), "0.31 less");
        named(missed(&all[1..], &Costs { ..good() })[..1].to_vec(), "no run");
        let dear = Costs { in_process: Ok(Cost { take: 200.0, give_back: 9.0 }), ..good() };
        named(missed(&all, &dear), "in process");
        let absent = Costs { through_file: Err("no file".into()), ..good() };
        named(missed(&all, &absent), "no file");
    }
}
