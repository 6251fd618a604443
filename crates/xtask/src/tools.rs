//! What must be on the machine. A missing tool is an error that names what to install.

use std::process::Command;

pub(crate) struct Tools {
    pub(crate) cc: String,
    pub(crate) cxx: String,
    pub(crate) python: String,
    /// Clang, if it is needed.
    pub(crate) clang: String,
    pub(crate) clangxx: String,
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
    let (mut clang, mut clangxx) = (String::new(), String::new());
    if full {
        clang = need("clang", &["clang"], &["--version"], "clang (Debian, Fedora)");
        clangxx = need("clang++", &["clang++"], &["--version"], "clang (Debian, Fedora)");
        need("gcc", &["gcc"], &["--version"], "gcc (Debian, Fedora)");
        need("g++", &["g++"], &["--version"], "g++ (Debian), gcc-c++ (Fedora)");
        need("doxygen", &["doxygen"], &["--version"], "doxygen (Debian, Fedora)");
        need("valgrind", &["valgrind"], &["--version"], "valgrind (Debian, Fedora)");
        need("abidiff", &["abidiff"], &["--version"], "abigail-tools (Debian), libabigail (Fedora)");
        need("pkg-config", &["pkg-config"], &["--version"], "pkg-config (Debian), pkgconf (Fedora)");
        need("CMake", &["cmake"], &["--version"], "cmake (Debian, Fedora)");
        need("Meson", &["meson"], &["--version"], "meson (Debian, Fedora)");
        need("Ninja, for Meson", &["ninja"], &["--version"], "ninja-build (Debian, Fedora)");
        let curl = ["--exists", "libcurl >= 7.85"];
        need("libcurl 7.85", &["pkg-config"], &curl, "libcurl4-openssl-dev (Debian), libcurl-devel (Fedora)");
    }
    if missing.is_empty() { Ok(Tools { cc, cxx, python, clang, clangxx }) } else { Err(missing) }
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
