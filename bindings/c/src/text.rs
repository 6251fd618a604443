//! Texts, in and out.

use std::ffi::{CStr, c_char};

use zeroize::Zeroize;

use crate::error::Failure;

/// A text: UTF-8 bytes and how many there are.
///
/// Going in, no NUL is needed after it, {NULL, 0} is no text at all, and the library keeps no pointer to it after
/// the call. Coming out, it belongs to the handle it was asked of and lives as long; a NUL follows its last byte, so
/// that "%s" prints it; ptr is NULL if there is no such text, which is not the same as an empty one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_str {
    /// The first byte.
    pub ptr: *const c_char,
    /// How many bytes, without the NUL.
    pub len: usize,
}

impl astat_str {
    /// No text at all.
    pub(crate) const NONE: astat_str = astat_str { ptr: std::ptr::null(), len: 0 };

    /// A text that comes in; an empty one if there is none. `name` is what the header calls it.
    ///
    /// # Safety
    /// `ptr` points to `len` bytes that stay as they are for as long as the call lasts.
    pub(crate) unsafe fn read<'a>(self, name: &str) -> Result<&'a str, Failure> {
        // SAFETY: the caller's promise is ours.
        Ok(unsafe { self.read_if_any(name) }?.unwrap_or_default())
    }

    /// A text that may be left out.
    ///
    /// # Safety
    /// As [`read`](astat_str::read).
    pub(crate) unsafe fn read_if_any<'a>(self, name: &str) -> Result<Option<&'a str>, Failure> {
        let wrong = |what: &str| Err(Failure::argument(&format!("{name} {what}")));
        match (self.ptr.is_null(), self.len) {
            (true, 0) => Ok(None),
            (true, _) => wrong("is NULL, but its length is not 0"),
            (false, len) if len > isize::MAX as usize => wrong("is longer than memory"),
            (false, len) => {
                // SAFETY: it is not NULL, points to `len` bytes, and `len` is in bounds.
                let bytes = unsafe { std::slice::from_raw_parts(self.ptr.cast::<u8>(), len) };
                match std::str::from_utf8(bytes) {
                    Ok(text) => Ok(Some(text)),
                    Err(error) => wrong(&format!("is not UTF-8 at byte {}", error.valid_up_to())),
                }
            }
        }
    }
}

impl astat_str {
    /// A text for people, as one line that is not too long.
    ///
    /// # Safety
    /// As [`read`](astat_str::read).
    pub(crate) unsafe fn read_phrase(self) -> String {
        let cut = astat_str { len: self.len.min(4 * LONGEST_PHRASE), ..self };
        // SAFETY: the caller's promise is ours.
        let text = unsafe { cut.read_lossy() };
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        plain.take(LONGEST_PHRASE).collect()
    }

    /// A text of which what is not UTF-8 is replaced; empty if there is none.
    ///
    /// # Safety
    /// As [`read`](astat_str::read).
    pub(crate) unsafe fn read_lossy(self) -> String {
        if self.ptr.is_null() || self.len > isize::MAX as usize {
            return String::new();
        }
        // SAFETY: it is not NULL, points to `len` bytes, and `len` is in bounds.
        let bytes = unsafe { std::slice::from_raw_parts(self.ptr.cast::<u8>(), self.len) };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// So many characters of a plug-in's reason are told.
const LONGEST_PHRASE: usize = 1000;

impl From<&'static CStr> for astat_str {
    fn from(text: &'static CStr) -> Self {
        astat_str { ptr: text.as_ptr(), len: text.count_bytes() }
    }
}

/// A text that goes out, with the NUL behind it; or none.
pub(crate) struct Text(Option<Box<str>>);

impl Text {
    /// The text, empty if there is none.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_deref().and_then(|text| text.strip_suffix('\0')).unwrap_or_default()
    }

    /// The text as its owner lends it.
    pub(crate) fn view(&self) -> astat_str {
        match &self.0 {
            Some(text) => astat_str { ptr: text.as_ptr().cast(), len: text.len() - 1 },
            None => astat_str::NONE,
        }
    }
}

impl Zeroize for Text {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::from(Some(text))
    }
}

impl From<Option<&str>> for Text {
    fn from(text: Option<&str>) -> Self {
        // Made in its final size, so that a text which is wiped was in one place alone.
        Text(text.map(|text| [text, "\0"].concat().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<&str, Failure> {
        // SAFETY: the bytes outlive the text.
        unsafe { astat_str { ptr: bytes.as_ptr().cast(), len: bytes.len() }.read("it") }
    }

    #[test]
    fn what_comes_in_is_checked() {
        for good in ["", "a", "é\0b"] {
            assert_eq!(read(good.as_bytes()).ok(), Some(good));
        }
        assert!(read(b"\xff").is_err());
        for (text, good) in [
            (astat_str::NONE, true),
            (astat_str { ptr: std::ptr::null(), len: 1 }, false),
            (astat_str { ptr: c"".as_ptr(), len: usize::MAX }, false),
        ] {
            // SAFETY: nothing is read of any of these.
            assert_eq!(unsafe { text.read("it") }.is_ok(), good);
        }
    }

    #[test]
    fn what_goes_out_has_its_length_and_a_nul() {
        for text in ["", "a", "é\0b"] {
            let kept = Text::from(text);
            let view = kept.view();
            assert_eq!(view.len, text.len());
            // SAFETY: one byte more than the length is there: the NUL.
            let bytes = unsafe { std::slice::from_raw_parts(view.ptr.cast::<u8>(), view.len + 1) };
            assert_eq!(bytes, format!("{text}\0").as_bytes());
        }
        assert!(Text::from(None).view().ptr.is_null());
    }
}
