//! What programs there are in C and C++, and how they are compiled and linked.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Run, Step, root, target, workshop};
use crate::rust::names;
use crate::tools::{Tools, answers};

const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"];

/// With what programs are compiled, and with which library they are linked.
pub(crate) struct Way {
    /// Where the programs go.
    pub(crate) folder: PathBuf,
    /// What its steps add to their names.
    pub(crate) title: String,
    pub(crate) cc: String,
    pub(crate) cxx: String,
    pub(crate) compile: Vec<String>,
    pub(crate) link: Vec<String>,
}

pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) source: PathBuf,
    pub(crate) standard: &'static str,
    pub(crate) is_cpp: bool,
    pub(crate) example: bool,
}

impl Way {
    /// With the library that cargo builds for development.
    pub(crate) fn plain(tools: &Tools) -> Self {
        let folder = workshop().join("c");
        fs::create_dir_all(&folder).expect("the target folder can be written");
        Way {
            folder,
            title: String::new(),
            cc: tools.cc.clone(),
            cxx: tools.cxx.clone(),
            compile: vec![],
            link: shared(&target().join("debug")),
        }
    }

    /// Compiles them all, even after one that does not compile.
    pub(crate) fn compile_all(&self, run: &mut Run, programs: &[Program]) -> bool {
        let mut all = true;
        for program in programs {
            all &= self.compile(run, program);
        }
        all
    }

    fn compile(&self, run: &mut Run, program: &Program) -> bool {
        let Program { name, source, standard, is_cpp, .. } = program;
        let compiler = if *is_cpp { &self.cxx } else { &self.cc };
        let curl: &[&str] = if uses_curl(source) { &["-lcurl"] } else { &[] };
        let (object, made) = (self.folder.join(format!("{name}.o")), self.folder.join(name));
        // In two steps, so that a compiler that is to put a sanitizer in does not link its own runtime of it as well.
        let compile = Step::new(compiler)
            .args(STRICT)
            .args([format!("-std={standard}"), "-D_POSIX_C_SOURCE=200809L".to_owned()])
            .args([Path::new("-I"), &root().join("include"), Path::new("-I"), &root().join("tests/c")])
            .args(&self.compile)
            .args([Path::new("-c"), source, Path::new("-o"), &object]);
        let link = Step::new(compiler)
            .args([&object, Path::new("-o"), &made])
            .args(&self.link)
            .args(["-lpthread", "-lm", "-ldl"])
            .args(curl);
        let file = source.strip_prefix(root()).unwrap_or(source);
        let (file, title) = (file.display(), &self.title);
        run.step(&format!("compile {file}{title}"), compile) && run.step(&format!("link {file}{title}"), link)
    }
}

/// How to link with a shared library in this folder. A program that uses none of it is not linked with it.
pub(crate) fn shared(folder: &Path) -> Vec<String> {
    let folder = folder.display();
    vec![
        "-Wl,--as-needed".to_owned(),
        format!("-L{folder}"),
        "-lactivity_status".to_owned(),
        format!("-Wl,-rpath,{folder}"),
    ]
}

/// Where the program goes that is made of the header.
pub(crate) fn trials() -> PathBuf {
    workshop().join("c/trials.c")
}

/// All programs of one file. A C++ program's name ends in -cpp.
pub(crate) fn programs() -> Vec<Program> {
    let mut programs = Vec::new();
    for (folder, ending, standard) in [
        ("tests/c", "c", "c11"),
        ("tests/cpp", "cpp", "c++17"),
        ("examples/c", "c", "c99"),
        ("examples/cpp", "cpp", "c++17"),
    ] {
        let is_cpp = ending == "cpp";
        for name in names(folder, ending).into_iter().filter(|name| name != "refused") {
            programs.push(Program {
                source: root().join(folder).join(format!("{name}.{ending}")),
                name: if is_cpp { format!("{name}-cpp") } else { name },
                standard,
                is_cpp,
                example: folder.starts_with("examples"),
            });
        }
    }
    programs.push(Program {
        name: "trials".to_owned(),
        source: trials(),
        standard: "c11",
        is_cpp: false,
        example: false,
    });
    let has_curl = answers("pkg-config", &["--exists", "libcurl"]);
    programs.retain(|program| has_curl || !uses_curl(&program.source));
    programs
}

fn uses_curl(source: &Path) -> bool {
    fs::read_to_string(source).is_ok_and(|text| text.contains("#include <curl/curl.h>"))
}
