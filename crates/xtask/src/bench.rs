//! The measurements, which take minutes and want a machine to themselves.

use std::process::ExitCode;

use crate::run::Run;
use crate::{python, tools};

/// The quota's bench, with the words that it was given.
pub(crate) fn quota(words: &[&str]) -> ExitCode {
    let mut run = Run::start();
    let tools = match tools::find(false) {
        Ok(tools) => tools,
        Err(missing) => {
            missing.iter().for_each(|line| eprintln!("{line}"));
            return ExitCode::FAILURE;
        }
    };
    let Some(python) = python::install(&mut run, &tools.python, "venv") else { return run.finish() };
    let bench = ["run", "--quiet", "--release", "--package", "activity-status-bench", "--", "quota"];
    let bench = run.cargo(bench).args(words).env("ACTIVITY_STATUS_BENCH_PYTHON", &python.interpreter);
    match bench.into_command().status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
