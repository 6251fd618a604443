//! The answer to a submit.

use activity_status::RequestId;

use crate::text::{Text, astat_str};
use crate::{guard, handle};

/// A job that the vendor accepted. It never changes, outlives the client, and may be used by all threads.
pub struct astat_submitted {
    request_id: Text,
}

/// Makes the caller an owner of the answer once more: each owner frees it once. It returns the same handle, and NULL
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_submitted_ref(submitted: *const astat_submitted) -> *mut astat_submitted {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(submitted) })
}

/// Ends one ownership of the answer to a submit; with the last, its text ends. NULL is nothing to do. The job goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_submitted_free(submitted: *mut astat_submitted) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(submitted) });
}

/// The id that the vendor gave the job: all that is needed to ask about it, from any program. Keep it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_submitted_request_id(submitted: *const astat_submitted) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(submitted, astat_str::NONE, |it| it.request_id.view()) }
}

impl From<RequestId> for astat_submitted {
    fn from(id: RequestId) -> Self {
        astat_submitted { request_id: id.as_str().into() }
    }
}
