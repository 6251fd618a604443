//! What programs that are compiled already rely on: which functions there are, and how structs and constants look.
//!
//! The header says it; `bindings/c/abi` keeps what it said, and `cargo xtask abi --update` writes down what was added.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::c::declarations::{Declarations, Struct, Variable};
use crate::run::{Run, Step, root, workshop};
use crate::tools::{self, Tools};

/// The functions of the library, in order: the one list behind what is exported.
pub(crate) const EXPORTS: &str = "exports.txt";
/// In which version each of them came.
const VERSIONS: &str = "symbols-in-versions.txt";
/// The types of all functions, as libabigail writes them down.
const BASELINE: &str = "activity_status-0.abi";

/// A file of `bindings/c/abi`.
pub(crate) fn kept(name: &str) -> PathBuf {
    root().join("bindings/c/abi").join(name)
}

/// Does the header still say what `bindings/c/abi` keeps?
pub(crate) fn check(run: &mut Run, tools: &Tools) {
    let written = written(&tools.cc).and_then(|files| {
        let same = |(name, text): &(&str, String)| *text == read(&kept(name));
        let other: Vec<&str> = files.iter().filter(|file| !same(file)).map(|(name, _)| *name).collect();
        match other[..] {
            [] => Ok(()),
            _ => Err(format!("the header says other than {}: cargo xtask abi --update", other.join(", "))),
        }
    });
    run.check("bindings/c/abi is what the header says", written);
    for (compiler, language, standard) in [(&tools.cc, "c", "-std=c11"), (&tools.cxx, "c++", "-std=c++17")] {
        let compile = Step::new(compiler)
            .args(["-x", language, standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"])
            .args(["-I".as_ref(), root().join("include").as_os_str(), kept("layout.c").as_os_str()]);
        run.step(&format!("the layout of structs in {language}"), compile);
    }
    if tools::answers("abidiff", &["--version"]) {
        if let Some(now) = described(run, &tools.cc) {
            run.step("programs that are compiled already still run (abidiff)", difference(&now));
        }
    } else {
        println!("skipped: abidiff, which is not installed (Debian: abigail-tools)");
    }
}

/// Does a library export these functions and nothing else? `versioned`: each with the version in which it came.
pub(crate) fn exports_only_ours(library: &Path, versioned: bool) -> Result<(), String> {
    let name = |(function, version): &(String, String)| match versioned {
        true => format!("{function}@@{}", node(version)),
        false => function.clone(),
    };
    let mut wanted: Vec<String> = versions().iter().map(name).collect();
    let printed = output(Command::new("nm").args(["-D", "--defined-only"]).arg(library))?;
    let columns = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // An absolute symbol is the name of a version.
    let mut found: Vec<String> =
        columns.filter(|columns| columns[1] != "A").map(|columns| columns[2].to_owned()).collect();
    wanted.sort();
    found.sort();
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|name| !those.contains(name)).cloned().collect::<Vec<_>>().join(" ")
    };
    let (missing, foreign) = (only(&wanted, &found), only(&found, &wanted));
    match wanted == found && !found.is_empty() {
        true => Ok(()),
        false => Err(format!("not exported: {missing}; exported besides: {foreign}")),
    }
}

/// The linker's script that gives each function its version, and hides the rest.
pub(crate) fn version_script() -> String {
    let (versions, mut script, mut before) = (versions(), String::new(), String::new());
    let mut nodes: Vec<&str> = versions.iter().map(|(_, version)| version.as_str()).collect();
    nodes.sort_by_key(|version| minor(version));
    nodes.dedup_by_key(|version| minor(version));
    for (at, version) in nodes.into_iter().enumerate() {
        let these = versions.iter().filter(|(_, other)| minor(other) == minor(version));
        let list: String = these.map(|(name, _)| format!("        {name};\n")).collect();
        let rest = if at == 0 { "    local: *;\n" } else { "" };
        let _ = writeln!(script, "{} {{\n    global:\n{list}{rest}}}{before};", node(version));
        before = format!(" {}", node(version));
    }
    script
}

/// `cargo xtask abi`: the check alone; with `--update` what was added is written down; with `--restart`, which is for the time
/// before a release and for a new soname, whatever the header says now.
pub(crate) fn command(word: Option<&str>) -> ExitCode {
    let mut run = Run::start();
    let tools = match tools::find(false) {
        Ok(tools) => tools,
        Err(missing) => {
            run.check("the tools", Err(missing.join("\n")));
            return run.finish();
        }
    };
    if word.is_none() {
        check(&mut run, &tools);
        return run.finish();
    }
    let Some(now) = described(&mut run, &tools.cc) else { return run.finish() };
    let kept_up = word == Some("--restart")
        || run.step("nothing is broken (if it may be: cargo xtask abi --restart)", difference(&now));
    if kept_up {
        let written = written(&tools.cc).and_then(|files| {
            files.iter().try_for_each(|(name, text)| {
                fs::write(kept(name), text).map_err(|error| format!("{name}: {error}"))
            })?;
            fs::copy(&now, kept(BASELINE)).map(drop).map_err(|error| format!("{BASELINE}: {error}"))
        });
        run.check("bindings/c/abi", written);
    }
    run.finish()
}

/// What the files of `bindings/c/abi` must hold.
fn written(cc: &str) -> Result<Vec<(&'static str, String)>, String> {
    let header = header()?;
    let mut names: Vec<String> = header.functions.iter().map(|function| function.name.clone()).collect();
    names.sort();
    let exports: String = names.iter().map(|name| format!("{name}\n")).collect();
    let known = versions();
    let now = env!("CARGO_PKG_VERSION");
    let gone = known.iter().find(|(name, version)| version != now && !names.contains(name));
    if let Some((name, version)) = gone {
        return Err(format!("{name} has been there since {version}, and programs call it"));
    }
    let came = |name: &String| known.iter().find(|(other, _)| other == name).map_or(now, |(_, came)| came);
    let versions: String = names.iter().map(|name| format!("{name} {}\n", came(name))).collect();
    let numbers = numbers(&header, cc)?;
    Ok(vec![
        (EXPORTS, exports),
        (VERSIONS, versions),
        ("layout.c", layout_c(&numbers)),
        ("layout.rs", layout_rs(&numbers)),
    ])
}

/// Each function with the version in which it came.
fn versions() -> Vec<(String, String)> {
    let text = read(&kept(VERSIONS));
    let pair = |line: &str| line.split_once(' ').map(|(name, came)| (name.to_owned(), came.to_owned()));
    text.lines().filter_map(pair).collect()
}

/// The version that a symbol carries: `ASTAT_0`, and `ASTAT_0.N` for what came in 0.N.
fn node(version: &str) -> String {
    match minor(version) {
        0..=1 => "ASTAT_0".to_owned(),
        minor => format!("ASTAT_0.{minor}"),
    }
}

fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default()
}

/// The types of the header's functions, as libabigail describes them: of a library that has nothing but the header.
fn described(run: &mut Run, cc: &str) -> Option<PathBuf> {
    let folder = workshop().join("abi");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let (source, stub, described) = (folder.join("stub.c"), folder.join("stub.so"), folder.join("now.abi"));
    let mut text = "#include <activity_status.h>\n".to_owned();
    for function in header().map(|header| header.functions).unwrap_or_default() {
        let _ = writeln!(text, "{}\n{{\n    __builtin_trap();\n}}", function.declaration);
    }
    fs::write(&source, text).expect("the target folder can be written");
    let compile = Step::new(cc)
        .args(["-std=c11", "-g", "-shared", "-fPIC"])
        .args([format!("-fdebug-prefix-map={}=.", folder.display()), "-I".to_owned()])
        .args([root().join("include"), source])
        .args(["-Wl,-soname,libactivity_status.so.0".as_ref(), "-o".as_ref(), stub.as_os_str()]);
    let describe = Step::new("abidw")
        .args(["--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--out-file"])
        .args([&described, &stub]);
    let ok = run.step("a library of the header alone", compile) && run.step("abidw describes it", describe);
    ok.then_some(described)
}

/// An addition is none; whatever else differs is reported by the exit code.
fn difference(now: &Path) -> Step {
    Step::new("abidiff").args(["--no-added-syms"]).args([kept(BASELINE).as_path(), now])
}

/// A size, an offset or a constant, by its names in C and in Rust; there is none in Rust for what is written in C.
struct Number {
    c: String,
    rust: Option<String>,
    value: u64,
}

/// What the header declares.
fn header() -> Result<Declarations, String> {
    Declarations::of(&read(&root().join("include/activity_status.h")))
}

/// What a program that is compiled against the header says of it.
fn numbers(header: &Declarations, cc: &str) -> Result<Vec<Number>, String> {
    let sources = sources();
    let rust = |kind: &str, name: &str| {
        let defined = format!("pub {kind} {name}");
        let (module, _) = sources.iter().find(|(_, source)| {
            source.split(&defined).nth(1).is_some_and(|after| after.starts_with([' ', ':']))
        })?;
        Some(format!("crate::{module}::{name}"))
    };
    let mut asked = Vec::new();
    for Struct { name, members } in &header.structs {
        let path = rust("struct", name);
        asked.push((format!("sizeof({name})"), path.as_ref().map(|path| format!("size_of::<{path}>()"))));
        asked.extend(members.iter().map(|Variable { name: member, .. }| {
            let offset = path.as_ref().map(|path| format!("offset_of!({path}, {member})"));
            (format!("offsetof({name}, {member})"), offset)
        }));
        let size =
            |Variable { name: member, .. }: &Variable| (format!("sizeof((({name} *)0)->{member})"), None);
        asked.extend(members.iter().map(size));
    }
    asked.extend(header.constants.iter().map(|name| (name.clone(), rust("const", name))));
    let lines: String =
        asked.iter().map(|(c, _)| format!("    printf(\"%llu\\n\", (unsigned long long)({c}));\n")).collect();
    let folder = workshop().join("abi");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let (source, program) = (folder.join("numbers.c"), folder.join("numbers"));
    let text = format!(
        "#include <activity_status.h>\n#include <stdio.h>\n\nint main(void)\n{{\n{lines}    return 0;\n}}\n"
    );
    fs::write(&source, text).map_err(|error| error.to_string())?;
    output(Command::new(cc).arg("-I").args([&root().join("include"), &source]).arg("-o").arg(&program))?;
    let printed = output(&mut Command::new(program))?;
    let values: Vec<u64> = printed.lines().filter_map(|line| line.parse().ok()).collect();
    if values.len() != asked.len() || values.is_empty() {
        return Err(format!("{} numbers were asked, {} came", asked.len(), values.len()));
    }
    Ok(asked.into_iter().zip(values).map(|((c, rust), value)| Number { c, rust, value }).collect())
}

fn layout_c(numbers: &[Number]) -> String {
    let line = |it: &Number| {
        let unsigned = if it.value > i64::MAX as u64 { "u" } else { "" };
        format!("ASTAT_SAME({}, {}{unsigned});\n", it.c, it.value)
    };
    let lines: String = numbers.iter().map(line).collect();
    format!(
        "/* What programs that are compiled already know of structs and constants, on machines of 64 bits.\n * \
         Written by `cargo xtask abi --update`. */\n\
         #include <activity_status.h>\n\n\
         #ifdef __cplusplus\n\
         #define ASTAT_SAME(what, number) static_assert((what) == (number), #what)\n\
         #else\n\
         #define ASTAT_SAME(what, number) _Static_assert((what) == (number), #what)\n\
         #endif\n\n{lines}"
    )
}

fn layout_rs(numbers: &[Number]) -> String {
    let line = |it: &Number| {
        let rust = it.rust.as_ref()?;
        Some(format!("const _: () = assert!({rust} as u64 == {});\n", it.value))
    };
    let lines: String = numbers.iter().filter_map(line).collect();
    format!(
        "// The numbers of layout.c, asserted of the structs and constants themselves.\n\
         // Written by `cargo xtask abi --update`.\n\nuse std::mem::{{offset_of, size_of}};\n\n{lines}"
    )
}

/// Every function of the library, in order.
pub(crate) fn exports() -> Vec<String> {
    versions().into_iter().map(|(name, _)| name).collect()
}

/// The modules of the C library.
fn sources() -> Vec<(String, String)> {
    let files = fs::read_dir(root().join("bindings/c/src")).into_iter().flatten().flatten();
    let named = |file: fs::DirEntry| {
        let path = file.path();
        (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), read(&path))
    };
    files.map(named).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What a command prints, or what it complains of.
fn output(command: &mut Command) -> Result<String, String> {
    let ended = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match ended.status.success() {
        true => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&ended.stderr))),
    }
}
