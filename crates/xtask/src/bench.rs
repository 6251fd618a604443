//! The measurements, which take minutes and want a machine to themselves.

use std::process::{Command, ExitCode};

use crate::run::{Run, Step, root};
use crate::{python, tools};

/// What the Python module costs beside what people use today.
pub(crate) fn in_python() -> ExitCode {
    let mut run = Run::start();
    match tools::find(false) {
        Ok(tools) => {
            if let Some(python) = python::install(&mut run, &tools.python, "venv")
                && run.step("pip install requests", python.pip(&["requests"]))
            {
                let compare = root().join("bindings/python/benches/compare.py");
                let compare = Step::new(&python.interpreter).args([compare, root().join("docs/python.csv")]);
                return done(compare.into_command());
            }
        }
        Err(missing) => {
            run.check("the tools", Err(missing.join("\n")));
        }
    }
    run.finish()
}

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
    done(bench.into_command())
}

fn done(mut bench: Command) -> ExitCode {
    match bench.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the bench could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
