//! Which job to ask about next: ours beside what people use, in virtual time.

mod goals;
mod peers;
mod picture;
mod run;
mod size;
mod worlds;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use activity_status::builtin::Quota;
use fastrand::Rng;

use crate::Failure;
use peers::{Contender, OURS, PACED, PEERS};
use run::{Seen, oracle, run};
use worlds::{FAMILIES, Family};

/// What one contender reached in one family of worlds.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) quota: &'static str,
    pub(crate) world: &'static str,
    pub(crate) contender: &'static str,
    pub(crate) mean: f64,
    pub(crate) median: f64,
    pub(crate) p99: f64,
    /// Calls per completion.
    pub(crate) calls: f64,
    pub(crate) lost: u64,
    /// From the last completion to knowing of all.
    pub(crate) tail: f64,
}

pub(crate) const FULL: &str = "full";
pub(crate) const POLITE: &str = "polite";
pub(crate) const ORACLE: &str = "oracle";

/// Seeds that were not looked at while the policy was made.
const SEEDS: std::ops::Range<u64> = 7001..7004;

/// The whole bench. Were all goals reached?
pub(crate) fn schedule() -> Result<bool, Failure> {
    let size = size::measure();
    let full: Vec<Contender> = OURS.iter().chain(PEERS).chain(PACED).copied().collect();
    let fewer: Vec<Contender> = OURS.iter().chain(PACED).chain(&PEERS[..1]).copied().collect();
    let mut rows = compete(FULL, Quota::default(), &full);
    rows.extend(compete(POLITE, Quota::new(5, Duration::from_secs(5)), &fewer));

    for (quota, meaning) in [(FULL, "25 calls in 5 s"), (POLITE, "5 calls in 5 s")] {
        println!(
            "\n{meaning}. Mean / p99 in seconds from completion to knowing of it (calls per completion) [ids lost]:\n"
        );
        print!("{}", markdown(&rows, quota));
    }
    println!("\nThe worlds:");
    for family in FAMILIES {
        println!("- {}: {}", family.name, family.what);
    }
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::create_dir_all(&docs)?;
    fs::write(docs.join("schedule.csv"), to_csv(&rows))?;
    fs::write(docs.join("schedule.svg"), picture::svg(&rows)?)?;
    println!("\nWritten: docs/schedule.csv, docs/schedule.svg\n\nGoals:");
    let goals = goals::check(&rows, &size);
    goals.iter().for_each(|goal| println!("{goal}"));
    let missed = goals.iter().filter(|goal| !goal.reached).count();
    println!("{} of {} reached", goals.len() - missed, goals.len());
    Ok(missed == 0)
}

/// Some worlds only, for whoever looks into one of them: nothing is written.
pub(crate) fn some_worlds(words: &[String]) -> Result<bool, Failure> {
    let families: Vec<&Family> =
        FAMILIES.iter().filter(|family| words.iter().any(|word| word == family.name)).collect();
    if families.is_empty() {
        return Err(format!("no world is named by {words:?}").into());
    }
    let all: Vec<Contender> = OURS.iter().chain(PEERS).chain(PACED).copied().collect();
    let rows: Vec<Row> =
        families.iter().flat_map(|family| rows_of(family, FULL, Quota::default(), &all)).collect();
    print!("{}", to_csv(&rows));
    Ok(true)
}

/// Every contender in every family, on all processors.
fn compete(name: &'static str, quota: Quota, contenders: &[Contender]) -> Vec<Row> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(family) = FAMILIES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let rows = rows_of(family, name, quota, contenders);
                    found.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn rows_of(family: &Family, name: &'static str, quota: Quota, contenders: &[Contender]) -> Vec<Row> {
    let seeds = if family.name == "W7" { SEEDS.start..SEEDS.start + 1 } else { SEEDS };
    let mut seen = vec![Seen::none(); contenders.len() + 1];
    for seed in seeds.flat_map(|seed| (0..family.draws).map(move |draw| seed * 1000 + u64::from(draw))) {
        let world = (family.make)(&mut Rng::with_seed(seed));
        seen[0].add(oracle(&world, quota, family.net));
        for (seen, contender) in seen[1..].iter_mut().zip(contenders) {
            let mut schedule = (contender.make)(quota);
            let metrics = contender.metrics.then_some(()).and(world.ahead);
            seen.add(run(&mut *schedule, &world, metrics, quota, family.net, &mut Rng::with_seed(!seed)));
        }
    }
    let names = std::iter::once(ORACLE).chain(contenders.iter().map(|contender| contender.name));
    let row = |(contender, seen): (&'static str, &Seen)| Row {
        quota: name,
        world: family.name,
        contender,
        mean: seen.mean(),
        median: seen.quantile(0.5),
        p99: seen.quantile(0.99),
        calls: seen.calls_each(),
        lost: seen.lost,
        tail: seen.tail,
    };
    names.zip(&seen).map(row).collect()
}

/// The row of this run, if there is one.
pub(crate) fn find<'a>(rows: &'a [Row], quota: &str, world: &str, contender: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.quota == quota && row.world == world && row.contender == contender)
}

/// The best of the ten by mean, of those that lose nothing.
pub(crate) fn best_peer<'a>(rows: &'a [Row], quota: &str, world: &str) -> Option<&'a Row> {
    let is_peer = |row: &&Row| PEERS.iter().any(|peer| peer.name == row.contender) && row.lost == 0;
    let here = rows.iter().filter(|row| row.quota == quota && row.world == world);
    here.filter(is_peer).min_by(|a, b| a.mean.total_cmp(&b.mean))
}

fn to_csv(rows: &[Row]) -> String {
    let mut out =
        String::from("quota,world,contender,mean_s,median_s,p99_s,calls_per_completion,ids_lost,tail_s\n");
    let order = |row: &Row| (row.quota, FAMILIES.iter().position(|family| family.name == row.world));
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| order(row));
    for Row { quota, world, contender, mean, median, p99, calls, lost, tail } in sorted {
        let contender = contender.replace(',', "");
        let _ = writeln!(
            out,
            "{quota},{world},{contender},{mean:.3},{median:.3},{p99:.3},{calls:.3},{lost},{tail:.2}"
        );
    }
    out
}

fn markdown(rows: &[Row], quota: &str) -> String {
    let columns = [
        ORACLE,
        "frontier",
        "frontier 0.1",
        "fixed 15 s",
        "best of the ten",
        "round robin, paced",
        "oldest first, paced",
    ];
    let mut out = format!("| world | {} |\n|---|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for family in FAMILIES {
        let _ = write!(out, "| {} |", family.name);
        for column in columns {
            let (row, name) = match column {
                "best of the ten" => {
                    let best = best_peer(rows, quota, family.name);
                    (best, best.map_or("", |row| row.contender))
                }
                _ => (find(rows, quota, family.name, column), ""),
            };
            let _ = match row {
                Some(row) if column == ORACLE => write!(out, " {} |", digits(row.mean)),
                Some(row) => {
                    let lost = if row.lost > 0 { format!(" [{}]", row.lost) } else { String::new() };
                    let space = if name.is_empty() { "" } else { " " };
                    let (mean, p99) = (digits(row.mean), digits(row.p99));
                    write!(out, " {name}{space}{mean} / {p99} ({:.2}){lost} |", row.calls)
                }
                None => write!(out, " - |"),
            };
        }
        out.push('\n');
    }
    out
}

/// Three digits or so.
fn digits(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.2}"),
        s if s < 100.0 => format!("{s:.1}"),
        s => format!("{s:.0}"),
    }
}

#[cfg(test)]
mod tests;
