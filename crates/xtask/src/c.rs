//! The C library, the header, and the programs in C and C++.

use std::fs;
use std::path::PathBuf;

use crate::run::{Run, Step, root, target, workshop};
use crate::rust::names;
use crate::sandbox::Address;
use crate::tools::Tools;

/// The programs that were built.
pub(crate) struct Built {
    folder: PathBuf,
}

impl Built {
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Builds the library, the header under each standard, and every program in C and C++.
pub(crate) fn build(run: &mut Run, tools: &Tools) -> Option<Built> {
    let library = run.cargo(["build", "--package", "activity-status-c"]);
    if !run.step("build the C library", library) {
        return None;
    }
    let folder = workshop().join("c");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    // Programs ask for the library by its soname.
    let soname = target().join("debug/libactivity_status.so.0");
    let _ = fs::remove_file(&soname);
    let linked = std::os::unix::fs::symlink("libactivity_status.so", &soname);
    run.check("the library's soname", linked.map_err(|error| error.to_string()));
    header(run, tools);
    let mut all_built = true;
    for (source, ending, compiler, standard) in [
        ("tests/c", "c", &tools.cc, "-std=c11"),
        ("examples/c", "c", &tools.cc, "-std=c99"),
        ("examples/cpp", "cpp", &tools.cxx, "-std=c++17"),
    ] {
        for name in names(source, ending) {
            let program = folder.join(if ending == "cpp" { format!("{name}-cpp") } else { name.clone() });
            let file = root().join(source).join(format!("{name}.{ending}"));
            let libraries = target().join("debug");
            let compile = Step::new(compiler)
                .args(STRICT)
                .args(["-g", standard, "-D_POSIX_C_SOURCE=200809L", "-I"])
                .args([root().join("include"), file])
                .args(["-o".into(), program])
                .args(["-L".into(), libraries.clone()])
                .args(["-lactivity_status", "-lpthread", "-lm"])
                .args([format!("-Wl,-rpath,{}", libraries.display())]);
            all_built &= run.step(&format!("compile {source}/{name}.{ending}"), compile);
        }
    }
    all_built.then_some(Built { folder })
}

/// The header alone, and included twice, under each standard that it promises.
fn header(run: &mut Run, tools: &Tools) {
    let twice =
        "#include <activity_status.h>\n#include <activity_status.h>\nint main(void) { return ASTAT_OK; }\n";
    for (compiler, standard, ending) in [
        (&tools.cc, "c99", "c"),
        (&tools.cc, "c11", "c"),
        (&tools.cc, "c17", "c"),
        (&tools.cxx, "c++17", "cpp"),
        (&tools.cxx, "c++20", "cpp"),
    ] {
        let file = workshop().join("c").join(format!("header.{ending}"));
        fs::write(&file, twice).expect("the target folder can be written");
        let check = Step::new(compiler)
            .args(STRICT)
            .args([format!("-std={standard}"), "-fsyntax-only".into(), "-I".into()])
            .args([root().join("include"), file]);
        run.step(&format!("the header as {standard}"), check);
    }
}

pub(crate) fn test(run: &mut Run, built: &Built, address: &Address) {
    for (name, arguments) in tests(address) {
        let test = Step::new(built.program(name)).args(arguments).envs(&address.environment());
        run.step(&format!("tests/c/{name}.c"), test);
    }
}

/// The test programs that need no other language, and their arguments.
fn tests(address: &Address) -> [(&'static str, Vec<String>); 6] {
    let url = || vec![address.url.clone()];
    [
        ("surface", url()),
        ("calls", url()),
        ("batches", url()),
        ("trackers", url()),
        // It leaves a queue behind, for which those above would wait.
        ("limiters", url()),
        ("quota", vec!["10".to_owned(), "4".to_owned()]),
    ]
}

pub(crate) fn examples(run: &mut Run, built: &Built, address: &Address) {
    for (folder, ending, suffix) in [("examples/c", "c", ""), ("examples/cpp", "cpp", "-cpp")] {
        for name in names(folder, ending) {
            let program = Step::new(built.program(&format!("{name}{suffix}")));
            let program = program.args(address.arguments(&name)).envs(&address.environment());
            run.step(&format!("{folder}/{name}.{ending}"), program);
        }
    }
}

/// The tests and the examples under valgrind.
pub(crate) fn valgrind(run: &mut Run, built: &Built, address: &Address) {
    let flags = [
        "--quiet",
        "--suppressions=tests/c/valgrind.supp",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,possible",
        "--error-exitcode=9",
    ];
    let examples = [
        ("submit_and_wait", address.arguments("submit_and_wait")),
        ("submit_and_wait-cpp", address.arguments("submit_and_wait")),
        ("status", address.arguments("status")),
        ("own_limiter", address.arguments("status")),
        ("own_limiter-cpp", address.arguments("status")),
        ("wait_all", address.arguments("wait_all")),
        ("wait_all-cpp", address.arguments("wait_all")),
        ("event_loop", address.arguments("event_loop")),
        ("event_loop-cpp", address.arguments("event_loop")),
    ];
    for (name, arguments) in tests(address).into_iter().chain(examples) {
        let checked = Step::new("valgrind")
            .args(flags)
            .args([built.program(name)])
            .args(arguments)
            .envs(&address.environment());
        run.step(&format!("valgrind {name}"), checked);
    }
}
