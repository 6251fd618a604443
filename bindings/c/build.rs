//! Gives the shared library its name and keeps it loaded.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // The name that programs ask for at run time. It changes when a function, a struct or a constant does.
        // cargo-c sets it by itself.
        if std::env::var_os("CARGO_FEATURE_CAPI").is_none() {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libactivity_status.so.0");
        }
        // A name look-up may still run in a thread when the last client is freed: dlclose must not take its code away.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
