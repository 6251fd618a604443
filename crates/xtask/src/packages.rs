//! What `cargo xtask dist` installs, as others use it: the folder is moved, then every example in C and C++ is built
//! from it and run, with pkg-config, CMake and Meson.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Run, Step, discard, root, target, workshop};
use crate::rust::names;
use crate::sandbox::Address;
use crate::tools::Tools;
use crate::{abi, dist};

/// A folder in which the library was installed once.
pub(crate) struct Moved {
    folder: PathBuf,
}

/// As it is shipped unless more is asked for.
pub(crate) const REDIS: bool = false;

/// Installs the library, moves it, and looks at what is there.
pub(crate) fn install(run: &mut Run) -> Option<Moved> {
    let here = workshop().join("packages");
    let (installed, folder) = (here.join("installed"), here.join("moved"));
    let _ = fs::remove_dir_all(&here);
    let wanted = dist::Wanted { prefix: installed.clone(), libdir: "lib", redis: REDIS };
    if !dist::install(run, &wanted) {
        return None;
    }
    let moved = fs::rename(&installed, &folder).map_err(|error| error.to_string());
    run.check("the folder is moved", moved);
    let moved = Moved { folder };
    run.check(
        "the shared library exports our functions, with their versions",
        abi::exports_only_ours(&moved.lib().join("libactivity_status.so"), true),
    );
    let soname = Command::new("readelf").args(["-d"]).arg(moved.lib().join("libactivity_status.so")).output();
    let named = soname.is_ok_and(|printed| {
        let name = format!("[libactivity_status.so.{}]", dist::SOVERSION);
        String::from_utf8_lossy(&printed.stdout)
            .lines()
            .any(|line| line.contains("SONAME") && line.contains(&name))
    });
    run.check("the soname", if named { Ok(()) } else { Err("it is another one".to_owned()) });
    run.check("no path of this machine is in what is shipped", no_path(&moved.folder));
    Some(moved)
}

/// Builds and runs the examples from it, in each way in which others build programs.
pub(crate) fn test(run: &mut Run, tools: &Tools, moved: &Moved, address: &Address) {
    // Of a folder without the shared library, every program is linked with the static one.
    let alone = Moved { folder: moved.folder.with_file_name("static") };
    let copied = Step::new("cp").args(["-R".as_ref(), moved.folder.as_os_str(), alone.folder.as_os_str()]);
    if run.step("a copy for the static library", copied) {
        for ending in ["", ".0", concat!(".", env!("CARGO_PKG_VERSION"))] {
            let _ = fs::remove_file(alone.lib().join(format!("libactivity_status.so{ending}")));
        }
    }
    pkg_config(run, tools, moved, "--shared", address);
    pkg_config(run, tools, &alone, "--static", address);
    for (linked, folder) in [("shared", moved), ("static", moved), ("activity_status", &alone)] {
        cmake(run, folder, linked, address);
    }
    meson(run, moved, address);
    spellings(run, tools, moved);
    versions(run, moved);
    beside(run, tools, &alone);
}

/// Removes all that was built for it.
pub(crate) fn clear() {
    for folder in ["packages", "dist"] {
        discard(&workshop().join(folder));
    }
}

impl Moved {
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn lib(&self) -> PathBuf {
        self.folder.join("lib")
    }

    /// A folder for what is built from this one.
    fn build(&self, name: &str) -> PathBuf {
        self.folder.with_file_name(format!("build-{name}"))
    }
}

fn pkg_config(run: &mut Run, tools: &Tools, moved: &Moved, how: &str, address: &Address) {
    let build = moved.build(&format!("pkg-config{how}"));
    fs::create_dir_all(&build).expect("the target folder can be written");
    for (language, compiler, standard) in [("c", &tools.cc, "c99"), ("cpp", &tools.cxx, "c++17")] {
        for name in names(&format!("examples/{language}"), language) {
            let (file, program) = (
                root().join(format!("examples/{language}/{name}.{language}")),
                build.join(format!("{name}-{language}")),
            );
            // It is shared whatever ours is: its static one wants a dozen more.
            let curl = if name == "own_transport" { "$(pkg-config --cflags --libs libcurl)" } else { "" };
            // As it stands in the manuals: one line of a shell.
            let line = format!(
                "{compiler} -std={standard} -D_POSIX_C_SOURCE=200809L '{}' \
                 $(pkg-config {how} --cflags --libs activity_status) {curl} -lpthread -o '{}'",
                file.display(),
                program.display()
            );
            let title = format!("{name}.{language} by pkg-config {how}");
            let compile =
                Step::new("sh").args(["-c", &line]).env("PKG_CONFIG_PATH", moved.lib().join("pkgconfig"));
            if run.step(&format!("{title}, compile"), compile) {
                let program = Step::new(program).args(address.arguments(&name)).envs(&address.environment());
                run.step(&title, program.env("LD_LIBRARY_PATH", moved.lib()));
            }
        }
    }
}

fn cmake(run: &mut Run, moved: &Moved, linked: &str, address: &Address) {
    let build = moved.build(&format!("cmake-{linked}"));
    let job = address.arguments("status").concat();
    let use_static = if linked == "static" { "ON" } else { "OFF" };
    let configure = Step::new("cmake")
        .args([
            "-S".as_ref(),
            root().join("bindings/c/packaging").as_os_str(),
            "-B".as_ref(),
            build.as_os_str(),
        ])
        .args([format!("-DCMAKE_PREFIX_PATH={}", moved.folder.display()), format!("-DJOB={job}")])
        .args([format!("-DLINKED={linked}"), format!("-Dactivity_status_USE_STATIC={use_static}")]);
    let compile = Step::new("cmake").args(["--build".as_ref(), build.as_os_str()]);
    let test = Step::new("ctest").args(["--output-on-failure"]).dir(&build).envs(&address.environment());
    let _ = run.step(&format!("CMake finds the package ({linked})"), configure)
        && run.step(&format!("CMake builds the examples ({linked})"), compile)
        && run.step(&format!("ctest runs them ({linked})"), test);
}

fn meson(run: &mut Run, moved: &Moved, address: &Address) {
    let build = moved.build("meson");
    let job = address.arguments("status").concat();
    let setup = Step::new("meson")
        .args(["setup".as_ref(), build.as_os_str(), root().join("bindings/c/packaging").as_os_str()])
        .args(["--pkg-config-path".as_ref(), moved.lib().join("pkgconfig").as_os_str()])
        .args([format!("-Djob={job}")]);
    let test = Step::new("meson")
        // One after another: each has a quota of its own, and they have one account.
        .args(["test", "--print-errorlogs", "--num-processes", "1", "-C"])
        .args([&build])
        .envs(&address.environment());
    let _ =
        run.step("Meson finds the package", setup) && run.step("Meson builds and runs the examples", test);
}

/// Both ways to name a header.
fn spellings(run: &mut Run, tools: &Tools, moved: &Moved) {
    let source = moved.build("spellings").with_extension("cpp");
    let text = "#include <activity_status/activity_status.h>\n#include <activity_status/activity_status.hpp>\n\
                #include <activity_status.h>\n#include <activity_status.hpp>\nint main() {}\n";
    fs::write(&source, text).expect("the target folder can be written");
    let line = format!(
        "{} -std=c++17 -fsyntax-only '{}' $(pkg-config --cflags activity_status)",
        tools.cxx,
        source.display()
    );
    let compile = Step::new("sh").args(["-c", &line]).env("PKG_CONFIG_PATH", moved.lib().join("pkgconfig"));
    run.step("both ways to name a header", compile);
}

/// Below 1.0 another minor version is another library.
fn versions(run: &mut Run, moved: &Moved) {
    for (at, (wanted, code)) in
        [("0.1", 0), ("0.1.0 EXACT", 0), ("0.2", 1), ("1.0", 1), ("0.1 COMPONENTS nothing", 1)]
            .iter()
            .enumerate()
    {
        let project = moved.build(&format!("version-{at}"));
        fs::create_dir_all(&project).expect("the target folder can be written");
        let text = format!(
            "cmake_minimum_required(VERSION 3.16)\nproject(wants LANGUAGES C)\n\
             find_package(activity_status {wanted} REQUIRED)\n"
        );
        fs::write(project.join("CMakeLists.txt"), text).expect("the target folder can be written");
        let configure = Step::new("cmake")
            .args(["-S".as_ref(), project.as_os_str(), "-B".as_ref(), project.join("build").as_os_str()])
            .args([format!("-DCMAKE_PREFIX_PATH={}", moved.folder.display())]);
        run.step(&format!("find_package(activity_status {wanted})"), configure.expect(&[*code]));
    }
}

/// A program with two static libraries that were made by Rust.
fn beside(run: &mut Run, tools: &Tools, moved: &Moved) {
    let build = moved.build("beside");
    fs::create_dir_all(&build).expect("the target folder can be written");
    let sources = root().join("bindings/c/tests/beside");
    let (other, program) = (build.join("libother.a"), build.join("beside"));
    let made = Step::new("rustc")
        .args(["--edition=2024", "--crate-type=staticlib", "-o"])
        .args([&other, &sources.join("other.rs")]);
    let line = format!(
        "{} -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror '{}' '{}' \
         $(pkg-config --static --cflags --libs activity_status) -o '{}'",
        tools.cc,
        sources.join("beside.c").display(),
        other.display(),
        program.display()
    );
    let link = Step::new("sh").args(["-c", &line]).env("PKG_CONFIG_PATH", moved.lib().join("pkgconfig"));
    let _ = run.step("another static library in Rust", made)
        && run.step("a program with both", link)
        && run.step("each catches its own panic", Step::new(program));
}

/// Neither the repository's path, nor cargo's, nor where it was installed first.
pub(crate) fn no_path(folder: &Path) -> Result<(), String> {
    let home = std::env::home_dir().unwrap_or_default();
    let paths =
        [root(), target(), home.join(".cargo"), home.join(".rustup"), folder.with_file_name("installed")];
    let paths = paths.map(|path| path.display().to_string().into_bytes());
    for file in files(folder) {
        let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        if let Some(path) = paths.iter().find(|path| holds(&bytes, path)) {
            return Err(format!("{} holds {}", file.display(), String::from_utf8_lossy(path)));
        }
    }
    Ok(())
}

/// Every file in a folder and in those in it.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == part[0]).map(|(at, _)| at);
    starts.into_iter().any(|at| bytes[at..].starts_with(part))
}
