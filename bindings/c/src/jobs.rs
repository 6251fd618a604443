//! A list of jobs.

use activity_status::Job;

use crate::text::{Text, astat_str};
use crate::{guard, handle};

/// The jobs of a wait as they were when it was asked. It never changes, outlives the wait, and may be used by all
/// threads.
pub struct astat_jobs {
    jobs: Vec<JobName>,
}

/// What a job is called.
pub(crate) struct JobName {
    pub(crate) operation: Text,
    pub(crate) request_id: Text,
}

/// Makes the caller an owner of the list once more: each owner frees it once. It returns the same handle, and NULL
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_jobs_ref(jobs: *const astat_jobs) -> *mut astat_jobs {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(jobs) })
}

/// Ends one ownership of a list of jobs; with the last, its texts end. NULL is nothing to do. The jobs go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_jobs_free(jobs: *mut astat_jobs) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(jobs) });
}

/// How many there are. 0 if jobs is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_jobs_count(jobs: *const astat_jobs) -> usize {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(jobs, 0, |it| it.jobs.len()) }
}

/// The operation of a job, such as "activity.create", by its number from 0. No text beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_jobs_operation(jobs: *const astat_jobs, index: usize) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(jobs, astat_str::NONE, |it| {
            it.jobs.get(index).map_or(astat_str::NONE, |job| job.operation.view())
        })
    }
}

/// The id of a job, by its number from 0. No text beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_jobs_request_id(jobs: *const astat_jobs, index: usize) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(jobs, astat_str::NONE, |it| {
            it.jobs.get(index).map_or(astat_str::NONE, |job| job.request_id.view())
        })
    }
}

impl FromIterator<Job> for astat_jobs {
    fn from_iter<I: IntoIterator<Item = Job>>(jobs: I) -> Self {
        astat_jobs { jobs: jobs.into_iter().map(|job| JobName::from(&job)).collect() }
    }
}

impl From<&Job> for JobName {
    fn from(job: &Job) -> Self {
        JobName { operation: job.operation().name().into(), request_id: job.request_id().as_str().into() }
    }
}
