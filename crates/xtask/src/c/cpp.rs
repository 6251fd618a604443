//! The tests of the C++ header: under each standard, with and without exceptions, by each compiler. They need no server.

use std::fs;
use std::path::Path;

use super::compile::shared;
use super::header::compilers;
use crate::run::{Run, Step, root, target, workshop};
use crate::rust::names;
use crate::tools::Tools;

const BARE: [&str; 2] = ["-fno-exceptions", "-fno-rtti"];

/// The names of the programs of one file.
pub(crate) fn tests() -> Vec<String> {
    names("tests/cpp", "cpp").into_iter().filter(|name| name != "refused").map(|name| name + "-cpp").collect()
}

/// All of them in all ways, and what must not compile.
pub(crate) fn test(run: &mut Run, tools: &Tools) {
    for compiler in compilers(&tools.cxx, ["g++", "clang++"], true) {
        for name in tests() {
            let source = root().join("tests/cpp").join(name.replace("-cpp", ".cpp"));
            for standard in ["c++17", "c++20", "c++2b"] {
                for way in [&[][..], &BARE] {
                    // Without exceptions nothing differs from one standard to the next.
                    if !way.is_empty() && standard != "c++17" {
                        continue;
                    }
                    let title = format!("{compiler} -std={standard} {}", way.join(" "));
                    let flags = ["-std=".to_owned() + standard]
                        .into_iter()
                        .chain(way.iter().map(|it| it.to_string()));
                    let program = workshop().join("c").join(&name);
                    let compile = strict(compiler).args(flags).args([&source, Path::new("-o"), &program]);
                    let compile = compile.args(shared(&target().join("debug"))).args(["-lpthread", "-lm"]);
                    if run.step(&format!("compile tests/cpp/{name}: {title}"), compile) {
                        run.step(&format!("tests/cpp/{name}: {title}"), Step::new(program));
                    }
                }
            }
        }
        linked(run, compiler);
    }
    refused(run, &tools.cxx);
}

/// Files with and without exceptions in one program.
fn linked(run: &mut Run, compiler: &str) {
    let folder = workshop().join("c/linked");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let mut objects = Vec::new();
    for name in names("tests/cpp/linked", "cpp") {
        let source = root().join("tests/cpp/linked").join(format!("{name}.cpp"));
        let object = folder.join(format!("{name}.o"));
        let bare: &[&str] = if name == "without_exceptions" { &BARE } else { &[] };
        let compile = strict(compiler).args(["-std=c++17", "-c"]).args(bare);
        let compile = compile.args([&source, Path::new("-o"), &object]);
        run.step(&format!("compile tests/cpp/linked/{name}.cpp: {compiler}"), compile);
        objects.push(object);
    }
    if objects.is_empty() {
        return;
    }
    let program = folder.join("linked");
    let link = Step::new(compiler).args(&objects).args([Path::new("-o"), &program]);
    let link = link.args(shared(&target().join("debug"))).args(["-lpthread", "-lm"]);
    if run.step(&format!("link tests/cpp/linked: {compiler}"), link) {
        run.step(&format!("tests/cpp/linked: {compiler}"), Step::new(program));
    }
}

/// What must not compile: all of the numbered cases of a file but 0.
fn refused(run: &mut Run, compiler: &str) {
    let source = root().join("tests/cpp/refused.cpp");
    let text = fs::read_to_string(&source).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let Some(last) = first.strip_prefix("// cases: ").and_then(|last| last.trim().parse::<u32>().ok()) else {
        run.check("tests/cpp/refused.cpp", Err(format!("its first line is no \"// cases: N\": {first:?}")));
        return;
    };
    for case in 0..=last {
        let compile = strict(compiler)
            .args(["-std=c++17", "-fsyntax-only", &format!("-DCASE={case}")])
            .args([&source])
            .expect(if case == 0 { &[0] } else { &[1] });
        run.step(&format!("tests/cpp/refused.cpp, case {case}"), compile);
    }
}

fn strict(compiler: &str) -> Step {
    Step::new(compiler)
        .args([
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Wshadow",
            "-Werror",
            "-g",
            "-D_POSIX_C_SOURCE=200809L",
            "-I",
        ])
        .args([root().join("include")])
}
