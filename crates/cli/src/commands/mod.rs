//! One file a command. Each answers its exit code.

mod demo;
mod metrics;
mod sandbox;
mod status;
mod submit;
mod wait;

pub(crate) use demo::demo;
pub(crate) use metrics::metrics;
pub(crate) use sandbox::sandbox;
pub(crate) use status::status;
pub(crate) use submit::submit;
pub(crate) use wait::wait;
