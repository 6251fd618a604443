//! The Python module: installed by pip into an environment of its own, then tested as a user would have it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Run, Step, workshop};
use crate::rust::names;
use crate::sandbox::Address;
use crate::tools::answers;

/// An environment with the module installed.
pub(crate) struct Python {
    pub(crate) interpreter: PathBuf,
}

pub(crate) fn install(run: &mut Run, python: &str, name: &str) -> Option<Python> {
    let folder = workshop().join(name);
    let make = Step::new(python).args(["-m", "venv", "--clear"]).args([&folder]);
    let interpreter = folder.join("bin/python");
    let pip = |arguments: &[&str]| {
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        Step::new(&interpreter).args(quiet).args(arguments)
    };
    let ok = run.step(&format!("{name}: a virtual environment"), make)
        && run.step(
            &format!("{name}: pip install the test tools"),
            pip(&["-r", "tests/python/requirements.txt"]),
        )
        && run.step(
            &format!("{name}: pip install ./bindings/python"),
            pip(&["--force-reinstall", "./bindings/python"]),
        );
    ok.then_some(Python { interpreter })
}

pub(crate) fn test(run: &mut Run, python: &Python) {
    let module = |arguments: &[&str]| Step::new(&python.interpreter).args(["-m"]).args(arguments);
    run.step("pytest", module(&["pytest", "-rA", "tests/python"]));
}

pub(crate) fn examples(run: &mut Run, python: &Python, address: &Address) {
    for name in names("examples/python", "py") {
        let example = Step::new(&python.interpreter).args([format!("examples/python/{name}.py")]);
        // It asks about the same job as the example without a limiter of its own.
        let like = if name == "own_limiter" { "status" } else { &name };
        let example = example.args(address.arguments(like));
        run.step(&format!("examples/python/{name}.py"), example.envs(&address.environment()));
    }
}

/// The same tests under every other Python that is here.
pub(crate) fn other_versions(run: &mut Run, first: &str) {
    for version in ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"] {
        let is_it =
            format!("import sys, venv, ensurepip; sys.exit('{version}' != '%d.%d' % sys.version_info[:2])");
        let is_it = ["-c", &is_it];
        if answers(first, &is_it) {
            continue;
        }
        let Some(python) = candidates(version).into_iter().find(|python| answers(python, &is_it)) else {
            continue;
        };
        if let Some(python) = install(run, &python, &format!("python{version}")) {
            let tests = Step::new(&python.interpreter).args(["-m", "pytest", "tests/python"]);
            run.step(&format!("pytest under Python {version}"), tests);
        }
    }
}

/// Where a Python of this version may be: on the path, or among those that pyenv keeps.
fn candidates(version: &str) -> Vec<String> {
    let name = format!("python{version}");
    let root = Command::new("pyenv").arg("root").output().map(|output| output.stdout).unwrap_or_default();
    let versions = Path::new(String::from_utf8_lossy(&root).trim()).join("versions");
    let kept = fs::read_dir(versions)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin").join(&name));
    std::iter::once(name.clone()).chain(kept.map(|path| path.display().to_string())).collect()
}
