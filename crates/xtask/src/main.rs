//! The project's own tasks: `cargo xtask test`, which does all of its own set-up, `cargo xtask header` and `cargo xtask bench`.
//!
//! It depends on nothing, so that it can name a missing tool before anything that needs the tool is built.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]

mod abi;
mod bench;
mod c;
mod cost;
mod dist;
mod packages;
mod python;
mod readme;
mod run;
mod rust;
mod sandbox;
mod tools;
mod wheel;

use std::path::{Component, Path};
use std::process::ExitCode;

use run::Run;

const USAGE: &str = "\
cargo xtask test [--full]   every check there is, from formatting to the README's code; --full adds what is slow
cargo xtask header          writes include/activity_status.h anew
cargo xtask dist --prefix P [--libdir lib] [--redis]
                            installs the C library into the folder P: headers, libraries, pkg-config, CMake
cargo xtask wheel [--manylinux] [--out FOLDER | --test]
                            builds the Python wheel, for every Python and this machine or every Linux, and its source package;
                            --test: and tries them out under every Python that is here
cargo xtask abi [--update]   does the header still say what bindings/c/abi keeps? --update writes down what was added
cargo xtask bench c        what a call through the C library costs more than from Rust, in instructions (3 minutes)
cargo xtask bench python   the module beside requests and http.client; writes docs/python.csv (3 minutes)
cargo xtask bench quota    ours and others against the sandbox; writes docs/quota.csv and docs/quota.svg (4 minutes)
cargo xtask bench schedule ours and others in virtual time; writes docs/schedule.csv (1 minute)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["test"] => test(false),
        ["test", "--full"] => test(true),
        ["header"] => header(),
        ["dist", ref words @ ..] => dist(words),
        ["wheel", ref words @ ..] => wheel(words),
        ["abi"] => abi::command(None),
        ["abi", word @ ("--update" | "--restart")] => abi::command(Some(word)),
        ["bench", "c"] => cost::bench(),
        ["bench", "python"] => bench::in_python(),
        ["bench", name @ ("quota" | "schedule"), ref words @ ..] => bench::bench(name, words),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Cheap and telling checks first; each step goes on after one that failed, so that one run shows all there is to mend.
fn test(full: bool) -> ExitCode {
    let tools = match tools::find(full) {
        Ok(tools) => tools,
        Err(missing) => {
            for line in missing {
                eprintln!("{line}");
            }
            println!("0 passed, 1 failed");
            return ExitCode::FAILURE;
        }
    };
    let mut run = Run::start();
    rust::check(&mut run);
    abi::check(&mut run, &tools);
    if let Some(built) = c::build(&mut run, &tools, full) {
        sandbox::during(&mut run, |run, address| c::test(run, &built, address));
        if full {
            c::slow(&mut run, &tools, &built);
        }
        if let Some(python) = python::install(&mut run, &tools.python, "venv") {
            python::test(&mut run, &python);
            rust::languages(&mut run, &built, &python, full);
            sandbox::during(&mut run, |run, address| {
                rust::examples(run, address);
                c::examples(run, &built, address);
                python::examples(run, &python, address);
            });
            sandbox::during(&mut run, |run, address| readme::run_every_block(run, &tools, &python, address));
            if full {
                python.discard();
            }
        }
    }
    if full {
        if let Some(moved) = packages::install(&mut run) {
            sandbox::during(&mut run, |run, address| {
                packages::test(run, &tools, &moved, address);
                cost::check(run, &tools.cc, &moved, address);
            });
        }
        packages::clear();
        python::other_versions(&mut run, &tools.python);
        rust::slow(&mut run);
    }
    run.finish()
}

fn dist(words: &[&str]) -> ExitCode {
    let (mut prefix, mut libdir, mut redis, mut rest) = (None, "lib", false, words);
    loop {
        rest = match rest {
            ["--redis", rest @ ..] => {
                redis = true;
                rest
            }
            ["--prefix", folder, rest @ ..] => {
                prefix = Some(*folder);
                rest
            }
            ["--libdir", folder, rest @ ..] => {
                libdir = folder;
                rest
            }
            _ => break,
        };
    }
    let is_inside = Path::new(libdir).components().all(|part| matches!(part, Component::Normal(_)));
    let (Some(prefix), [], true) = (prefix, rest, is_inside) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let prefix = std::env::current_dir().unwrap_or_default().join(prefix);
    let mut run = Run::start();
    dist::install(&mut run, &dist::Wanted { prefix, libdir, redis });
    run.finish()
}

fn wheel(words: &[&str]) -> ExitCode {
    let (systems, rest) = match words {
        ["--manylinux", rest @ ..] => (wheel::For::ManyLinux, rest),
        rest => (wheel::For::ThisMachine, rest),
    };
    let out = match rest {
        [] | ["--test"] => run::target().join("wheels"),
        ["--out", folder] => std::env::current_dir().unwrap_or_default().join(folder),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let tools = match tools::find(false) {
        Ok(tools) => tools,
        Err(missing) => {
            missing.iter().for_each(|line| eprintln!("{line}"));
            return ExitCode::FAILURE;
        }
    };
    let mut run = Run::start();
    match rest {
        ["--test"] => wheel::test(&mut run, &tools.python),
        _ => {
            wheel::build(&mut run, &tools.python, systems, &out);
        }
    }
    run.finish()
}

fn header() -> ExitCode {
    let mut run = Run::start();
    let test = run.cargo(["test", "--package", "activity-status-c", "--test", "header"]).env("UPDATE", "1");
    run.step("include/activity_status.h", test);
    run.finish()
}
