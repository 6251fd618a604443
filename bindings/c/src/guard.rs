//! No panic crosses the border: unwinding into C would end the program, or worse.
//!
//! Nothing is left half-changed by one: most handles never change, a configuration changes in steps that cannot panic,
//! and a batch or a tracker goes on where the core left it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::code::{ASTAT_OK, astat_code};
use crate::error::{Failure, astat_error};
use crate::handle::{self, Owned, Shared};

/// Runs a function that may fail and has a result.
///
/// # Safety
/// `out` and `err` are NULL or may be written.
pub(crate) unsafe fn call<T: Shared>(
    out: *mut *mut T,
    err: *mut *mut astat_error,
    body: impl FnOnce() -> Result<T, Failure>,
) -> astat_code {
    // SAFETY: the caller's promise is ours.
    unsafe { make(out, err, || body().map(handle::give)) }
}

/// The same for a handle with one owner.
///
/// # Safety
/// As [`call`].
pub(crate) unsafe fn call_owned<T: Owned>(
    out: *mut *mut T,
    err: *mut *mut astat_error,
    body: impl FnOnce() -> Result<T, Failure>,
) -> astat_code {
    // SAFETY: the caller's promise is ours.
    unsafe { make(out, err, || body().map(handle::give_owned)) }
}

/// # Safety
/// As [`call`].
unsafe fn make<T>(
    out: *mut *mut T,
    err: *mut *mut astat_error,
    body: impl FnOnce() -> Result<*mut T, Failure>,
) -> astat_code {
    // SAFETY: the caller's promise is ours. `out` is written on success alone, after it was checked.
    unsafe {
        put(out, std::ptr::null_mut());
        change(err, || {
            there(out, "out")?;
            *out = body()?;
            Ok(())
        })
    }
}

/// Runs a function that may fail and has no result.
///
/// # Safety
/// `err` is NULL or may be written.
pub(crate) unsafe fn change(
    err: *mut *mut astat_error,
    body: impl FnOnce() -> Result<(), Failure>,
) -> astat_code {
    // SAFETY: the caller's promise is ours.
    unsafe { put(err, std::ptr::null_mut()) };
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return ASTAT_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::panic(&text(panic)),
    };
    let code = failure.code();
    if !err.is_null() {
        // SAFETY: it is not NULL, so it may be written.
        unsafe { *err = failure.give() };
    }
    code
}

/// Reads something of a handle; `none` if there is no handle.
///
/// # Safety
/// `handle` is NULL or one that is not freed yet.
pub(crate) unsafe fn get<T: Send + Sync, R: Copy>(
    handle: *const T,
    none: R,
    body: impl FnOnce(&T) -> R,
) -> R {
    // SAFETY: the caller's promise is ours.
    let Some(it) = (unsafe { handle.as_ref() }) else { return none };
    quiet(none, || body(it))
}

/// Runs what has no way to fail; `none` if it panics all the same.
pub(crate) fn quiet<R>(none: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        drop(text(panic));
        none
    })
}

/// Empties a place for a result.
///
/// # Safety
/// `place` is NULL or may be written.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: it may be written. What it held is not ours to drop.
        unsafe { place.write(value) };
    }
}

/// Is there a place for a result?
pub(crate) fn there<T>(place: *mut T, name: &str) -> Result<(), Failure> {
    if place.is_null() { Err(Failure::argument(&format!("{name} is NULL"))) } else { Ok(()) }
}

/// What a panic said. A payload that is no text is leaked: to drop it could panic again.
fn text(panic: Box<dyn Any + Send>) -> String {
    let panic = match panic.downcast::<String>() {
        Ok(text) => return *text,
        Err(panic) => panic,
    };
    match panic.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(other) => {
            std::mem::forget(other);
            "no text".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::ASTAT_E_PANIC;

    #[test]
    fn a_panic_becomes_an_error() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        for panic in [
            || panic!("a {}", "text"),
            || panic!("a text"),
            || std::panic::panic_any(7),
            || std::panic::panic_any(Bomb),
        ] as [fn(); 4]
        {
            let mut err = std::ptr::null_mut();
            // SAFETY: `err` may be written.
            let code = unsafe {
                change(&mut err, || {
                    panic();
                    Ok(())
                })
            };
            assert_eq!(code, ASTAT_E_PANIC);
            // SAFETY: a failed call has set it.
            unsafe { handle::release(err) };
            assert_eq!(quiet(7, || panic!("a getter")), 7);
        }
    }
}
