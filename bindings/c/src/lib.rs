//! The C library: a thin layer over the core, and the only place of the project with unsafe code.
//!
//! The header `include/activity_status.h` is made from these files, in the order of the modules below, and their
//! comments are its documentation. What holds for all functions stands once, at the top of the header
//! (`cbindgen.toml`). `guard` keeps panics in, `handle` says who owns what, `options` lets structs grow.

#[cfg(panic = "abort")]
compile_error!("the C library turns panics into ASTAT_E_PANIC, which needs panic = \"unwind\"");

mod guard;
mod handle;
mod options;

mod text;

mod version;

mod code;

mod error;

mod cancel;

mod config;

mod plug;

mod limiter;

mod quota;

mod transport;

mod clock;

mod credentials;

mod observer;

mod conform;

mod client;

mod submitted;

mod status;

mod metrics;

mod progress;

mod jobs;

mod ended;

mod batch;

mod tracker;

mod look;

/// The structs and constants look as compiled programs know them.
#[cfg(all(test, target_pointer_width = "64"))]
#[expect(clippy::unnecessary_cast, reason = "constants have types of their own")]
mod layout {
    include!("../abi/layout.rs");
}
