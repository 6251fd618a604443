//! All that the vendor said of one job.

use std::sync::OnceLock;

use activity_status::{JobStatus, Outcome};

use crate::text::{Text, astat_str};
use crate::{guard, handle};

/// All that the vendor said of one job. It never changes, outlives the client, and may be used by all threads.
pub struct astat_status {
    status: JobStatus,
    operation: Box<str>,
    /// Each is made when it is asked for: most programs want few of them.
    texts: [OnceLock<Text>; 12],
}

/// Not settled: it may still change.
pub const ASTAT_PENDING: i32 = 1;
/// Settled: it was carried out.
pub const ASTAT_SUCCEEDED: i32 = 2;
/// Settled: it was not.
pub const ASTAT_FAILED: i32 = 3;

/// Makes the caller an owner of the status once more: each owner frees it once. It returns the same handle, and NULL
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_ref(status: *const astat_status) -> *mut astat_status {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(status) })
}

/// Ends one ownership of a status; with the last, all texts that were asked of it end. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_free(status: *mut astat_status) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(status) });
}

/// The job.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_request_id(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 0, |it| Some(it.request_id().as_str())) }
}

/// How the job stands: ASTAT_PENDING, ASTAT_SUCCEEDED or ASTAT_FAILED; 0 if status is NULL.
///
/// The vendor's word Success succeeded. FAILURE and ERROR (in any case) failed if there is no current step; with one
/// the vendor is still retrying. Every other word is pending.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_outcome(status: *const astat_status) -> i32 {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(status, 0, |it| match it.status.outcome() {
            Outcome::Pending => ASTAT_PENDING,
            Outcome::Succeeded => ASTAT_SUCCEEDED,
            Outcome::Failed => ASTAT_FAILED,
        })
    }
}

/// The same as one word: "pending", "succeeded" or "failed". It lives as long as the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_outcome_name(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(status, astat_str::NONE, |it| match it.status.outcome() {
            Outcome::Pending => c"pending".into(),
            Outcome::Succeeded => c"succeeded".into(),
            Outcome::Failed => c"failed".into(),
        })
    }
}

/// The vendor's word for how it stands, exactly as it came.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_state(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 1, |it| Some(it.state().as_str())) }
}

/// What kind of task it is, such as "Activity Create". Empty if the vendor did not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_task_type(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 2, |it| Some(it.task_type())) }
}

/// Why, in the vendor's words. Empty if it did not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_reason(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 3, |it| Some(it.reason())) }
}

/// The step that it is in. No text once it is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_current_step(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 4, |it| it.current_step()) }
}

/// The step that it was in before, if there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_last_step(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 5, |it| it.last_step()) }
}

/// The body that was submitted, character for character, if the vendor gave it. It may hold a NUL: use its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_request_body(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 6, |it| it.request_body()) }
}

/// What the original call answered, as JSON. No text unless it succeeded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_message(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 7, |it| it.message()) }
}

/// The id of what was created (Id in the message), such as the new activity's, if there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_created_id(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 8, |it| it.created_id()) }
}

/// The id that it belongs to (RelatedId in the message), such as the lead's, if there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_related_id(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 9, |it| it.related_id()) }
}

/// The whole answer, as it came, with all that this version of the library does not know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_raw(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { text(status, 10, |it| Some(it.raw())) }
}

/// The status as one line of JSON, the same in every language and on the command line: {"request_id", "operation",
/// "outcome", "state", "reason", "created_id", "related_id", "raw"}.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_status_json(status: *const astat_status) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(status, astat_str::NONE, |it| {
            it.texts[11].get_or_init(|| it.status.to_json(&it.operation).as_str().into()).view()
        })
    }
}

impl astat_status {
    pub(crate) fn new(status: JobStatus, operation: &str) -> Self {
        astat_status { status, operation: operation.into(), texts: Default::default() }
    }
}

/// A text of a status, made if nobody has asked for it yet.
///
/// # Safety
/// As [`guard::get`].
unsafe fn text(
    status: *const astat_status,
    which: usize,
    make: impl FnOnce(&JobStatus) -> Option<&str>,
) -> astat_str {
    // SAFETY: the caller's promise is ours.
    unsafe {
        guard::get(status, astat_str::NONE, |it| {
            it.texts[which].get_or_init(|| make(&it.status).into()).view()
        })
    }
}
