use std::fmt::Write;

use crate::Failure;
use crate::contenders::OURS;
use crate::race::{PROFILES, SLIDING};
use crate::table::{Row, find};

/// The contenders that are shown, by the words of the picture.
const SHOWN: &[(&str, &str)] =
    &[(OURS, "activity-status"), ("sending log", "sliding log"), ("governor", "governor")];

const NOTE: &str = "The server keeps a sliding window. The sliding log counts when a call is sent, as PyrateLimiter does. \
Refused calls are made again.";

/// A card of its own colours, so that it can be read on any page, light or dark.
pub(crate) const STYLE: &str = "\
.card{fill:#fff;stroke:#d1d9e0}.ours{fill:#0969da}.other{fill:#afb8c1}.refused{fill:#cf222e}.best{stroke:#1f2328}\
text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\
.title{font-size:16px;font-weight:600}.strong{font-weight:600}.faint{fill:#59636e}.small{font-size:12px}\
@media (prefers-color-scheme:dark){.card{fill:#0d1117;stroke:#3d444d}.ours{fill:#4493f8}.other{fill:#656c76}\
.refused{fill:#f85149}.best{stroke:#f0f6fc}text{fill:#f0f6fc}.faint{fill:#9198a1}}";

const WIDTH: f64 = 840.0;
const LABELS: f64 = 24.0;
/// Where the bars of the share begin, and how long 100 % is.
const SHARE: (f64, f64) = (140.0, 360.0);
/// Where the bars of the refusals begin, and how long the longest is.
const REFUSED: (f64, f64) = (600.0, 180.0);
const TOP: f64 = 82.0;
const ROW: f64 = 21.0;
const BAR: f64 = 13.0;
const GROUP: f64 = 26.0 + ROW * 3.0 + 12.0;

/// The runs against a sliding window as a picture: for each profile the sustained share of the quota beside the most that
/// is possible, and the calls refused.
pub(crate) fn svg(rows: &[Row]) -> Result<String, Failure> {
    let shown: Vec<&Row> =
        rows.iter().filter(|row| row.window == SLIDING && is_shown(&row.contender)).collect();
    let most = shown.iter().map(|row| row.refused).max().unwrap_or(0).max(1) as f64;
    let height = TOP + GROUP * PROFILES.len() as f64 + 30.0;
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>How much of the quota is used, and how many calls are refused</title>
<style>{STYLE}</style>
<rect class="card" x="0.5" y="0.5" width="{}" height="{}" rx="8"/>"#,
        WIDTH - 1.0,
        height - 1.0
    );
    text(&mut out, LABELS, 32.0, "title", "250 questions, 8 threads, 25 calls in 5 s allowed");
    text(&mut out, SHARE.0, 60.0, "strong", "share of the quota used, in %");
    text(&mut out, REFUSED.0, 60.0, "strong", "calls refused");
    for (profile, place) in PROFILES.iter().zip(0_u8..) {
        let top = TOP + GROUP * f64::from(place);
        let (least, most_ms) = profile.delay_ms;
        let delay = match (least, most_ms) {
            (0, 0) => "no delay".to_owned(),
            _ if least == most_ms => format!("{least} ms each way"),
            _ => format!("{least}–{most_ms} ms each way"),
        };
        text(&mut out, LABELS, top + 11.0, "strong", profile.name);
        text(&mut out, SHARE.0, top + 11.0, "faint", &delay);
        let best = SHARE.0 + SHARE.1 * profile.ceiling / 100.0;
        let label = format!("best without refusals {:.1}", profile.ceiling);
        let _ = writeln!(
            out,
            r#"<text class="faint small" x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
            best - 6.0,
            top + 11.0
        );
        for ((contender, words), line) in SHOWN.iter().zip(0_u8..) {
            let row = find(rows, SLIDING, profile.name, contender)
                .ok_or_else(|| format!("the data have no run of {contender} on {}", profile.name))?;
            let y = top + 22.0 + ROW * f64::from(line);
            let (label, bar) = if *contender == OURS { ("strong", "ours") } else { ("faint", "other") };
            text(&mut out, LABELS, y + 11.0, label, words);
            rect(&mut out, bar, SHARE.0, y, SHARE.1 * row.sustained.clamp(0.0, 100.0) / 100.0);
            text(&mut out, SHARE.0 + SHARE.1 + 12.0, y + 11.0, label, &format!("{:.1}", row.sustained));
            let length = REFUSED.1 * row.refused as f64 / most;
            rect(&mut out, "refused", REFUSED.0, y, length);
            let after = if row.refused == 0 { 0.0 } else { length + 8.0 };
            text(&mut out, REFUSED.0 + after, y + 11.0, label, &row.refused.to_string());
        }
        let _ = writeln!(
            out,
            r#"<path class="best" d="M{best:.1} {:.1}V{:.1}" stroke-width="1.5"/>"#,
            top,
            top + 22.0 + ROW * 2.0 + BAR + 4.0
        );
    }
    text(&mut out, LABELS, height - 18.0, "faint small", NOTE);
    out.push_str("</svg>\n");
    Ok(out)
}

fn is_shown(contender: &str) -> bool {
    SHOWN.iter().any(|(name, _)| *name == contender)
}

pub(crate) fn text(out: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let _ = writeln!(out, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{words}</text>"#);
}

fn rect(out: &mut String, class: &str, x: f64, y: f64, width: f64) {
    let _ = writeln!(
        out,
        r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" rx="2"/>"#
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::sample;

    #[test]
    fn the_picture_shows_the_data() {
        let rows = sample();
        let svg = svg(&rows).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert_eq!(svg.matches(r#"class="ours""#).count(), PROFILES.len());
        for row in rows.iter().filter(|row| is_shown(&row.contender)) {
            assert!(svg.contains(&format!(">{:.1}</text>", row.sustained)), "{row:?}");
            assert!(svg.contains(&format!(">{}</text>", row.refused)), "{row:?}");
        }
        // 99.5 % of the length of 100 %.
        assert!(svg.contains(r#"<rect class="ours" x="140.0" y="104.0" width="358.2""#), "{svg}");
    }

    #[test]
    fn a_run_that_is_missing_is_an_error() {
        assert!(svg(&sample()[1..]).is_err());
    }
}
