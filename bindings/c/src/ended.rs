//! How one of many jobs ended.

use std::sync::Arc;

use activity_status::{Error, Job, JobStatus};

use crate::error::{Failure, astat_error};
use crate::jobs::JobName;
use crate::status::astat_status;
use crate::text::astat_str;
use crate::{guard, handle};

/// A job that nothing more will be asked about: it is settled and has a status, or cannot be followed any further and
/// has an error. It never changes, outlives the wait, and may be used by all threads.
pub struct astat_ended {
    job: JobName,
    outcome: Result<Arc<astat_status>, Arc<astat_error>>,
}

/// Makes the caller an owner of it once more: each owner frees it once. It returns the same handle, and NULL
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_ended_ref(ended: *const astat_ended) -> *mut astat_ended {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(ended) })
}

/// Ends one ownership of what is known of a job that has ended; with the last, its texts, its status or error end. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_ended_free(ended: *mut astat_ended) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(ended) });
}

/// What was submitted, such as "activity.create".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_ended_operation(ended: *const astat_ended) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(ended, astat_str::NONE, |it| it.job.operation.view()) }
}

/// The job.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_ended_request_id(ended: *const astat_ended) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(ended, astat_str::NONE, |it| it.job.request_id.view()) }
}

/// The status in which it is settled: succeeded or failed. NULL if it ended with an error.
///
/// It belongs to ended: do not free it. astat_status_ref makes it yours.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_ended_status(ended: *const astat_ended) -> *const astat_status {
    let none = std::ptr::null();
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(ended, none, |it| it.outcome.as_ref().map_or(none, Arc::as_ptr)) }
}

/// Why it cannot be followed any further: ASTAT_E_DEADLINE if the time ran out, with its last status. NULL if it is
/// settled.
///
/// It belongs to ended: do not free it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_ended_error(ended: *const astat_ended) -> *const astat_error {
    let none = std::ptr::null();
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(ended, none, |it| it.outcome.as_ref().err().map_or(none, Arc::as_ptr)) }
}

impl astat_ended {
    pub(crate) fn new(job: &Job, outcome: Result<JobStatus, Error>) -> Self {
        let operation = job.operation();
        let outcome = match outcome {
            Ok(status) => Ok(Arc::new(astat_status::new(status, operation.name()))),
            Err(error) => Err(Failure::of(&error, operation).keep()),
        };
        astat_ended { job: job.into(), outcome }
    }
}
