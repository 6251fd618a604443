//! A system that is no Unix has none of it: to lock a file is refused, and so is to open a limiter.

use std::io;
use std::path::Path;
use std::time::Duration;

pub(crate) fn time() -> Duration {
    Duration::ZERO
}

pub(crate) fn course_of_time() -> u32 {
    0
}

pub(crate) fn lock(_: &Path) -> io::Result<Locked> {
    let what = "a quota in a file needs Linux or another Unix; keep it in the process or in Redis here";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

/// There is none.
#[derive(Debug)]
pub(crate) enum Locked {}

impl Locked {
    pub(crate) fn read(&self, _: usize, _: usize) -> io::Result<Vec<u8>> {
        match *self {}
    }

    pub(crate) fn write(&self, _: usize, _: &[u8]) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn write_first(&self, _: &[u8], _: usize) -> io::Result<()> {
        match *self {}
    }
}
