//! Measures the product beside what people use today: `cargo xtask bench quota`, `cargo xtask bench schedule`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]

mod contenders;
mod goals;
mod permits;
mod picture;
mod race;
mod schedule;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use contenders::{CONTENDERS, OURS_IN_PYTHON};
use race::{Cell, Course, PROFILES, SLIDING, WINDOWS};
use table::Row;

/// Whatever went wrong, as a sentence.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "\
activity-status-bench quota         every cell, and the permits; writes docs/quota.csv and docs/quota.svg: 4 minutes
activity-status-bench quota WORD…   only the cells that these words name, such as `ours LAN sliding`; writes nothing
activity-status-bench schedule      every policy in every world; writes docs/schedule.csv and docs/schedule.svg: a minute
activity-status-bench schedule W…   only these worlds, such as `W1 B7`; writes nothing";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, [])) if first == "quota" => quota(),
        Some((first, words)) if first == "quota" => some_cells(words),
        Some((first, [])) if first == "schedule" => schedule::schedule(),
        Some((first, words)) if first == "schedule" => schedule::some_worlds(words),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the bench could not be done: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole bench. Were all goals reached?
fn quota() -> Result<bool, Failure> {
    let costs = permits::measure()?;
    let mut rows = Vec::new();
    for window in WINDOWS {
        rows.extend(race(&cells(|cell| cell.window.name == window.name))?);
    }
    println!("\nWho runs:");
    for contender in CONTENDERS {
        println!("- {}: {}", contender.name, contender.what);
    }
    for window in WINDOWS {
        println!(
            "\nThe server keeps a {} window. Wall s / calls refused / sustained % [ids lost]:\n",
            window.name
        );
        print!("{}", table::markdown(&rows, window.name));
    }
    print!("\n{}", permits::text(&costs));

    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::create_dir_all(&docs)?;
    fs::write(docs.join("quota.csv"), table::to_csv(&rows))?;
    // The picture shows the file, not what led to it.
    let written = table::from_csv(&fs::read_to_string(docs.join("quota.csv"))?)?;
    fs::write(docs.join("quota.svg"), picture::svg(&written)?)?;
    println!("\nWritten: docs/quota.csv, docs/quota.svg\n\nGoals:");

    let goals = goals::check(&written, &costs);
    goals.iter().for_each(|goal| println!("{goal}"));
    let missed = goals.iter().filter(|goal| !goal.reached).count();
    match missed {
        0 => println!("all {} goals reached", goals.len()),
        _ => println!("{missed} of {} goals MISSED", goals.len()),
    }
    Ok(missed == 0)
}

/// The cells that these words name, for whoever looks into one of them.
fn some_cells(words: &[String]) -> Result<bool, Failure> {
    let named = |cell: &Cell| {
        let names = [cell.window.name, cell.profile.name, cell.contender.name];
        words.iter().all(|word| names.contains(&word.as_str()))
    };
    let cells = cells(named);
    if cells.is_empty() {
        return Err(format!("no cell is named by {words:?}").into());
    }
    print!("{}", table::to_csv(&race(&cells)?));
    Ok(true)
}

fn cells(wanted: impl Fn(&Cell) -> bool) -> Vec<Cell> {
    let of_window = |window| {
        PROFILES.iter().flat_map(move |profile| {
            CONTENDERS.iter().map(move |contender| Cell { window, profile, contender })
        })
    };
    // Python shows that its threads lose nothing, and one window is enough for that.
    let runs = |cell: &Cell| cell.contender.name != OURS_IN_PYTHON || cell.window.name == SLIDING;
    WINDOWS.iter().flat_map(of_window).filter(runs).filter(wanted).collect()
}

fn race(cells: &[Cell]) -> Result<Vec<Row>, Failure> {
    println!("{} runs at the same time, about a minute", cells.len());
    race::run_all(cells, &Course::FULL)
}
