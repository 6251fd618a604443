//! The committed header is the one that the sources make. `UPDATE=1 cargo test -p activity-status-c` rewrites it.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_header_is_the_one_that_the_sources_make() {
    let path = here("../../include/activity_status.h");
    let made = header();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let same = made.lines().zip(committed.lines()).take_while(|(made, committed)| made == committed).count();
    assert!(
        made == committed,
        "include/activity_status.h is not what the sources make, from line {} on: run \
         `UPDATE=1 cargo test -p activity-status-c --test header`",
        same + 1
    );
}

#[test]
fn every_exported_function_is_in_the_header_with_a_comment() {
    let header = header();
    let lines: Vec<&str> = header.lines().collect();
    let functions = (0..lines.len()).filter(|at| lines[*at].starts_with("ASTAT_API")).inspect(|at| {
        assert_eq!(lines[at - 1], " */", "no comment before {}", lines[*at]);
    });
    let exported: usize =
        sources().iter().map(|file| read(file).matches("#[unsafe(no_mangle)]").count()).sum();
    assert_eq!(functions.count(), exported);
}

#[test]
fn the_header_names_every_operation_and_speaks_no_rust() {
    let header = header();
    for operation in activity_status::Operation::ALL {
        assert!(header.contains(&format!("\"{}\"", operation.name())), "{operation}");
    }
    for word in ["::", "None", "Some(", "Result<", "`", "&mut", "@"] {
        assert!(!header.contains(word), "{word}");
    }
}

fn header() -> String {
    let mut config = cbindgen::Config::from_file(here("cbindgen.toml")).expect("cbindgen.toml is wrong");
    for (place, version) in [
        ("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR")),
        ("@MINOR@", env!("CARGO_PKG_VERSION_MINOR")),
        ("@PATCH@", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        config.after_includes = config.after_includes.map(|text| text.replace(place, version));
    }
    let builder = cbindgen::Builder::new().with_config(config);
    let bindings = sources().into_iter().fold(builder, cbindgen::Builder::with_src).generate();
    let mut header = Vec::new();
    bindings.expect("the sources cannot be read").write(&mut header);
    String::from_utf8(header).expect("cbindgen writes text")
}

/// The modules in the order of `lib.rs`, which is the order of the header.
fn sources() -> Vec<PathBuf> {
    let lib = read(&here("src/lib.rs"));
    let modules = lib.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    modules.map(|module| here(&format!("src/{module}.rs"))).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
