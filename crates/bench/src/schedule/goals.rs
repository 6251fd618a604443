//! What ours must reach, with the figure that it did.

use std::fmt;

use super::size::Size;
use super::{FULL, ORACLE, POLITE, Row, best_peer, find};

pub(crate) struct Goal {
    number: u8,
    what: &'static str,
    figure: String,
    pub(crate) reached: bool,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.reached { "ok    " } else { "MISSED" };
        write!(f, "{verdict} {}. {}: {}", self.number, self.what, self.figure)
    }
}

/// Some figures and their bounds: all must hold.
struct Check {
    text: Vec<String>,
    holds: bool,
}

impl Check {
    fn at_most(&mut self, name: &str, figure: Option<f64>, bound: f64) {
        let holds = figure.is_some_and(|figure| figure <= bound);
        let mark = if holds { "" } else { "!" };
        let figure = figure.map_or("no run".to_owned(), |figure| format!("{figure:.3}"));
        self.text.push(format!("{name} {figure}{mark} (<= {bound})"));
        self.holds &= holds;
    }
}

fn goal(number: u8, what: &'static str, checks: impl FnOnce(&mut Check)) -> Goal {
    let mut check = Check { text: Vec::new(), holds: true };
    checks(&mut check);
    Goal { number, what, figure: check.text.join(", "), reached: check.holds }
}

/// The mean latency that looks at even gaps can reach, if completions come without memory at this rate and in order: M/D/1
/// with vacations.
pub(super) fn floor(per_minute: f64, gap: f64) -> f64 {
    let load = per_minute / 60.0 * gap;
    0.04 + gap / 2.0 + load * gap / (2.0 * (1.0 - load))
}

type Figure = fn(&Row) -> f64;

pub(crate) fn check(rows: &[Row], size: &Size) -> Vec<Goal> {
    let get = |quota, world, contender: &str, figure: Figure| find(rows, quota, world, contender).map(figure);
    let ours = |world, figure| get(FULL, world, "frontier", figure);
    let mean = |row: &Row| row.mean;
    let p99 = |row: &Row| row.p99;
    let calls = |row: &Row| row.calls;
    vec![
        goal(1, "one worker, over the memoryless floor", |check| {
            for (quota, gap) in [(FULL, 0.2), (POLITE, 1.0)] {
                // W2 is at 70 % load. For W6, with its outage, the floor is measured and the rate means nothing.
                for (world, per_minute) in
                    [("W1", 25.0), ("W1s", 25.0), ("W2", 17.5), ("W6", 8.75), ("W7b", 250.0)]
                {
                    let over = get(quota, world, "frontier", mean);
                    let floor = match (world, quota) {
                        // What can be reached with an outage and a rush behind it is measured.
                        ("W6", _) => get(quota, world, "oldest first, paced", mean),
                        ("W7b", POLITE) => continue,
                        _ => Some(floor(per_minute, gap)),
                    };
                    let ratio = over.zip(floor).map(|(ours, floor)| ours / floor);
                    check.at_most(&format!("{world} {quota}"), ratio, 1.10);
                }
            }
        }),
        goal(2, "bursts, over the best of the ten (and its calls)", |check| {
            for world in ["W1", "W3", "W4", "W7b"] {
                let best = best_peer(rows, FULL, world);
                let ratio = ours(world, mean).zip(best).map(|(ours, best)| ours / best.mean);
                check.at_most(world, ratio, 1.0 / 150.0);
                let ratio = ours(world, calls).zip(best).map(|(ours, best)| ours / best.calls);
                check.at_most("calls", ratio, 1.04);
            }
        }),
        goal(3, "regular service, (mean - 0.04) (calls - 1) at a price of 0.1, and the mean", |check| {
            let product =
                find(rows, FULL, "W1d", "frontier 0.1").map(|row| (row.mean - 0.04) * (row.calls - 1.0));
            check.at_most("product", product, 0.22);
            check.at_most("mean", get(FULL, "W1d", "frontier 0.1", mean), 0.20);
            check.at_most("calls", get(FULL, "W1d", "frontier 0.1", calls), 2.0);
        }),
        goal(4, "at a price of 0.1", |check| {
            for (world, bound) in [("W1", 4.3), ("W2", 4.3), ("W6", 5.0)] {
                check.at_most(world, get(FULL, world, "frontier 0.1", mean), 0.45);
                check.at_most("calls", get(FULL, world, "frontier 0.1", calls), bound);
            }
        }),
        goal(5, "stragglers", |check| {
            check.at_most("W4 mean", ours("W4", mean), 0.25);
            check.at_most("W4 p99", ours("W4", p99), 1.5);
            check.at_most("W4c p99", ours("W4c", p99), 5.0);
            check.at_most("W4c polite p99", get(POLITE, "W4c", "frontier", p99), 30.0);
            check.at_most("B7 mean", ours("B7", mean), 5.0);
        }),
        goal(6, "overload, over the oracle", |check| {
            for world in ["W5", "W7"] {
                let ratio =
                    ours(world, mean).zip(get(FULL, world, ORACLE, mean)).map(|(ours, all)| ours / all);
                check.at_most(world, ratio, 1.005);
            }
        }),
        goal(7, "any order, over round robin; ids lost", |check| {
            for world in ["B1", "B2", "B4", "B6s"] {
                let figures: [(&str, Figure, f64); 2] = [("mean", mean, 1.2), ("p99", p99, 1.5)];
                for (name, figure, bound) in figures {
                    let paced = get(FULL, world, "round robin, paced", figure);
                    let ratio = ours(world, figure).zip(paced).map(|(ours, paced)| ours / paced);
                    check.at_most(&format!("{world} {name}"), ratio, bound);
                }
            }
            let lost: u64 =
                rows.iter().filter(|row| row.contender.starts_with("frontier")).map(|row| row.lost).sum();
            check.at_most("lost", Some(lost as f64), 0.0);
        }),
        goal(8, "one job's median; a batch known after its end", |check| {
            check.at_most("W8 median", ours("W8", |row| row.median), 0.2);
            for world in ["W1", "W2", "W3"] {
                check.at_most(world, ours(world, |row| row.tail), 1.0);
            }
        }),
        goal(9, "a decision in microseconds, bytes a job, with a million jobs", |check| {
            check.at_most("in order", Some(size.in_order), 2.0);
            check.at_most("all late", Some(size.all_late), 2.0);
            check.at_most("bytes", size.bytes, 64.0);
        }),
        goal(10, "no world is worse than 1.2 times round robin, either quota", |check| {
            for family in super::FAMILIES {
                for quota in [FULL, POLITE] {
                    let paced = get(quota, family.name, "round robin, paced", mean);
                    // As in the product, which asks for the metrics once.
                    let ours = get(quota, family.name, "frontier, metrics", mean);
                    let ratio = ours.zip(paced).map(|(ours, paced)| ours / paced);
                    check.at_most(&format!("{} {quota}", family.name), ratio, 1.2);
                }
            }
        }),
        goal(11, "batches once a minute, mean", |check| check.at_most("N1", ours("N1", mean), 0.5)),
    ]
}
