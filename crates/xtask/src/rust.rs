//! Formatting, lints, the Rust tests and documentation.

use std::fs;

use crate::c::Built;
use crate::python::Python;
use crate::run::{Run, discard, root, target, workshop};
use crate::sandbox::Address;

pub(crate) fn check(run: &mut Run) {
    let fmt = run.cargo(["fmt", "--all", "--check"]);
    run.step("formatting", fmt);
    let clippy =
        run.cargo(["clippy", "--workspace", "--all-targets", "--all-features", "--", "--deny", "warnings"]);
    run.step("clippy", clippy);
    let test = run.cargo(["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    run.step("Rust tests and header drift", test);
    let doc = run
        .cargo(["doc", "--no-deps", "--workspace", "--exclude", "xtask"])
        .env("RUSTDOCFLAGS", "-D warnings");
    run.step("Rust documentation", doc);
}

/// What several languages do together: one verdict on each answer, and one quota for all.
pub(crate) fn languages(run: &mut Run, c: &Built, python: &Python, full: bool) {
    for (test, step) in
        [("languages", "one verdict in four languages"), ("together", "one quota for several processes")]
    {
        let arguments =
            ["test", "--package", "activity-status-tests", "--features", "languages", "--test", test];
        let command = run
            .cargo(arguments)
            .args(["--", "--show-output"])
            .env("ASTAT_TEST_C", c.program("verdict"))
            .env("ASTAT_TEST_C_QUOTA", c.program("quota"))
            .env("ASTAT_TEST_PYTHON", &python.interpreter)
            .env("ASTAT_TEST_CLI", target().join("debug/activity-status"))
            .env("ASTAT_TEST_CALLS", if full { "500" } else { "100" });
        run.step(step, command);
    }
}

pub(crate) fn examples(run: &mut Run, address: &Address) {
    for name in names("examples/rust", "rs").iter().filter(|name| *name != "lib") {
        let example = run
            .cargo(["run", "--quiet", "--package", "activity-status-examples", "--example", name])
            .envs(&address.environment())
            .args(["--"])
            .args(address.arguments(name));
        run.step(&format!("examples/rust/{name}.rs"), example);
    }
}

/// What takes minutes: AddressSanitizer over the Rust tests, and the demo as users build it.
pub(crate) fn slow(run: &mut Run) {
    let triple = "x86_64-unknown-linux-gnu";
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let sanitized = run
            .cargo([
                "test",
                "--package",
                "activity-status",
                "--package",
                "activity-status-c",
                "--lib",
                "--target",
                triple,
            ])
            // A panic's odd payload is leaked on purpose; valgrind looks for leaks.
            .env("ASAN_OPTIONS", "detect_leaks=0")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .env("CARGO_TARGET_DIR", workshop().join("asan"));
        run.step("Rust tests under AddressSanitizer", sanitized);
        discard(&workshop().join("asan"));
    }
    for (test, seeds) in [("simulation", "40"), ("quota", "4")] {
        let long = run.cargo(["test", "--release", "--package", "activity-status-tests", "--test", test]);
        run.step(&format!("the {test} simulated at length"), long.env("ASTAT_TEST_SEEDS", seeds));
    }
}

/// The names of the files with this ending in a folder of the repository, in order.
pub(crate) fn names(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten().flatten();
    let name = |entry: fs::DirEntry| {
        let path = entry.path();
        let matches = path.extension().is_some_and(|extension| extension == ending);
        matches.then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).flatten()
    };
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort();
    names
}
