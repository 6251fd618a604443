//! `cargo xtask dist`: the C library as a distribution ships it, in a folder that can be moved.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::abi;
use crate::run::{Run, Step, root, workshop};

/// The version of all crates, and so of the library.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What follows `.so.` in the name that programs ask for.
pub(crate) const SOVERSION: &str = "0";

/// The size that the shared library may have, stripped and without Redis.
const LARGEST: u64 = 2_600_000;

/// What is wanted, and where.
pub(crate) struct Wanted<'a> {
    /// The folder: `/usr/local`, or one that is moved there later.
    pub(crate) prefix: PathBuf,
    /// Where in it the libraries are: `lib`, `lib64`, `lib/x86_64-linux-gnu`.
    pub(crate) libdir: &'a str,
    /// With the limiter that is kept in Redis.
    pub(crate) redis: bool,
}

/// Installs headers, libraries, and the files of pkg-config and CMake.
pub(crate) fn install(run: &mut Run, wanted: &Wanted<'_>) -> bool {
    let Some(archive) = archive(run, wanted.redis) else { return false };
    let (prefix, libdir) = (&wanted.prefix, wanted.libdir);
    let lib = prefix.join(libdir);
    let made = fs::create_dir_all(&lib).map_err(|error| format!("{}: {error}", lib.display()));
    run.check("the folder", made)
        && shared(run, &archive, &lib, wanted.redis)
        && lone(run, &archive, &lib)
        && {
            let copied = files(&archive, prefix, libdir);
            run.check("headers, licences, pkg-config and CMake files", copied)
        }
}

/// What rustc made, and what a program must link besides.
struct Archive {
    file: PathBuf,
    libraries: Vec<String>,
}

fn archive(run: &mut Run, redis: bool) -> Option<Archive> {
    let folder = workshop().join("dist");
    let printed = folder.join("native-static-libs");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let build = cargo(run, "rustc", redis)
        .args(["--crate-type", "staticlib", "--"])
        .args([format!("--print=native-static-libs={}", printed.display())]);
    if !run.step("build the C library for shipping", build) {
        return None;
    }
    let printed = fs::read_to_string(printed).unwrap_or_default();
    let mut libraries: Vec<String> = Vec::new();
    for library in printed.split_whitespace() {
        if !libraries.iter().any(|known| known == library) {
            libraries.push(library.to_owned());
        }
    }
    let named = if libraries.is_empty() { Err("rustc names no library".to_owned()) } else { Ok(()) };
    let file = folder.join("dist/libactivity_status.a");
    run.check("the libraries that a static program needs", named).then_some(Archive { file, libraries })
}

/// Cargo, at work on what is shipped.
pub(crate) fn cargo(run: &Run, command: &str, redis: bool) -> Step {
    run.cargo([command, "--package", "activity-status-c", "--profile", "dist"])
        .args(["--no-default-features", "--features", if redis { "redis" } else { "" }])
        .args(["--target-dir".as_ref(), workshop().join("dist").as_os_str()])
        .env("CARGO_ENCODED_RUSTFLAGS", remapped().join("\u{1f}"))
}

/// No path of the machine it was built on is in what is shipped.
pub(crate) fn remapped() -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).unwrap_or_default();
    let registries = fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
    let mut prefixes = vec![(home.clone(), "cargo"), (root(), "activity-status")];
    prefixes.extend(registries.map(|registry| (registry.path(), "crates")));
    prefixes.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect()
}

/// The shared library. rustc cannot give its symbols a version, so it is linked from the archive.
fn shared(run: &mut Run, archive: &Archive, lib: &Path, redis: bool) -> bool {
    let versions = workshop().join("dist/activity_status.map");
    fs::write(&versions, abi::version_script()).expect("the target folder can be written");
    let (soname, file) =
        (format!("libactivity_status.so.{SOVERSION}"), lib.join(format!("libactivity_status.so.{VERSION}")));
    let link = Step::new("cc")
        .args(["-shared", "-o"])
        .args([&file])
        .args(abi::exports().iter().map(|name| format!("-Wl,-u,{name}")))
        .args([&archive.file])
        .args([format!("-Wl,-soname,{soname}"), format!("-Wl,--version-script={}", versions.display())])
        // A call may still run in a thread when the last client is freed: dlclose must not take its code away.
        .args(["-Wl,--gc-sections", "-Wl,-z,defs,-z,relro,-z,now,-z,nodelete", "-Wl,-s"])
        .args(&archive.libraries);
    if !run.step("the shared library", link) {
        return false;
    }
    let links = [
        (&soname, format!("libactivity_status.so.{VERSION}")),
        (&"libactivity_status.so".to_owned(), soname.clone()),
    ];
    let linked = links.iter().try_for_each(|(name, to)| {
        let _ = fs::remove_file(lib.join(name));
        symlink(to, lib.join(name)).map_err(|error| format!("{name}: {error}"))
    });
    let size = fs::metadata(&file).map_or(0, |file| file.len());
    let small = match size {
        1..=LARGEST => Ok(()),
        1.. if redis => Ok(()),
        _ => Err(format!("it has {size} bytes, and {LARGEST} are the most")),
    };
    run.check("its names", linked) && run.check(&format!("its size: {size} bytes"), small)
}

/// The static library: one object of which only our functions can be seen, so that it links beside another one that has a Rust
/// standard library in it.
fn lone(run: &mut Run, archive: &Archive, lib: &Path) -> bool {
    let tools = Command::new("rustc").args(["--print", "sysroot"]).output().map(|printed| {
        let sysroot = PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim());
        (sysroot.join(format!("lib/rustlib/{}/bin", host())), sysroot.join("lib"))
    });
    let Ok((tools, libraries)) = tools else {
        return run.check("the static library", Err("rustc does not run".to_owned()));
    };
    let folder = workshop().join("dist");
    let (one, file) = (folder.join("activity_status.o"), lib.join("libactivity_status.a"));
    let listed = abi::kept(abi::EXPORTS);
    let join = Step::new(tools.join("rust-lld"))
        .args(["-flavor", "gnu", "-r", "-o"])
        .args([&one])
        .args(abi::exports().iter().flat_map(|name| ["-u".to_owned(), name.clone()]))
        .args([&archive.file]);
    let hide = Step::new(tools.join("rust-objcopy"))
        .args([format!("--keep-global-symbols={}", listed.display())])
        .args(["--strip-debug", "--remove-section=.llvmbc", "--remove-section=.llvmcmd"])
        .args([&one])
        .env("LD_LIBRARY_PATH", &libraries);
    let _ = fs::remove_file(&file);
    run.step("the static library as one object", join)
        && run.step("its other symbols are hidden", hide)
        && run.step(
            "the static library",
            Step::new("ar").args(["crsD".as_ref(), file.as_os_str(), one.as_os_str()]),
        )
}

/// The target that rustc builds for if it is not told another one.
fn host() -> String {
    let printed = Command::new("rustc").arg("-vV").output().map(|printed| printed.stdout).unwrap_or_default();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    printed.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned()
}

fn files(archive: &Archive, prefix: &Path, libdir: &str) -> Result<(), String> {
    let lib = prefix.join(libdir);
    for (from, to) in [
        ("include/activity_status.h", "include/activity_status"),
        ("include/activity_status.hpp", "include/activity_status"),
        ("LICENSE-MIT", "share/licenses/activity_status"),
        ("LICENSE-APACHE", "share/licenses/activity_status"),
        ("docs/c.md", "share/doc/activity_status"),
        ("docs/abi.md", "share/doc/activity_status"),
    ] {
        let from = root().join(from);
        put(
            &prefix.join(to).join(from.file_name().unwrap_or_default()),
            &fs::read_to_string(&from).unwrap_or_default(),
        )?;
    }
    for language in ["c", "cpp"] {
        let examples = root().join("examples").join(language);
        let entries = fs::read_dir(&examples).map_err(|error| format!("{}: {error}", examples.display()))?;
        for file in entries.flatten().map(|entry| entry.path()) {
            let to = prefix.join("share/doc/activity_status/examples").join(language);
            put(
                &to.join(file.file_name().unwrap_or_default()),
                &fs::read_to_string(&file).unwrap_or_default(),
            )?;
        }
    }
    let [major, minor, _] = VERSION.split('.').collect::<Vec<_>>()[..] else {
        return Err(format!("{VERSION} has not three numbers"));
    };
    let private = archive.libraries.join(" ");
    // Threads::Threads has it already.
    let cmake = archive.libraries.iter().filter(|it| *it != "-lpthread" && *it != "-lc");
    let cmake = cmake.map(|it| it.trim_start_matches("-l").to_owned()).collect::<Vec<_>>().join(";");
    let up = "../".repeat(depth(libdir));
    for (name, to) in [
        ("activity_status.pc", "pkgconfig"),
        ("activity_status-config.cmake", "cmake/activity_status"),
        ("activity_status-config-version.cmake", "cmake/activity_status"),
    ] {
        let template = root().join(format!("bindings/c/packaging/{name}.in"));
        let mut text =
            fs::read_to_string(&template).map_err(|error| format!("{}: {error}", template.display()))?;
        for (place, value) in [
            ("@VERSION@", VERSION),
            ("@SOVERSION@", SOVERSION),
            ("@MAJOR@", major),
            ("@MINOR@", minor),
            ("@LIBDIR@", libdir),
            ("@LIBS_PRIVATE@", &private),
            ("@CMAKE_LIBS@", &cmake),
            ("@PREFIX_FROM_PC@", &format!("../{up}.")),
            ("@PREFIX_FROM_CMAKE@", &format!("../../{up}.")),
        ] {
            text = text.replace(place, value);
        }
        put(&lib.join(to).join(name), &text)?;
    }
    Ok(())
}

/// How many folders a path goes down.
fn depth(libdir: &str) -> usize {
    Path::new(libdir).components().filter(|part| matches!(part, Component::Normal(_))).count()
}

fn put(file: &Path, text: &str) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let put = fs::create_dir_all(folder).and_then(|()| fs::write(file, text));
    match put {
        Ok(()) if !text.is_empty() => Ok(()),
        Ok(()) => Err(format!("there is nothing to put into {}", file.display())),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}
