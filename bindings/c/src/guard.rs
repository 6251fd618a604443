//! No panic crosses the border: unwinding into C would end the program, or worse.
//!
//! Nothing is left half-changed by one: handles never change, and a configuration changes in steps that cannot panic.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::code::{ASTAT_OK, astat_code};
use crate::error::{Failure, astat_error};
use crate::handle::{self, Shared};

/// Runs a function that may fail and has a result.
///
/// # Safety
/// `out` and `err` are NULL or may be written.
pub(crate) unsafe fn call<T: Shared>(
    out: *mut *mut T,
    err: *mut *mut astat_error,
    body: impl FnOnce() -> Result<T, Failure>,
) -> astat_code {
    // SAFETY: the caller's promise is ours. `out` is written on success alone, after it was checked.
    unsafe {
        put(out, std::ptr::null_mut());
        change(err, || {
            if out.is_null() {
                return Err(Failure::argument("out is NULL"));
            }
            *out = handle::give(body()?);
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
pub(crate) unsafe fn get<T: Shared, R: Copy>(handle: *const T, none: R, body: impl FnOnce(&T) -> R) -> R {
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

/// # Safety
/// `place` is NULL or may be written.
unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: it may be written. What it held is not ours to drop.
        unsafe { place.write(value) };
    }
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
