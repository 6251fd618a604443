//! Which version the library is.

use crate::guard;
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

/// The number of the interface: what follows ".so." in the library's name. Within one number nothing is taken away and
/// nothing changes its meaning.
#[unsafe(no_mangle)]
pub extern "C" fn astat_abi_version() -> u32 {
    ABI
}

/// 1 if the library was built with this part, else 0: "limiter-file", "limiter-redis", "limiter-redis-tls".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_has_feature(name: astat_str) -> i32 {
    guard::quiet(0, || {
        // SAFETY: the caller lends a text.
        let name = unsafe { name.read_lossy() };
        let kind = match name.as_str() {
            "limiter-file" => "file",
            "limiter-redis" => "redis",
            "limiter-redis-tls" => "rediss",
            _ => return 0,
        };
        i32::from(activity_status_backends::LIMITERS.contains(&kind))
    })
}

/// It is in the library's soname, too.
const ABI: u32 = 0;

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
