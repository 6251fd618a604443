//! One file a command. Each answers its exit code.

mod ask;
mod demo;
mod metrics;
mod sandbox;
mod submit;

pub(crate) use ask::{status, wait};
pub(crate) use demo::demo;
pub(crate) use metrics::metrics;
pub(crate) use sandbox::sandbox;
pub(crate) use submit::submit;
