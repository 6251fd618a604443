//! What must be on the machine. A missing tool is an error that names what to install.

use std::process::Command;

pub(crate) struct Tools {
    pub(crate) cc: String,
    pub(crate) cxx: String,
    pub(crate) python: String,
}

/// Finds every tool, or says for each missing one what to install.
pub(crate) fn find(full: bool) -> Result<Tools, Vec<String>> {
    let mut missing = Vec::new();
    let mut need = |what: &str, candidates: &[&str], arguments: &[&str], install: &str| {
        let chosen = candidates.iter().find(|candidate| answers(candidate, arguments));
        if chosen.is_none() {
            missing.push(format!("missing: {what}. Install {install}, then run this again."));
        }
        chosen.copied().unwrap_or_default().to_owned()
    };
    let cc = std::env::var("CC").unwrap_or_default();
    let cxx = std::env::var("CXX").unwrap_or_default();
    let cc = need(
        "a C compiler",
        &[&cc, "cc", "gcc", "clang"],
        &["--version"],
        "gcc (Debian, Fedora) or Xcode's tools (macOS)",
    );
    let cxx = need(
        "a C++ compiler",
        &[&cxx, "c++", "g++", "clang++"],
        &["--version"],
        "g++ (Debian), gcc-c++ (Fedora) or Xcode's tools",
    );
    let newer = ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))"];
    let chosen = std::env::var("PYTHON").unwrap_or_default();
    let python = need(
        "Python 3.9 or newer with venv",
        &[&chosen, "python3", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python"],
        &newer,
        "python3 and python3-venv (Debian), python3 (Fedora, Homebrew)",
    );
    need("rustfmt", &["cargo"], &["fmt", "--version"], "it with: rustup component add rustfmt");
    need("clippy", &["cargo"], &["clippy", "--version"], "it with: rustup component add clippy");
    need("bash", &["bash"], &["--version"], "bash: the README's shell blocks are run by it");
    need(
        "redis-server",
        &["redis-server"],
        &["--version"],
        "redis-server (Debian), redis (Fedora, Homebrew)",
    );
    if full {
        need("valgrind", &["valgrind"], &["--version"], "valgrind (Debian, Fedora)");
    }
    if missing.is_empty() { Ok(Tools { cc, cxx, python }) } else { Err(missing) }
}

/// Can `program` be run with these arguments?
pub(crate) fn answers(program: &str, arguments: &[&str]) -> bool {
    let quiet = |mut command: Command| command.output().is_ok_and(|output| output.status.success());
    !program.is_empty() && {
        let mut command = Command::new(program);
        command.args(arguments);
        quiet(command)
    }
}
