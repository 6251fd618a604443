//! No panic crosses the border: unwinding into C would end the program, or worse.
//!
//! Nothing is left half-changed by one: most handles never change, a configuration changes in steps that cannot panic,
//! and a batch or a tracker goes on where the core left it.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

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

/// The same for what may be nothing: `*out` is then NULL.
///
/// # Safety
/// As [`call`].
pub(crate) unsafe fn call_if_any<T: Shared, I: Into<Arc<T>>>(
    out: *mut *mut T,
    err: *mut *mut astat_error,
    body: impl FnOnce() -> Result<Option<I>, Failure>,
) -> astat_code {
    // SAFETY: the caller's promise is ours.
    unsafe { make(out, err, || Ok(body()?.map_or(std::ptr::null_mut(), handle::give))) }
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
    let failure = match caught(body) {
        Ok(Ok(())) => return ASTAT_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::panic(&panic),
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
    caught(body).unwrap_or(none)
}

/// What the body returns, or what its panic said and where.
fn caught<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match IS_CAUGHT.get() {
            true => PLACE.set(panic.location().map(ToString::to_string)),
            false => usual(panic),
        }));
    });
    let before = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    IS_CAUGHT.set(before);
    result.map_err(|panic| match PLACE.take() {
        Some(place) => format!("{} ({place})", text(panic)),
        None => text(panic),
    })
}

/// What is caught is told as an error, and need not be on standard error too. The hook is this library's alone: it has a
/// standard library of its own.
static HOOK: Once = Once::new();

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// Where the panic was that has not been told yet.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
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

    #[test]
    fn a_panic_that_is_told_is_not_printed_too() {
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "guard::tests::a_panic_becomes_an_error", "--nocapture"])
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success() && !printed.contains("panicked"), "{printed}");
    }
}
