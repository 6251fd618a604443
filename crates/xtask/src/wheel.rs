//! `cargo xtask wheel`: the Python package as it is shipped, one wheel for every Python and the source that it is built from;
//! and its trial, in which that very file is installed in each Python that is here.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dist::{VERSION, remapped};
use crate::packages::{files, no_path};
use crate::python::{self, Python};
use crate::run::{Run, discard, root, target, workshop};
use crate::sandbox;

/// What builds the wheel, as `pip install` takes it: the same maturin as in pyproject.toml, and zig, whose linker knows every glibc.
const BUILDERS: [&str; 2] = ["maturin[zig]>=1.16,<2", "auditwheel>=6,<7"];

/// The size that the wheel may have.
const LARGEST: u64 = 4_000_000;

/// Which systems the wheel is for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum For {
    /// This one, and those with a glibc that is no older.
    ThisMachine,
    /// Every Linux since 2014.
    ManyLinux,
}

/// The files that are shipped.
struct Shipped {
    wheel: PathBuf,
    source: PathBuf,
}

/// Builds the wheel and the source package, and puts them into a folder.
pub(crate) fn build(run: &mut Run, python: &str, systems: For, out: &Path) -> bool {
    let Some(builder) = python::environment(run, python, "builder") else { return false };
    let built = run.step("builder: pip install maturin and zig", builder.pip(&BUILDERS))
        && shipped(run, &builder, systems, out).is_some();
    builder.discard();
    built
}

/// Builds both, looks into them, and tests the wheel under every Python that is here.
pub(crate) fn test(run: &mut Run, python: &str) {
    let systems = if cfg!(target_os = "linux") { For::ManyLinux } else { For::ThisMachine };
    let out = workshop().join("wheel");
    let _ = fs::remove_dir_all(&out);
    let Some(builder) = python::environment(run, python, "builder") else { return };
    if run.step("builder: pip install maturin and zig", builder.pip(&BUILDERS))
        && let Some(shipped) = shipped(run, &builder, systems, &out)
    {
        contents(run, &builder, &shipped.wheel, systems);
        from_source(run, python, &shipped.source);
        builder.discard();
        under_every_python(run, python, &shipped.wheel);
    }
    discard(&out);
}

fn shipped(run: &mut Run, builder: &Python, systems: For, out: &Path) -> Option<Shipped> {
    let maturin = |command: &str| {
        let manifest = root().join("bindings/python/Cargo.toml");
        let maturin = builder.module(&["maturin", command, "--manifest-path"]).args([manifest]);
        maturin.args(["--out".as_ref(), out.as_os_str()])
    };
    // zig is looked for by the first Python of the path.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folder = builder.interpreter.parent().map(Path::to_owned);
    let path = std::env::join_paths(folder.into_iter().chain(std::env::split_paths(&path))).unwrap_or(path);
    // Apart from what `pip install` builds: the flags are others.
    let here = workshop().join("wheel-target");
    let wheel = maturin("build")
        .args(["--release", "--strip", "--target-dir"])
        .args([&here])
        .args(if systems == For::ManyLinux {
            &["--zig", "--compatibility", "manylinux2014"][..]
        } else {
            &[]
        })
        .env("PATH", path)
        .env("CARGO_ENCODED_RUSTFLAGS", remapped().join("\u{1f}"));
    let built = run.step("build the wheel", wheel) && run.step("pack the source", maturin("sdist"));
    discard(&here);
    let one = |start: &str, ending: &str| {
        let named = |path: &PathBuf| {
            path.file_name().is_some_and(|name| {
                let name = name.to_string_lossy();
                name.starts_with(start) && name.ends_with(ending)
            })
        };
        files(out).into_iter().find(named)
    };
    let start = format!("activity_status-{VERSION}");
    let found = one(&start, ".whl").zip(one(&start, ".tar.gz"));
    let both = found.as_ref().map(|_| ()).ok_or_else(|| "one of them is missing".to_owned());
    let _ = built && run.check("the wheel and its source", both);
    found.filter(|_| built).map(|(wheel, source)| Shipped { wheel, source })
}

/// What is in the wheel, and what is not.
fn contents(run: &mut Run, builder: &Python, wheel: &Path, systems: For) {
    let inside = workshop().join("wheel/inside");
    let unpack = builder.module(&["zipfile", "--extract"]).args([wheel, &inside]);
    if !run.step("unpack the wheel", unpack) {
        return;
    }
    let size = fs::metadata(wheel).map_or(0, |file| file.len());
    let small =
        if (1..=LARGEST).contains(&size) { Ok(()) } else { Err(format!("{LARGEST} bytes are the most")) };
    run.check(&format!("the size of the wheel: {size} bytes"), small);
    run.check("every file of the package is in it, and no other", same_files(&inside));
    run.check("what it says of itself", metadata(&inside, wheel, systems));
    // What the software is made of names the folder that it was built in: that is not ours to write.
    discard(&inside.join(format!("activity_status-{VERSION}.dist-info/sboms")));
    run.check("no path of this machine is in the wheel", no_path(&inside));
    if systems == For::ManyLinux {
        let audit = builder.module(&["auditwheel", "show"]).args([wheel]);
        run.step("auditwheel", audit);
    }
}

fn same_files(inside: &Path) -> Result<(), String> {
    let source = root().join("bindings/python/python/activity_status");
    let listed = |folder: &Path| {
        let relative = |path: PathBuf| path.strip_prefix(folder).map(Path::to_owned).ok();
        let mut listed: Vec<PathBuf> = files(folder).into_iter().filter_map(relative).collect();
        listed.retain(|path| {
            !path.ends_with("_native.abi3.so") && !path.iter().any(|part| part == "__pycache__")
        });
        listed.sort();
        listed
    };
    let (wanted, found) = (listed(&source), listed(&inside.join("activity_status")));
    let differing = wanted
        .iter()
        .filter(|path| !found.contains(path))
        .chain(found.iter().filter(|path| !wanted.contains(path)));
    let differing: Vec<String> = differing.map(|path| path.display().to_string()).collect();
    let at_top = fs::read_dir(inside).into_iter().flatten().count();
    let all = files(inside);
    let libraries = all.iter().filter(|path| path.extension().is_some_and(|ending| ending == "so"));
    match (differing.as_slice(), libraries.count(), at_top) {
        ([], 1, 2) => Ok(()),
        (differing, libraries, at_top) => Err(format!(
            "{differing:?} are in one alone; {libraries} native libraries and {at_top} folders, not 1 and 2"
        )),
    }
}

fn metadata(inside: &Path, wheel: &Path, systems: For) -> Result<(), String> {
    let about = inside.join(format!("activity_status-{VERSION}.dist-info"));
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let system = if systems == For::ManyLinux { "manylinux_2_17_" } else { "" };
    if !(name.starts_with(&format!("activity_status-{VERSION}-cp39-abi3-")) && name.contains(system)) {
        return Err(format!("it is called {name}"));
    }
    for (file, line) in [
        ("WHEEL", "Root-Is-Purelib: false"),
        ("METADATA", "Requires-Python: >=3.9"),
        ("METADATA", "Classifier: Typing :: Typed"),
        ("METADATA", "License-Expression: MIT OR Apache-2.0"),
        ("entry_points.txt", "activity-status=activity_status._cli:main"),
        ("licenses/LICENSE-MIT", ""),
        ("licenses/LICENSE-APACHE", ""),
    ] {
        let text = fs::read_to_string(about.join(file)).map_err(|error| format!("{file}: {error}"))?;
        if !text.lines().any(|it| it == line) {
            return Err(format!("{file} does not say {line:?}"));
        }
        if text.lines().any(|it| it.starts_with("Requires-Dist")) {
            return Err(format!("{file} asks for another package"));
        }
    }
    Ok(())
}

/// The source is built where nothing of the repository is near, as pip does it.
fn from_source(run: &mut Run, python: &str, source: &Path) {
    let Some(elsewhere) = python::environment(run, python, "from-source") else { return };
    let folder = std::env::temp_dir().join(format!("activity-status-{}", std::process::id()));
    let made = fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()));
    if run.check("an empty folder", made) {
        let built = elsewhere.pip(&["--no-deps"]).args([source]).dir(&folder);
        // What comes from the registry is built once.
        let built = built.env("CARGO_TARGET_DIR", target());
        let _ = run.step("pip install the source package", built)
            && run
                .step("it can be imported", elsewhere.module(&["activity_status", "--version"]).dir(&folder));
    }
    discard(&folder);
    elsewhere.discard();
}

/// One file for every Python: the same wheel, the same tests.
fn under_every_python(run: &mut Run, first: &str, wheel: &Path) {
    for (version, python) in python::versions(first) {
        let name = format!("python{version}");
        let Some(python) = python::environment(run, &python, &name) else { continue };
        let installed = run.step(&format!("{name}: pip install pytest"), python.pip(&["pytest>=8.4,<10"]))
            && run.step(&format!("{name}: pip install the wheel"), python.pip(&["--no-index"]).args([wheel]));
        if installed {
            run.step(
                &format!("pytest under Python {version}"),
                python.module(&["pytest", "-rA", "tests/python"]),
            );
            sandbox::during(run, |run, address| python::examples(run, &python, address));
        }
        python.discard();
    }
}
