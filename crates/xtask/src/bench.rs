//! The measurements, which take minutes and want a machine to themselves.

use std::process::ExitCode;

use crate::run::Run;
use crate::{python, tools};

/// One of the benches (`quota`, `schedule`), with the words that it was given.
pub(crate) fn bench(name: &str, words: &[&str]) -> ExitCode {
    let mut run = Run::start();
    let bench = ["run", "--quiet", "--release", "--package", "activity-status-bench", "--", name];
    let mut bench = run.cargo(bench).args(words);
    if name == "quota" {
        let tools = match tools::find(false) {
            Ok(tools) => tools,
            Err(missing) => {
                missing.iter().for_each(|line| eprintln!("{line}"));
                return ExitCode::FAILURE;
            }
        };
        let Some(python) = python::install(&mut run, &tools.python, "venv") else { return run.finish() };
        bench = bench.env("ACTIVITY_STATUS_BENCH_PYTHON", &python.interpreter);
    }
    match bench.into_command().status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
