//! What ends calls and waits from outside.

use activity_status::Canceller;

use crate::{guard, handle};

/// Ends the calls and waits that it is given to (the cancel member of their options), any number of them, now and
/// later. There is no way back. All threads may use it.
pub struct astat_cancel {
    pub(crate) canceller: Canceller,
}

/// Makes one that is not triggered. Free it with astat_cancel_free. NULL only after a bug in the library.
#[unsafe(no_mangle)]
pub extern "C" fn astat_cancel_new() -> *mut astat_cancel {
    guard::quiet(std::ptr::null_mut(), || handle::give(astat_cancel { canceller: Canceller::new() }))
}

/// Makes the caller an owner once more: each owner frees it once. It returns the same handle, and NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_cancel_ref(cancel: *const astat_cancel) -> *mut astat_cancel {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(cancel) })
}

/// Ends one ownership. NULL is nothing to do. What it was given to goes on, and cannot be cancelled any more if that
/// was the last owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_cancel_free(cancel: *mut astat_cancel) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(cancel) });
}

/// Ends what it was given to: the calls fail with ASTAT_E_INTERRUPTED, or with ASTAT_E_IN_DOUBT where a submit may have
/// arrived. An answer to a submit or a question that comes all the same
/// is given; of a job that is waited for it is not.
///
/// A wait for the quota, a pause before another attempt and a wait for jobs end at once (under a clock of your own, when
/// its present sleep ends). What is on its way is given up within 25 ms, with a transport of your own as soon as that looks
/// at astat_request_is_cancelled; and it counts against the quota.
///
/// Any thread may call it, as often as it likes, and a signal handler too. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_cancel_trigger(cancel: *const astat_cancel) {
    // SAFETY: the caller keeps the handle alive. Nothing in here panics, allocates or waits, so it needs no guard.
    if let Some(it) = unsafe { cancel.as_ref() } {
        it.canceller.cancel();
    }
}

/// 1 if it was triggered, 0 if not, or if cancel is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_cancel_is_triggered(cancel: *const astat_cancel) -> i32 {
    // SAFETY: the caller keeps the handle alive.
    i32::from(unsafe { cancel.as_ref() }.is_some_and(|it| it.canceller.is_cancelled()))
}
