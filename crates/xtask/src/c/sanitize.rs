//! The tests under the sanitizers, with the library instrumented like the programs.
//!
//! Both sides use the runtime of the Rust toolchain, which is linked whole, so that one recipe serves all.

use std::fs;
use std::path::{Path, PathBuf};

use super::compile::{Way, programs, shared};
use super::tests;
use crate::run::{Run, Step, discard, root, workshop};
use crate::sandbox;
use crate::tools::Tools;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// What a sanitizer that reports something ends a program with; no test does.
const REPORTED: i32 = 66;

struct Sanitizer {
    name: &'static str,
    /// How its runtime and its folder are called.
    short: &'static str,
    /// What rustc is told besides.
    rust: &'static str,
    /// What clang is told.
    clang: &'static [&'static str],
    options: &'static str,
    /// Errors of `tests/c/planted.c` that it must report.
    planted: &'static [&'static str],
    /// A test that it cannot run.
    skipped: &'static str,
}

const SANITIZERS: [Sanitizer; 2] = [
    Sanitizer {
        name: "AddressSanitizer",
        short: "asan",
        rust: "-Zsanitizer=address",
        // The two that are left out need a runtime of this very clang.
        clang: &[
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=undefined",
            "-fno-sanitize=function,vptr",
        ],
        options: "detect_leaks=1",
        planted: &["use_after_free", "leak", "overflow"],
        skipped: "",
    },
    Sanitizer {
        name: "ThreadSanitizer",
        short: "tsan",
        // What is inline in the standard library is compiled anew with these two, and so instrumented.
        rust: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -Zshare-generics=no -Copt-level=1",
        // Its runtime has a thread, so a test cannot wait until it is alone.
        clang: &["-fsanitize=thread", "-DWITH_THREADS_OF_ITS_OWN"],
        // It does not understand fences, with which Arc ends: so every atomic access counts as ordered.
        options: "force_seq_cst_atomics=1:die_after_fork=0:suppressions=tests/c/sanitizers/tsan.supp",
        planted: &["race_in_a_plugin", "race_in_the_library"],
        // Its library is linked into the programs, so it cannot be loaded.
        skipped: "loading",
    },
];

pub(crate) fn test(run: &mut Run, tools: &Tools) {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return;
    }
    for sanitizer in &SANITIZERS {
        if let Some(way) = build(run, tools, sanitizer) {
            sandbox::during(run, |run, address| {
                let started = |name: &str| {
                    let options = format!("exitcode={REPORTED}:{}", sanitizer.options);
                    Step::new(way.folder.join(name))
                        .env("ASAN_OPTIONS", &options)
                        .env("TSAN_OPTIONS", &options)
                        .env("UBSAN_OPTIONS", format!("exitcode={REPORTED}"))
                        .envs(&address.environment())
                };
                for error in sanitizer.planted {
                    let planted = started("planted").args([error]).expect(&[REPORTED]);
                    run.step(&format!("{} sees a planted {error}", sanitizer.name), planted);
                }
                for (name, arguments) in tests(address) {
                    if name != sanitizer.skipped {
                        run.step(&format!("{} {name}", sanitizer.name), started(&name).args(arguments));
                    }
                }
            });
        }
        discard(&folder(sanitizer));
    }
}

fn folder(sanitizer: &Sanitizer) -> PathBuf {
    workshop().join(format!("c-{}", sanitizer.short))
}

/// The library and all tests with this sanitizer in them.
fn build(run: &mut Run, tools: &Tools, sanitizer: &Sanitizer) -> Option<Way> {
    let folder = folder(sanitizer);
    let library = run
        .cargo(["build", "--package", "activity-status-c", "--target", TRIPLE])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", sanitizer.rust)
        .env("CARGO_TARGET_DIR", &folder);
    if !run.step(&format!("build the C library with {}", sanitizer.name), library) {
        return None;
    }
    let libraries = folder.join(TRIPLE).join("debug");
    let made = runtime(sanitizer).and_then(|runtime| {
        let mut link = vec![
            "-Wl,--whole-archive".to_owned(),
            runtime.display().to_string(),
            "-Wl,--no-whole-archive".to_owned(),
            "-rdynamic".to_owned(),
            "-pie".to_owned(),
        ];
        link.extend(match sanitizer.short {
            "tsan" => with_locks_told(&libraries, &folder)?,
            _ => with_soname(&libraries)?,
        });
        link.extend(["-lstdc++", "-lrt", "-lgcc_s"].map(str::to_owned));
        Ok(link)
    });
    let link = match made {
        Ok(link) => link,
        Err(problem) => {
            run.check(&format!("link with {}", sanitizer.name), Err(problem));
            return None;
        }
    };
    let compile = sanitizer.clang.iter().copied().chain(["-fPIE"]);
    let way = Way {
        folder,
        title: format!(" with {}", sanitizer.name),
        cc: tools.clang.clone(),
        cxx: tools.clangxx.clone(),
        compile: compile.map(str::to_owned).collect(),
        link,
    };
    let mut tests = programs();
    tests.retain(|program| !program.example && program.name != sanitizer.skipped);
    way.compile_all(run, &tests).then_some(way)
}

/// The sanitizer's runtime in the Rust toolchain.
fn runtime(sanitizer: &Sanitizer) -> Result<PathBuf, String> {
    let library = format!("librustc-stable_rt.{}.a", sanitizer.short);
    let root = told(Step::new("rustc").args(["--print", "sysroot"]))?;
    let runtime = Path::new(root.trim()).join("lib/rustlib").join(TRIPLE).join("lib").join(library);
    if runtime.exists() { Ok(runtime) } else { Err(format!("{} is not there", runtime.display())) }
}

fn with_soname(libraries: &Path) -> Result<Vec<String>, String> {
    let soname = libraries.join("libactivity_status.so.0");
    let _ = fs::remove_file(&soname);
    std::os::unix::fs::symlink("libactivity_status.so", &soname).map_err(|error| error.to_string())?;
    Ok(shared(libraries))
}

/// Links the static library so that the locks are told which the standard library takes: see `tsan.c`.
fn with_locks_told(libraries: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let library = libraries.join("libactivity_status.a");
    let symbols = told(Step::new("nm").args(["--format=just-symbols"]).args([&library]))?;
    let (source, object) = (root().join("tests/c/sanitizers/tsan.c"), folder.join("tsan.o"));
    let mut compile = Step::new("cc").args(["-c"]).args([&source, Path::new("-o"), &object]);
    let mut link = vec![object.display().to_string()];
    for (name, ending) in [
        ("MUTEX_LOCK", "5Mutex14lock_contended"),
        ("RWLOCK_READ", "6RwLock14read_contended"),
        ("RWLOCK_WRITE", "6RwLock15write_contended"),
        ("CONDVAR_WAIT", "7Condvar4wait"),
        ("CONDVAR_WAIT_TIMEOUT", "7Condvar12wait_timeout"),
        ("ONCE_CALL", "5futexNtB5_4Once4call"),
        ("SCOPE_LEFT", "9ScopeData29decrement_num_running_threads"),
    ] {
        let of_std = |symbol: &&str| symbol.contains("_3std") && symbol.ends_with(ending);
        if let Some(symbol) = symbols.lines().find(of_std) {
            compile = compile.args([format!("-D{name}=\"{symbol}\"")]);
            link.push(format!("-Wl,--wrap={symbol}"));
        }
    }
    if link.len() == 1 {
        return Err("none of the standard library's locks is known by its name".to_owned());
    }
    told(compile)?;
    link.push(library.display().to_string());
    Ok(link)
}

/// What a command prints.
fn told(step: Step) -> Result<String, String> {
    let output = step.into_command().output().map_err(|error| error.to_string())?;
    if output.status.success() || !output.stdout.is_empty() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
