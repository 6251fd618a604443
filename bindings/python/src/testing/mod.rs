//! What `activity_status.testing` is made of: the vendor as a model, a clock that a test moves, checks for parts of one's own.

mod account;
mod book;
mod checks;
mod manual_clock;
mod sandbox;
mod server;
mod settings;

pub(crate) use book::Book;
pub(crate) use checks::{check_clock, check_limiter, check_transport};
pub(crate) use manual_clock::ManualClock;
pub(crate) use sandbox::Sandbox;
pub(crate) use server::SandboxServer;
