//! The measurements, which take minutes and want a machine to themselves.

use std::process::ExitCode;

use crate::run::Step;

/// The quota's bench, with the words that it was given.
pub(crate) fn quota(words: &[&str]) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let bench = ["run", "--quiet", "--release", "--package", "activity-status-bench", "--", "quota"];
    match Step::new(cargo).args(bench).args(words).into_command().status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
