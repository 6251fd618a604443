use std::fmt::Write;

use crate::Failure;
use crate::contenders::CONTENDERS;
use crate::race::PROFILES;

/// What one run showed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) window: String,
    pub(crate) profile: String,
    pub(crate) contender: String,
    pub(crate) wall_s: f64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
    /// Percent of the quota.
    pub(crate) sustained: f64,
}

/// The row of this run, if there is one.
pub(crate) fn find<'a>(rows: &'a [Row], window: &str, profile: &str, contender: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.window == window && row.profile == profile && row.contender == contender)
}

const HEADER: &str = "window,profile,contender,wall_s,calls_refused,ids_lost,sustained_percent";

/// One line a run. No name holds a comma.
pub(crate) fn to_csv(rows: &[Row]) -> String {
    let mut out = format!("{HEADER}\n");
    for Row { window, profile, contender, wall_s, refused, lost, sustained } in rows {
        let _ = writeln!(out, "{window},{profile},{contender},{wall_s:.2},{refused},{lost},{sustained:.2}");
    }
    out
}

/// Reads what [`to_csv`] wrote.
pub(crate) fn from_csv(text: &str) -> Result<Vec<Row>, Failure> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(format!("the first line is not {HEADER}").into());
    }
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [window, profile, contender, wall_s, refused, lost, sustained] = fields[..] else { return None };
        Some(Row {
            window: window.to_owned(),
            profile: profile.to_owned(),
            contender: contender.to_owned(),
            wall_s: wall_s.parse().ok()?,
            refused: refused.parse().ok()?,
            lost: lost.parse().ok()?,
            sustained: sustained.parse().ok()?,
        })
    };
    lines.map(|line| row(line).ok_or_else(|| format!("no run: {line:?}").into())).collect()
}

/// The runs against one kind of window: contenders down, profiles across.
pub(crate) fn markdown(rows: &[Row], window: &str) -> String {
    let line = |name: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.map(|cell| format!(" {cell:<17}|")).collect();
        format!("| {name:<14}|{}\n", cells.concat())
    };
    let mut out = line("", &mut PROFILES.iter().map(|profile| profile.name.to_owned()));
    out += &line("---", &mut PROFILES.iter().map(|_| "---".to_owned()));
    for contender in CONTENDERS {
        let cell = |profile: &str| match find(rows, window, profile, contender.name) {
            Some(Row { wall_s, refused, lost: 0, sustained, .. }) => {
                format!("{wall_s:.1}/{refused}/{sustained:.1}")
            }
            Some(Row { wall_s, refused, lost, sustained, .. }) => {
                format!("{wall_s:.1}/{refused}/{sustained:.1} [{lost}]")
            }
            None => "-".to_owned(),
        };
        out += &line(contender.name, &mut PROFILES.iter().map(|profile| cell(profile.name)));
    }
    out
}

#[cfg(test)]
pub(crate) fn sample() -> Vec<Row> {
    let mut rows = Vec::new();
    for (p, profile) in PROFILES.iter().enumerate() {
        for (c, contender) in CONTENDERS.iter().enumerate() {
            rows.push(Row {
                window: "sliding".into(),
                profile: profile.name.into(),
                contender: contender.name.into(),
                wall_s: 45.25 + c as f64,
                refused: 10 * c as u64,
                lost: u64::from(c == 3),
                sustained: 99.5 - (p * 5 + c) as f64,
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_anything_else_refused() {
        let rows = sample();
        let csv = to_csv(&rows);
        assert_eq!(from_csv(&csv).unwrap(), rows);
        assert_eq!(csv.lines().count(), rows.len() + 1);
        for wrong in [
            "",
            "a,b\n",
            &csv[1..],
            &format!("{csv}sliding,LAN,ours,45.0,none,0,99.9\n"),
            &format!("{csv}x,y\n"),
        ] {
            assert!(from_csv(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_table_has_contenders_down_and_profiles_across() {
        let table = markdown(&sample(), "sliding");
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 2 + CONTENDERS.len());
        assert!(lines[0].find("LAN") < lines[0].find("bad"));
        assert!(lines[2].starts_with("| ours ") && lines[2].contains("| 45.2/0/99.5 "), "{table}");
        assert!(lines[5].contains("48.2/30/96.5 [1]"), "{table}");
        assert!(markdown(&sample(), "fixed").contains("| - "));
    }
}
