//! Which version the library is.

use crate::text::astat_str;

/// The version of the library: major * 1000000 + minor * 1000 + patch.
///
/// ASTAT_VERSION_NUMBER is the one of the header that a program was compiled with. Within one soname
/// (libactivity_status.so.0), a library of a higher version serves programs of a lower one.
#[unsafe(no_mangle)]
pub extern "C" fn astat_version_number() -> u32 {
    NUMBER
}

/// The version of the library as text, such as "0.1.0". It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn astat_version_string() -> astat_str {
    TEXT.into()
}

const NUMBER: u32 = {
    let [major, minor, patch] = [
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
    ];
    assert!(minor < 1000 && patch < 1000);
    major * 1_000_000 + minor * 1_000 + patch
};

const TEXT: &std::ffi::CStr =
    match std::ffi::CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version without NUL"),
    };

const fn number(text: &str) -> u32 {
    let (mut number, mut at) = (0, 0);
    while at < text.len() {
        number = number * 10 + (text.as_bytes()[at] - b'0') as u32;
        at += 1;
    }
    number
}
