//! The Python module: installed by pip into an environment of its own, then tested as a user would have it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Run, Step, discard, workshop};
use crate::rust::names;
use crate::sandbox::Address;
use crate::tools::answers;

/// A virtual environment.
pub(crate) struct Python {
    pub(crate) interpreter: PathBuf,
    folder: PathBuf,
}

impl Python {
    /// A module that is run as a program.
    pub(crate) fn module(&self, arguments: &[&str]) -> Step {
        Step::new(&self.interpreter).args(["-m"]).args(arguments)
    }

    /// `pip install` of what is named.
    pub(crate) fn pip(&self, packages: &[&str]) -> Step {
        self.module(&["pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages)
    }

    pub(crate) fn discard(self) {
        discard(&self.folder);
    }
}

/// An environment with the module in it, as users install it, and all that its tests need.
pub(crate) fn install(run: &mut Run, python: &str, name: &str) -> Option<Python> {
    let python = environment(run, python, name)?;
    let ok = run.step(
        &format!("{name}: pip install the test tools"),
        python.pip(&["-r", "tests/python/requirements.txt"]),
    ) && run.step(
        &format!("{name}: pip install ./bindings/python"),
        python.pip(&["--force-reinstall", "./bindings/python"]),
    );
    ok.then_some(python)
}

/// An environment with nothing in it.
pub(crate) fn environment(run: &mut Run, python: &str, name: &str) -> Option<Python> {
    let folder = workshop().join(name);
    let make = Step::new(python).args(["-m", "venv", "--clear"]).args([&folder]);
    let made = run.step(&format!("{name}: a virtual environment"), make);
    made.then(|| Python { interpreter: folder.join("bin/python"), folder })
}

pub(crate) fn test(run: &mut Run, python: &Python) {
    run.step("pytest", python.module(&["pytest", "-rA", "tests/python"]));
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
    for (version, python) in versions(first) {
        if python != first
            && let Some(python) = install(run, &python, &format!("python{version}"))
        {
            run.step(&format!("pytest under Python {version}"), python.module(&["pytest", "tests/python"]));
            python.discard();
        }
    }
}

/// One Python of each version that is here, with its version. `first` is the one that this machine's tests run under.
pub(crate) fn versions(first: &str) -> Vec<(&'static str, String)> {
    let found = |version: &&'static str| {
        let is_it =
            format!("import sys, venv, ensurepip; sys.exit('{version}' != '%d.%d' % sys.version_info[:2])");
        let is_it = |python: &String| answers(python, &["-c", &is_it]);
        let python = std::iter::once(first.to_owned()).chain(candidates(version)).find(is_it);
        python.map(|python| (*version, python))
    };
    ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"].iter().filter_map(found).collect()
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
