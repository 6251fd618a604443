//! The rules of the house that a compiler does not know. ARCHITECTURE.md says why each is one.

use std::fs;
use std::path::{Path, PathBuf};

use activity_status::{ErrorKind, Operation, Settings};
use activity_status_tests::root;

fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => walk(&path, found),
                false if path.extension().is_some_and(|ending| ending == "rs") => found.push(path),
                false => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("it lies in the repository").display().to_string();
        (name, fs::read_to_string(path).expect("sources are text"))
    };
    found.into_iter().map(named).collect()
}

/// The code of a file: without its comments and its unit tests.
fn code(source: &str) -> String {
    let before_tests = source.split("#[cfg(test)]").next().unwrap_or_default();
    before_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn one_place_of_the_core_names_the_http_library() {
    for (name, source) in sources("crates/core/src") {
        let names_it = code(&source).contains("ureq::");
        assert_eq!(names_it, name.contains("builtin/ureq_transport"), "{name}");
    }
}

#[test]
fn plugins_are_plain_they_name_no_dependency() {
    for (name, source) in sources("crates/core/src/plugin") {
        for dependency in ["ureq", "serde", "serde_json", "thiserror", "zeroize", "http", "percent_encoding"]
        {
            assert!(!code(&source).contains(&format!("{dependency}::")), "{name} names {dependency}");
        }
        assert!(source.lines().count() < 240, "{name} is long for plain data");
    }
}

#[test]
fn one_place_sends_and_every_permit_is_settled_there() {
    let count = |source: &str, call: &str| code(source).matches(call).count();
    for (name, source) in sources("crates/core/src") {
        let (is_pipeline, is_tracker) = (name.ends_with("src/pipeline.rs"), name.ends_with("src/tracker.rs"));
        assert_eq!(count(&source, "transport.send("), usize::from(is_pipeline), "{name}");
        // One call waits for its permit; of many it is decided anew who gets the next one.
        let asks = count(&source, "limiter.try_acquire(") > 0
            && !name.contains("/plugin/")
            && !name.contains("conformance");
        assert!(!asks || is_pipeline || is_tracker, "{name}");
    }
}

#[test]
fn the_core_depends_on_none_of_the_others_and_asks_for_no_environment() {
    let manifest = fs::read_to_string(root().join("crates/core/Cargo.toml")).unwrap();
    assert!(!manifest.contains("activity-status-") && !manifest.contains("path ="), "{manifest}");
    for (name, source) in sources("crates/core/src") {
        for word in ["std::env", "unsafe", "static mut", "println!", "eprintln!"] {
            assert!(!code(&source).contains(word), "{name} holds {word}");
        }
    }
}

#[test]
fn unsafe_code_is_in_the_bindings_alone() {
    for folder in ["crates", "tests", "examples/rust"] {
        for (name, source) in sources(folder) {
            let ours = name.starts_with("tests/architecture.rs");
            assert!(ours || !code(&source).contains("unsafe {"), "{name}");
        }
    }
}

#[test]
fn the_same_words_in_every_language() {
    let header = fs::read_to_string(root().join("include/activity_status.h")).unwrap();
    let python = fs::read_to_string(root().join("bindings/python/python/activity_status/errors.py")).unwrap();
    for kind in ErrorKind::ALL {
        let constant = format!("ASTAT_E_{}", kind.as_str().to_uppercase());
        assert!(header.contains(&constant), "{constant} is not in the header");
        let class = format!("class {kind:?}Error(");
        assert!(python.contains(&class), "{class} is not in errors.py");
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for operation in Operation::ALL {
        assert!(readme.contains(operation.name()), "the README does not name {operation}");
    }
    for (key, meaning) in Settings::KEYS {
        assert!(meaning.ends_with('.') && !key.contains('-'), "{key}");
    }
}

#[test]
fn the_papers_are_there_and_true_to_their_size() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    for name in ["LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "README.md"] {
        assert!(read(name).len() > 300, "{name}");
    }
    let architecture = read("ARCHITECTURE.md");
    assert!(architecture.lines().count() < 150, "ARCHITECTURE.md is a map, not a book");
    // Each dependency of the core is justified there, and each crate is on its map.
    let manifest = read("crates/core/Cargo.toml");
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in dependencies.lines().filter(|line| line.contains('=') || line.contains(".workspace")) {
        let name = line.split(['.', ' ', '=']).next().unwrap();
        assert!(architecture.contains(&format!("`{name}`")), "{name} is not justified in ARCHITECTURE.md");
    }
    for (name, _) in sources("crates/core/src") {
        let file = name.rsplit('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let is_listed = file == "mod" || architecture.contains(&file);
        assert!(is_listed, "{name} is not on the map in ARCHITECTURE.md");
    }
}

#[test]
fn everything_may_go_to_and_be_used_from_any_thread() {
    fn any_thread<T: Send + Sync + 'static>() {}
    any_thread::<activity_status::Client>();
    any_thread::<activity_status::Error>();
    any_thread::<activity_status::JobStatus>();
    any_thread::<activity_status::Settings>();
    any_thread::<activity_status::builtin::Slots>();
    any_thread::<activity_status::builtin::VirtualClock>();
    any_thread::<activity_status::builtin::UreqTransport>();
}
