//! Two worlds as a picture: how late each contender knows, against how many calls it makes.

use std::fmt::Write;

use crate::Failure;
use crate::picture::{STYLE, text};

use super::goals::floor;
use super::peers::PEERS;
use super::{FULL, ORACLE, Row, find};

/// The worlds that are shown side by side, in words, and how many jobs a minute are done in them while there are any.
const SHOWN: [(&str, &str); 2] =
    [("W1", "2,000 jobs at once, 25 done a minute"), ("W2", "an hour of jobs as they come, 70 % load")];

/// Ours by the price of a call, and the label of that price.
const PRICES: [(&str, &str); 6] = [
    ("frontier", "5 ms"),
    ("frontier 0.02", "20 ms"),
    ("frontier 0.1", "0.1 s"),
    ("frontier 0.5", "0.5 s"),
    ("frontier 2", "2 s"),
    ("frontier 10", "10 s"),
];

const PACED: &str = "round robin, paced";

const NOTES: [&str; 3] = [
    "Ours by the price of a call: it is made when the waiting that it is expected to end, over all jobs, is as long.",
    "Simulated in virtual time: 25 calls in 5 s, one worker without memory, a round trip of 80 ms. Both axes are logarithmic.",
    "Peers are models of the documented timers behind the same limiter; those that give up after 40 attempts are left out.",
];

const OWN_STYLE: &str = "\
.line{fill:none;stroke:#0969da;stroke-width:2.5}.grid{stroke:#d1d9e0}.bound{stroke:#1f2328;stroke-dasharray:4 4}.blue{fill:#0969da}\
@media (prefers-color-scheme:dark){.line{stroke:#4493f8}.grid{stroke:#3d444d}.bound{stroke:#f0f6fc}.blue{fill:#4493f8}}";

const WIDTH: f64 = 840.0;
const HEIGHT: f64 = 524.0;
/// Where the panels begin, and their size.
const LEFT: [f64; 2] = [62.0, 468.0];
const PANEL: (f64, f64) = (346.0, 320.0);
const TOP: f64 = 96.0;
/// Calls per completion, and seconds, from one border to the other.
const CALLS: (f64, f64) = (0.85, 24.0);
const SECONDS: (f64, f64) = (0.025, 400.0);

/// The rows as a picture.
pub(crate) fn svg(rows: &[Row]) -> Result<String, Failure> {
    let mut out = String::new();
    let (width, height) = (WIDTH - 1.0, HEIGHT - 1.0);
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">
<title>How long it takes to know of a completion, and how many calls that costs</title>
<style>{STYLE}{OWN_STYLE}</style>
<rect class="card" x="0.5" y="0.5" width="{width}" height="{height}" rx="8"/>"#,
    );
    text(
        &mut out,
        24.0,
        32.0,
        "title",
        "From completion to knowing of it: mean seconds, against calls for each job",
    );
    for ((world, words), left) in SHOWN.iter().zip(LEFT) {
        Panel { left, taken: Vec::new() }.draw(&mut out, rows, world, words)?;
    }
    for (note, line) in NOTES.iter().zip(0_u8..) {
        text(&mut out, 24.0, HEIGHT - 52.0 + 18.0 * f64::from(line), "faint small", note);
    }
    out.push_str("</svg>\n");
    Ok(out)
}

/// The part of the picture for one world.
struct Panel {
    left: f64,
    /// What is drawn already, as x, y, width, height: no label goes there.
    taken: Vec<[f64; 4]>,
}

impl Panel {
    fn draw(mut self, out: &mut String, rows: &[Row], world: &str, words: &str) -> Result<(), Failure> {
        let run = |contender: &str| {
            find(rows, FULL, world, contender)
                .ok_or_else(|| format!("the data have no run of {contender} in {world}"))
        };
        text(out, self.left, TOP - 18.0, "strong", words);
        self.axes(out);
        let best = run(ORACLE)?.mean;
        self.bound(out, best, "who knows each completion in advance");
        self.bound(out, floor(25.0, 0.2), "the least for even calls");

        let ours: Vec<(f64, f64)> =
            PRICES.iter().map(|(name, _)| run(name).map(|row| self.at(row))).collect::<Result<_, _>>()?;
        let points: Vec<String> = ours.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(out, r#"<polyline class="line" points="{}"/>"#, points.join(" "));
        for pair in ours.windows(2) {
            self.take_line(pair[0], pair[1]);
        }
        for (x, y) in &ours {
            self.dot(out, "ours", *x, *y);
        }

        let mut others = vec![run(PACED)?];
        for peer in PEERS {
            others.extend(
                Some(run(peer.name)?).filter(|row| row.lost == 0 && !row.contender.starts_with("boto")),
            );
        }
        let groups = groups(others.into_iter().map(|row| (row.contender, self.at(row))).collect());
        for (x, y) in groups.iter().flat_map(|group| group.iter().map(|(_, at)| *at)) {
            self.dot(out, "other", x, y);
        }
        self.label(out, "blue strong", self.left, Self::y(0.37), &[(6.0, 0.0)], "activity-status");
        for ((_, price), (x, y)) in PRICES.iter().zip(&ours) {
            let width = width_of(price);
            self.label(out, "blue small", *x, *y, &[(-6.0 - width, 12.0), (-8.0 - width, 4.0)], price);
        }
        for group in &groups {
            let words = match &group[..] {
                [(name, _)] => (*name).to_owned(),
                [(one, _), (other, _)] => format!("{one}; {other}"),
                _ => "all timers; round robin".to_owned(),
            };
            let (x, y) = group[0].1;
            let width = width_of(&words);
            let right_or_left = [(8.0, 4.0), (-8.0 - width, 4.0)];
            let above_or_below = [(-width / 2.0, -9.0), (-6.0, -9.0), (-width / 2.0, 18.0), (4.0, 18.0)];
            let last = [(-width + 12.0, -9.0), (-width + 12.0, 18.0)];
            self.label(out, "small", x, y, &[&right_or_left[..], &above_or_below, &last].concat(), &words);
        }
        Ok(())
    }

    fn x(&self, calls: f64) -> f64 {
        self.left + PANEL.0 * (calls / CALLS.0).ln() / (CALLS.1 / CALLS.0).ln()
    }

    fn y(seconds: f64) -> f64 {
        TOP + PANEL.1 * (1.0 - (seconds / SECONDS.0).ln() / (SECONDS.1 / SECONDS.0).ln())
    }

    fn at(&self, row: &Row) -> (f64, f64) {
        (self.x(row.calls), Self::y(row.mean))
    }

    fn axes(&mut self, out: &mut String) {
        for seconds in [0.1, 1.0, 10.0, 100.0] {
            let y = Self::y(seconds);
            let _ = writeln!(
                out,
                r#"<line class="grid" x1="{:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}"/><text class="faint small" x="{:.1}" y="{:.1}" text-anchor="end">{seconds} s</text>"#,
                self.left,
                self.left + PANEL.0,
                self.left - 6.0,
                y + 4.0
            );
        }
        for calls in [1.0, 2.0, 5.0, 10.0, 20.0] {
            let (x, bottom) = (self.x(calls), TOP + PANEL.1);
            let _ = writeln!(
                out,
                r#"<line class="grid" x1="{x:.1}" y1="{TOP:.1}" x2="{x:.1}" y2="{bottom:.1}"/><text class="faint small" x="{x:.1}" y="{:.1}" text-anchor="middle">{calls}</text>"#,
                bottom + 16.0
            );
        }
        text(
            out,
            self.left + PANEL.0 / 2.0 - 62.0,
            TOP + PANEL.1 + 34.0,
            "faint small",
            "calls per completion",
        );
    }

    /// The least that anybody can reach.
    fn bound(&mut self, out: &mut String, seconds: f64, words: &str) {
        let (y, right) = (Self::y(seconds), self.left + PANEL.0);
        let _ = writeln!(
            out,
            r#"<line class="bound" x1="{:.1}" y1="{y:.1}" x2="{right:.1}" y2="{y:.1}"/>"#,
            self.left
        );
        text(out, self.left + 6.0, y - 5.0, "small", words);
        self.taken.push([self.left, y - 16.0, width_of(words) + 6.0, 16.0]);
        self.taken.push([self.left, y - 1.0, PANEL.0, 2.0]);
    }

    fn dot(&mut self, out: &mut String, class: &str, x: f64, y: f64) {
        let _ = writeln!(out, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="4.5"/>"#);
        self.taken.push([x - 4.5, y - 4.5, 9.0, 9.0]);
    }

    fn take_line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        for part in (0..=20).map(|n| f64::from(n) / 20.0) {
            self.taken.push([x1 + (x2 - x1) * part - 2.0, y1 + (y2 - y1) * part - 2.0, 4.0, 4.0]);
        }
    }

    /// Beside the dot, at the first of these distances where there is room.
    fn label(&mut self, out: &mut String, class: &str, x: f64, y: f64, places: &[(f64, f64)], words: &str) {
        let width = width_of(words);
        let is_free = |(x, y): &(f64, f64)| {
            let inside = *x >= self.left && x + width <= self.left + PANEL.0 && *y - 11.0 >= TOP;
            inside && self.taken.iter().all(|other| !overlap([*x, y - 10.0, width, 12.0], *other))
        };
        if let Some((x, y)) = places.iter().map(|(right, down)| (x + right, y + down)).find(is_free) {
            text(out, x, y, class, words);
            self.taken.push([x, y - 10.0, width, 12.0]);
        }
    }
}

/// A contender and its place.
type Dot<'a> = (&'a str, (f64, f64));

/// Dots that lie upon each other share a label.
fn groups(dots: Vec<Dot<'_>>) -> Vec<Vec<Dot<'_>>> {
    let mut groups: Vec<Vec<Dot<'_>>> = Vec::new();
    for (name, (x, y)) in dots {
        let near = |(_, (other_x, other_y)): &Dot<'_>| (x - other_x).hypot(y - other_y) < 9.0;
        match groups.iter_mut().find(|group| group.iter().any(near)) {
            Some(group) => group.push((name, (x, y))),
            None => groups.push(vec![(name, (x, y))]),
        }
    }
    // Whoever has the fewest places for a label comes first.
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

/// About how wide a label is.
fn width_of(words: &str) -> f64 {
    6.2 * words.chars().count() as f64
}

fn overlap(one: [f64; 4], other: [f64; 4]) -> bool {
    let apart = |n: usize| one[n] + one[n + 2] <= other[n] || other[n] + other[n + 2] <= one[n];
    !apart(0) && !apart(1)
}
