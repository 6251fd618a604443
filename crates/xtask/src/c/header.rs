//! The headers alone and twice, after other headers' macros, under each standard that they promise.

use std::fs;
use std::path::{Path, PathBuf};

use super::declarations::Declarations;
use crate::run::{Run, Step, root, workshop};
use crate::tools::{Tools, answers};

const C: [&str; 5] = ["c89", "c99", "c11", "c17", "c2x"];
const CXX: [&str; 7] = ["c++98", "c++03", "c++11", "c++14", "c++17", "c++20", "c++2b"];
/// Those of them that the C++ header is for.
const NEW_CXX: usize = 4;

/// Macros that well-known headers define: of Windows, X11, Qt, glibc and macOS.
const NOISE: &str = "\
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define interface struct
#define small char
#define near
#define far
#define pascal
#define IN
#define OUT
#define ERROR 0
#define NO_ERROR 0
#define DELETE 1
#define VOID void
#define CONST const
#define CALLBACK
#define OPTIONAL
#define None 0L
#define Success 0
#define Bool int
#define True 1
#define signals public
#define slots
#define emit
#define foreach(a, b) for (a; b;)
#define verify(a)
#define require(a, b)
#define major(a) (a)
#define minor(a) (a)
#define unix 1
#define linux 1
#define DEBUG 1
";

/// Besides, what the C++ header needs for names of its own.
const C_NOISE: &str = "\
#define Status int
#define check(a)
#define free(a) (a)
#define send(a) (a)
";

pub(crate) fn check(run: &mut Run, tools: &Tools, header: &str, full: bool) -> Result<(), String> {
    let folder = workshop().join("c");
    let used = uses(&Declarations::of(header)?);
    let alone = "#include <activity_status.h>\n";
    let twice = format!("{NOISE}{C_NOISE}{alone}{alone}{used}");
    let cpp = "#include <activity_status.hpp>\n";
    // The standard library's own headers come before the noise, which breaks some of them.
    let hpp =
        fs::read_to_string(root().join("include/activity_status.hpp")).map_err(|error| error.to_string())?;
    let standard: String =
        hpp.lines().filter(|it| it.starts_with("#include <")).map(|it| format!("{it}\n")).collect();
    let cpp_twice = format!("{standard}{NOISE}{cpp}{cpp}{used}");
    let (c, cxx) = (["gcc", "clang"], ["g++", "clang++"]);
    for (own, others, ending, standards, name, text) in [
        (&tools.cc, c, "c", &C[..], "activity_status.h", [alone, &twice]),
        (&tools.cxx, cxx, "cpp", &CXX[..], "activity_status.h", [alone, &twice]),
        (&tools.cxx, cxx, "cpp", &CXX[NEW_CXX..], "activity_status.hpp", [cpp, &cpp_twice]),
    ] {
        let files: Vec<PathBuf> = text
            .iter()
            .zip(["alone", "twice"])
            .map(|(text, how)| {
                let file = folder.join(format!("{}-{how}.{ending}", name.replace('.', "_")));
                fs::write(&file, text).expect("the target folder can be written");
                file
            })
            .collect();
        // The C++ header takes seconds.
        let quick = !full && name.ends_with(".hpp");
        let compilers = if quick { vec![own.as_str()] } else { compilers(own, others, full) };
        for compiler in compilers {
            for standard in if quick { &standards[..1] } else { standards } {
                let step = strict(compiler, standard, ending, &files);
                run.step(&format!("{name} as {standard} by {compiler}"), step);
            }
        }
    }
    Ok(())
}

fn strict(compiler: &str, standard: &str, ending: &str, files: &[PathBuf]) -> Step {
    let only_c: &[&str] = if ending == "c" { &["-Wstrict-prototypes"] } else { &[] };
    Step::new(compiler)
        .args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
        .args(only_c)
        .args([format!("-std={standard}")])
        .args([Path::new("-I"), &root().join("include")])
        .args(files)
}

/// The compilers of these names that there are: with `full` all, for it needs them; else at least the tests' own.
pub(crate) fn compilers<'a>(own: &'a str, others: [&'a str; 2], full: bool) -> Vec<&'a str> {
    let mut there: Vec<&str> = others.into_iter().filter(|it| full || answers(it, &["--version"])).collect();
    if there.is_empty() {
        there.push(own);
    }
    there
}

/// A program that uses each constant, each initialiser and the texts.
fn uses(declared: &Declarations) -> String {
    let mut used = String::from("int main(void)\n{\n");
    for it in declared.structs.iter().filter(|it| it.members[0].name == "struct_size") {
        used += &format!("    const {0} {0}_ = {1}_INIT;\n", it.name, it.name.to_uppercase());
    }
    used += "    const astat_str text = ASTAT_LIT(\"a\");\n    (void)text;\n    (void)astat_cstr(\"a\");\n";
    for it in declared.structs.iter().filter(|it| it.members[0].name == "struct_size") {
        used += &format!("    (void){}_;\n", it.name);
    }
    for name in &declared.constants {
        used += &format!("    (void){name};\n");
    }
    used + "    return ASTAT_OK;\n}\n"
}
