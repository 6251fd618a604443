//! `cargo xtask bench c`: what a status call through the C library costs more than the same call from Rust, in instructions.

use std::path::Path;
use std::process::ExitCode;

use crate::packages::{self, Moved};
use crate::run::{Run, Step, root, workshop};
use crate::sandbox::{self, Address};
use crate::{dist, tools};

/// In percent of the call from Rust.
const MOST: f64 = 105.0;

pub(crate) fn bench() -> ExitCode {
    let mut run = Run::start();
    match tools::find(true) {
        Ok(tools) => {
            if let Some(moved) = packages::install(&mut run) {
                sandbox::during(&mut run, |run, address| check(run, &tools.cc, &moved, address));
            }
        }
        Err(missing) => {
            run.check("the tools", Err(missing.join("\n")));
        }
    }
    run.finish()
}

/// The same calls by a program in C, with the library as it is shipped, and by one in Rust of the same profile.
pub(crate) fn check(run: &mut Run, cc: &str, moved: &Moved, address: &Address) {
    let c = workshop().join("packages/cost");
    let compile = Step::new(cc)
        .args(["-std=c99", "-O2", "-o"])
        .args([c.clone(), root().join("bindings/c/examples/cost.c")])
        .args(["-I".into(), moved.folder().join("include"), "-L".into(), moved.lib()])
        .args(["-I".into(), moved.folder().join("include/activity_status")])
        .args([format!("-Wl,-rpath,{}", moved.lib().display()), "-lactivity_status".into()]);
    let rust = dist::cargo(run, "build", packages::REDIS).args(["--example", "cost"]);
    if !run.step("the calls from C", compile) || !run.step("the calls from Rust", rust) {
        return;
    }
    let rust = workshop().join("dist/dist/examples/cost");
    let costs = [c, rust].map(|program| cost(run, &program, address));
    let [Some(c), Some(rust)] = costs else { return };
    let percent = 100.0 * c as f64 / rust as f64;
    let small = if percent <= MOST { Ok(()) } else { Err(format!("{MOST} % are the most")) };
    run.check(
        &format!("a status call is {c} instructions from C and {rust} from Rust: {percent:.1} %"),
        small,
    );
}

/// The instructions of one call: start and end cancel out between a few calls and many. The middle one of five runs is
/// without what may happen on the way, such as an answer that comes in two pieces.
fn cost(run: &mut Run, program: &Path, address: &Address) -> Option<u64> {
    let [few, many] = [50, 250].map(|calls| {
        let mut counts: Vec<u64> = (0..5).filter_map(|_| counted(run, program, address, calls)).collect();
        counts.sort_unstable();
        counts.get(counts.len() / 2).copied()
    });
    Some(many?.checked_sub(few?)? / 200)
}

fn counted(run: &mut Run, program: &Path, address: &Address, calls: u32) -> Option<u64> {
    let counts = workshop().join("packages/callgrind.out");
    let count = Step::new("valgrind")
        .args(["--tool=callgrind".to_owned(), format!("--callgrind-out-file={}", counts.display())])
        .args([program])
        .args([&address.url])
        .args(address.arguments("status"))
        .args([calls.to_string()]);
    let counted = run.step(&format!("{calls} calls of {}", program.display()), count);
    let text = std::fs::read_to_string(&counts).unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse::<u64>().ok());
    total.filter(|_| counted)
}
