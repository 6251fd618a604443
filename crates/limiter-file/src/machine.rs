//! What the machine gives: a time that its processes share, and a file under a lock.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::time::{ClockId, clock_gettime};

/// Nobody can set it back. It counts from the start of the machine, and goes on while the machine sleeps.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// The time of all processes of this machine.
pub(crate) fn time() -> Duration {
    Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
}

/// Which course of that time this is: another one after a reboot, and in a container with a clock of its own. 0 where the
/// system does not say.
pub(crate) fn course_of_time() -> u32 {
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let clocks = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    if boot.is_empty() {
        0
    } else {
        crc32fast::hash(&[&boot, clocks.as_os_str().as_encoded_bytes()].concat())
    }
}

/// The file, made if there is none, while nobody else has it. For one use: it is opened anew each time, because a lock
/// belongs to what was opened. So threads exclude one another, a forked child shares nothing with its parent, and a file
/// that was replaced is noticed.
///
/// # Errors
/// [`WouldBlock`](io::ErrorKind::WouldBlock) if somebody else has it.
pub(crate) fn lock(path: &Path) -> io::Result<Locked> {
    let locked = Locked(opened(path)?);
    flock(&locked.0, FlockOperation::NonBlockingLockExclusive)?;
    Ok(locked)
}

fn opened(path: &Path) -> io::Result<File> {
    // First without making it: in /tmp, that would be forbidden for the file of another user.
    let open = || OpenOptions::new().read(true).write(true).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match OpenOptions::new().read(true).write(true).create_new(true).mode(0o660).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(),
        Err(error) => Err(error),
        Ok(file) => {
            // Its group may share it, whatever the umask. A file system without modes has nothing to set.
            let _ = file.set_permissions(Permissions::from_mode(0o660));
            Ok(file)
        }
    }
}

/// A file that nobody else reads or writes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Locked(File);

impl Locked {
    /// The bytes from `at` on: `most` of them, or less at the file's end.
    pub(crate) fn read(&self, at: usize, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let mut length = 0;
        while length < most {
            match self.0.read_at(&mut bytes[length..], (at + length) as u64) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Writes in place.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, at as u64)
    }

    /// Writes the first bytes of an empty file that is to have this length. All or nothing.
    pub(crate) fn write_first(&self, bytes: &[u8], length: usize) -> io::Result<()> {
        let written = self.write(0, bytes).and_then(|()| self.0.set_len(length as u64));
        written.inspect_err(|_| drop(self.0.set_len(0)))
    }
}

impl Drop for Locked {
    /// To close it is not enough: a child that was forked in between may have it too.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_file_even_among_threads_and_a_forked_childs_copy_does_not_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quota");
        let locked = lock(&path).unwrap();
        assert_eq!(lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // What `fork` does to an open file.
        let copy = locked.0.try_clone().unwrap();
        drop(locked);
        lock(&path).expect("the copy has no lock");
        drop(copy);
    }

    #[test]
    fn a_lock_that_was_not_had_is_not_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quota");
        let _locked = lock(&path).unwrap();
        for _ in 0..2 {
            assert!(lock(&path).is_err());
        }
    }

    #[test]
    fn the_time_goes_on_and_its_course_stays() {
        let before = time();
        assert!(before > Duration::ZERO && time() >= before);
        assert_eq!(course_of_time(), course_of_time());
    }
}
