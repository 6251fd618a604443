//! The C library, the header, and the programs in C and C++.

mod compile;
mod cpp;
pub(crate) mod declarations;
mod header;
mod sanitize;
mod trials;

use std::fs;
use std::path::PathBuf;

use crate::abi;
use crate::run::{Run, Step, root, target, workshop};
use crate::rust::names;
use crate::sandbox::{self, Address};
use crate::tools::Tools;
use compile::{Way, programs};

/// The programs that were built.
pub(crate) struct Built {
    folder: PathBuf,
}

impl Built {
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Builds the library, the header under each standard, and every program in C and C++.
pub(crate) fn build(run: &mut Run, tools: &Tools, full: bool) -> Option<Built> {
    let library = run.cargo(["build", "--package", "activity-status-c"]);
    if !run.step("build the C library", library) {
        return None;
    }
    // Programs ask for the library by its soname.
    let soname = target().join("debug/libactivity_status.so.0");
    let _ = fs::remove_file(&soname);
    let linked = std::os::unix::fs::symlink("libactivity_status.so", &soname);
    run.check("the library's soname", linked.map_err(|error| error.to_string()));
    let exported = abi::exports_only_ours(&target().join("debug/libactivity_status.so"), false);
    run.check("no symbol is exported but those of the header", exported);
    let plain = Way::plain(tools);
    let read =
        fs::read_to_string(root().join("include/activity_status.h")).map_err(|error| error.to_string());
    let checked = read.and_then(|header| {
        header::check(run, tools, &header, full)?;
        fs::write(compile::trials(), trials::program(&header)?).map_err(|error| error.to_string())
    });
    run.check("the header is understood", checked);
    let all_built = plain.compile_all(run, &programs());
    if full {
        cpp::test(run, tools);
    }
    all_built.then_some(Built { folder: plain.folder })
}

pub(crate) fn test(run: &mut Run, built: &Built, address: &Address) {
    for (name, arguments) in tests(address) {
        let test = Step::new(built.program(&name)).args(arguments).envs(&address.environment());
        run.step(&format!("test {name}"), test);
    }
}

/// The test programs that need no other language, and their arguments.
fn tests(address: &Address) -> Vec<(String, Vec<String>)> {
    let mut tests = names("tests/c", "c");
    tests.retain(|name| !["planted", "quota", "verdict"].contains(&name.as_str()));
    tests.push("trials".to_owned());
    // It leaves a queue behind, for which the others would wait.
    tests.sort_by_key(|name| name == "limiters");
    let mut tests: Vec<_> = tests.into_iter().map(|name| (name, vec![address.url.clone()])).collect();
    tests.push(("quota".to_owned(), vec!["10".to_owned(), "4".to_owned()]));
    tests.extend(cpp::tests().into_iter().map(|name| (name, vec![])));
    tests
}

pub(crate) fn examples(run: &mut Run, built: &Built, address: &Address) {
    for (program, arguments) in all_examples(address) {
        let example = Step::new(built.program(&program)).args(arguments).envs(&address.environment());
        run.step(&format!("example {program}"), example);
    }
}

fn all_examples(address: &Address) -> Vec<(String, Vec<String>)> {
    let examples = programs().into_iter().filter(|program| program.example);
    examples.map(|it| (it.name.clone(), address.arguments(it.name.trim_end_matches("-cpp")))).collect()
}

/// The tests under valgrind and the sanitizers, the examples under valgrind, and the documentation.
pub(crate) fn slow(run: &mut Run, tools: &Tools, built: &Built) {
    let pages = workshop().join("doxygen");
    fs::create_dir_all(&pages).expect("the target folder can be written");
    let doxygen = Step::new("doxygen").args(["bindings/c/Doxyfile"]).env("DOXYGEN_OUTPUT", pages);
    run.step("doxygen", doxygen);
    sandbox::during(run, |run, address| valgrind(run, built, address));
    sanitize::test(run, tools);
}

fn valgrind(run: &mut Run, built: &Built, address: &Address) {
    let memcheck = |program: PathBuf| {
        let flags = [
            "--quiet",
            "--suppressions=tests/c/valgrind.supp",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite,possible",
            "--error-exitcode=9",
        ];
        Step::new("valgrind").args(flags).args([program]).envs(&address.environment())
    };
    for error in ["use_after_free", "leak"] {
        let planted = memcheck(built.program("planted")).args([error]).expect(&[9]);
        run.step(&format!("valgrind sees a planted {error}"), planted);
    }
    for (name, arguments) in tests(address).into_iter().chain(all_examples(address)) {
        run.step(&format!("valgrind {name}"), memcheck(built.program(&name)).args(arguments));
    }
}
