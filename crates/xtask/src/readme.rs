//! Runs every code block of the README and of the pages about C and Python against the sandbox, so that none of it can grow old.

use std::fs;
use std::path::PathBuf;

use crate::python::Python;
use crate::run::{Run, Step, root, target, workshop};
use crate::sandbox::Address;
use crate::tools::Tools;

struct Block {
    language: String,
    line: usize,
    code: String,
}

pub(crate) fn run_every_block(run: &mut Run, tools: &Tools, python: &Python, address: &Address) {
    for (page, languages) in PAGES {
        let text = fs::read_to_string(root().join(page)).unwrap_or_default();
        let blocks = blocks(&text);
        let missing =
            languages.iter().find(|language| blocks.iter().all(|block| block.language != **language));
        run.check(
            &format!("{page} has code in every language"),
            missing.map_or(Ok(()), |language| Err(format!("no {language}"))),
        );
        run_blocks(run, tools, python, address, page, blocks);
    }
}

/// The pages that have code in them, and in which languages.
const PAGES: [(&str, &[&str]); 4] = [
    ("README.md", &["rust", "c", "python", "sh"]),
    ("docs/c.md", &["c", "cpp"]),
    ("docs/python.md", &["python"]),
    ("bindings/python/README.md", &["python"]),
];

fn run_blocks(
    run: &mut Run,
    tools: &Tools,
    python: &Python,
    address: &Address,
    page: &str,
    blocks: Vec<Block>,
) {
    let folder = workshop().join("readme");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("src")).expect("the target folder can be written");
    for block in blocks {
        let name = format!("{page} line {} ({})", block.line, block.language);
        let step = match block.language.as_str() {
            "rust" => rust(run, &folder, &block.code),
            "c" | "cpp" => match c(run, tools, &folder, &block, &name) {
                Some(step) => step,
                None => continue,
            },
            "python" => {
                let file = folder.join("block.py");
                fs::write(&file, &block.code).expect("the target folder can be written");
                Step::new(&python.interpreter).args([file])
            }
            "sh" => shell(python, &block.code),
            "text" | "json" => continue,
            other => {
                run.check(&name, Err(format!("nobody knows how to run {other:?}; plain output is \"text\"")));
                continue;
            }
        };
        // A block that shows a job that fails ends with 1, and that is no fault of the block's.
        run.step(&name, step.envs(&address.environment()).expect(&[0]));
    }
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (i, line) in markdown.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block { language: language.trim().to_owned(), line: i + 1, code: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.code.push_str(line);
                block.code.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// A program of its own that depends on this project by path, as a user's would by version.
fn rust(run: &Run, folder: &std::path::Path, code: &str) -> Step {
    let root = root();
    let paths = [("activity-status", "crates/core"), ("activity-status-backends", "crates/backends")];
    let paths = paths.map(|(name, folder)| format!("{name} = {{ path = {:?} }}\n", root.join(folder)));
    let manifest = format!(
        "[package]\nname = \"readme\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{}serde_json = \"1\"\n",
        paths.concat()
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("the target folder can be written");
    fs::write(folder.join("src/main.rs"), code).expect("the target folder can be written");
    // The versions that were built already.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file is there");
    run.cargo(["run", "--quiet"]).dir(folder).env("CARGO_TARGET_DIR", target())
}

fn c(run: &mut Run, tools: &Tools, folder: &std::path::Path, block: &Block, name: &str) -> Option<Step> {
    let (compiler, standard) = match block.language.as_str() {
        "c" => (&tools.cc, "-std=c99"),
        _ => (&tools.cxx, "-std=c++17"),
    };
    let (file, program): (PathBuf, PathBuf) =
        (folder.join(format!("block.{}", block.language)), folder.join("block"));
    fs::write(&file, &block.code).expect("the target folder can be written");
    let libraries = target().join("debug");
    let compile = Step::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .args([root().join("include"), file, "-o".into(), program.clone(), "-L".into(), libraries.clone()])
        .args(["-lactivity_status".to_owned(), format!("-Wl,-rpath,{}", libraries.display())]);
    run.step(&format!("{name}, compile"), compile).then(|| Step::new(program))
}

/// A shell block, in the repository. Its `cargo xtask` lines are left out: this is one.
fn shell(python: &Python, code: &str) -> Step {
    let lines: Vec<&str> =
        code.lines().filter(|line| !line.trim_start().starts_with("cargo xtask")).collect();
    let scripts = python.interpreter.parent().expect("it lies in a folder").to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", scripts.display());
    // Its paths begin with `target`, so cargo must build there.
    Step::new("bash")
        .args(["-euo", "pipefail", "-c", &lines.join("\n")])
        .env("PATH", path)
        .env_remove("CARGO_TARGET_DIR")
}
