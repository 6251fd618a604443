//! Keeps keys out of the HTTP library's log, which at its lowest level holds every byte that the library writes: it is
//! given stand-ins, and they are replaced by what they stand for when the bytes leave.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

/// What stands behind each stand-in, for all calls of one transport.
#[derive(Clone)]
pub(super) struct Sealed {
    /// Begins every stand-in. It cannot be guessed, so no body can hold one.
    mark: Arc<str>,
    made: Arc<AtomicU64>,
    contents: Arc<Mutex<HashMap<String, Zeroizing<String>>>>,
}

impl Sealed {
    pub(super) fn new() -> Self {
        let unguessable = RandomState::new().build_hasher().finish();
        Sealed {
            mark: format!("sealed-{unguessable:016x}-").into(),
            made: Arc::default(),
            contents: Arc::default(),
        }
    }

    fn contents(&self) -> MutexGuard<'_, HashMap<String, Zeroizing<String>>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `bytes` with every stand-in replaced; nothing if there is none.
    pub(super) fn opened(&self, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mark = self.mark.as_bytes();
        let find =
            |bytes: &[u8]| bytes.windows(mark.len()).position(|part| part[0] == mark[0] && part == mark);
        let mut next = find(bytes)?;
        let contents = self.contents();
        let (mut opened, mut rest) = (Zeroizing::new(Vec::with_capacity(bytes.len() + 512)), bytes);
        loop {
            let end = (next + mark.len() + NUMBER_WIDTH).min(rest.len());
            opened.extend_from_slice(&rest[..next]);
            let sealed = std::str::from_utf8(&rest[next..end]).ok().and_then(|name| contents.get(name));
            opened.extend_from_slice(sealed.map_or(&rest[next..end], |text| text.as_bytes()));
            rest = &rest[end..];
            match find(rest) {
                Some(found) => next = found,
                None => break,
            }
        }
        opened.extend_from_slice(rest);
        Some(opened)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

const NUMBER_WIDTH: usize = 16;

/// The stand-ins of one call, forgotten when it is over.
pub(super) struct StandIns<'a> {
    sealed: &'a Sealed,
    names: Vec<String>,
}

impl<'a> StandIns<'a> {
    pub(super) fn new(sealed: &'a Sealed) -> Self {
        StandIns { sealed, names: Vec::with_capacity(4) }
    }

    /// A stand-in for `text`, behind `prefix`.
    pub(super) fn seal(&mut self, prefix: &str, text: &str) -> String {
        let number = self.sealed.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}{number:0NUMBER_WIDTH$x}", self.sealed.mark);
        let stand_in = format!("{prefix}{name}");
        self.sealed.contents().insert(name.clone(), Zeroizing::new(text.to_owned()));
        self.names.push(name);
        stand_in
    }
}

impl Drop for StandIns<'_> {
    fn drop(&mut self) {
        let mut contents = self.sealed.contents();
        for name in &self.names {
            contents.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_comes_out_in_its_place_and_is_then_forgotten() {
        let sealed = Sealed::new();
        let mut stand_ins = StandIns::new(&sealed);
        let (path, key) = (stand_ins.seal("/", "a?b"), stand_ins.seal("", "k3y"));
        let text = format!("GET {path} HTTP/1.1\r\nx-api-key: {key}\r\n\r\n");
        assert!(!text.contains("k3y"));
        let opened = sealed.opened(text.as_bytes()).unwrap();
        assert_eq!(&opened[..], b"GET /a?b HTTP/1.1\r\nx-api-key: k3y\r\n\r\n");
        assert!(sealed.opened(b"a body without any").is_none());
        drop(stand_ins);
        assert_eq!(&sealed.opened(text.as_bytes()).unwrap()[..], text.as_bytes());
        assert!(Sealed::new().opened(text.as_bytes()).is_none(), "another transport's are other ones");
    }

    #[test]
    fn half_a_stand_in_is_no_reason_to_panic() {
        let sealed = Sealed::new();
        let whole = StandIns::new(&sealed).seal("", "k3y");
        for end in 0..whole.len() {
            let _ = sealed.opened(&whole.as_bytes()[..end]);
        }
        let _ = sealed.opened(&[whole.as_bytes(), &[0xff; 40]].concat());
    }
}
