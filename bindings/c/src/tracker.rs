//! Many jobs, a step at a time.

use activity_status::{Step, Tracker};

use crate::client::{self, ASTAT_NS_NONE, Operations, astat_client, astat_wait_options, ns};
use crate::code::astat_code;
use crate::ended::astat_ended;
use crate::error::{Failure, astat_error};
use crate::handle::{self, Turns};
use crate::jobs::astat_jobs;
use crate::look::astat_look;
use crate::progress::{astat_progress, tell_eta};
use crate::status::astat_status;
use crate::text::astat_str;
use crate::{guard, options};

/// Follows many jobs in steps, so that an event loop can drive it: it has no thread, and no step blocks. A thread that
/// may block has it easier with an astat_batch.
///
/// One thread at a time: a second one is told so by ASTAT_E_ARGUMENT. Its looks may go to any threads.
pub struct astat_tracker {
    tracker: Turns<Tracker>,
    operations: Operations,
}

/// Ask this: *look is a question; go on with the next step meanwhile.
pub const ASTAT_STEP_LOOK: i32 = 1;
/// Do nothing for *sleep_ns, unless an answer comes sooner or a job is added.
pub const ASTAT_STEP_SLEEP: i32 = 2;
/// Nothing more will be asked about a job: *ended is the job.
pub const ASTAT_STEP_ENDED: i32 = 3;
/// Every job has ended, and was given.
pub const ASTAT_STEP_DONE: i32 = 4;

/// Begins to follow jobs, none so far; the deadline of the options counts from now. When their cancel is triggered, all
/// jobs end with ASTAT_E_INTERRUPTED.
///
/// options may be NULL. *out is the tracker; free it with astat_tracker_free. The client may be freed before it.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_new(
    client: *const astat_client,
    options: *const astat_wait_options,
    out: *mut *mut astat_tracker,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, options and out parameters.
    unsafe {
        guard::call_owned(out, err, || {
            let client = client::lend(client)?;
            let options = options::read(options)?;
            let tracker = client.bounded(ASTAT_NS_NONE, options.cancel).tracker(&options.given()?);
            Ok(astat_tracker { tracker: Turns::new(tracker), operations: client.operations.clone() })
        })
    }
}

/// Ends a tracker. NULL is nothing to do. Its looks may still be answered and freed, and the jobs go on at the
/// vendor's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_free(tracker: *mut astat_tracker) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release_owned(tracker) });
}

/// Follows one more job. Add jobs in the order in which they were submitted, or say ASTAT_ORDER_UNKNOWN.
///
/// submitted_at_unix_ns is when it was submitted, in nanoseconds since 1970 (UTC), or ASTAT_NS_NONE: worth telling for
/// a job that was submitted a moment ago. *added is 1, or 0 if it is followed already; added may be NULL. Nothing is
/// sent. ASTAT_E_CONFIG for an operation or an id that cannot be one.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_add(
    tracker: *mut astat_tracker,
    operation: astat_str,
    request_id: astat_str,
    submitted_at_unix_ns: u64,
    added: *mut i32,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts and out parameters.
    unsafe {
        guard::put(added, 0);
        guard::change(err, || {
            let tracker = handle::lend(tracker, "tracker")?;
            let job = tracker.operations.job(operation, request_id, submitted_at_unix_ns)?;
            guard::put(added, i32::from(tracker.tracker.take()?.add(job)));
            Ok(())
        })
    }
}

/// What to do now: *what is one of ASTAT_STEP_*. Answers that have come are taken in first.
///
/// With ASTAT_STEP_LOOK, *look is a question to ask, which has the limiter's leave to be asked now; it is yours until
/// astat_look_send, _answered, _failed or _free. With ASTAT_STEP_ENDED, *ended is a job, to be freed with
/// astat_ended_free; each job is given once. With ASTAT_STEP_SLEEP, *sleep_ns is how long there is nothing to do, in
/// nanoseconds and never 0. What the step does not give is NULL, and 0.
///
/// It blocks only as long as the limiter needs: a moment, but for one on a server.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_step(
    tracker: *mut astat_tracker,
    what: *mut i32,
    sleep_ns: *mut u64,
    look: *mut *mut astat_look,
    ended: *mut *mut astat_ended,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe {
        guard::put(what, 0);
        guard::put(sleep_ns, 0);
        guard::put(look, std::ptr::null_mut());
        guard::put(ended, std::ptr::null_mut());
        guard::change(err, || {
            guard::there(what, "what")?;
            guard::there(sleep_ns, "sleep_ns")?;
            guard::there(look, "look")?;
            guard::there(ended, "ended")?;
            let step = handle::lend(tracker, "tracker")?.tracker.take()?.step();
            *what = match step {
                Step::Look(it) => {
                    *look = handle::give_owned(it.into());
                    ASTAT_STEP_LOOK
                }
                Step::Sleep(pause) => {
                    *sleep_ns = ns(pause);
                    ASTAT_STEP_SLEEP
                }
                Step::Ended(job, outcome) => {
                    *ended = handle::give(astat_ended::new(&job, outcome));
                    ASTAT_STEP_ENDED
                }
                Step::Done => ASTAT_STEP_DONE,
            };
            Ok(())
        })
    }
}

/// How far it is. *out begins with ASTAT_PROGRESS_INIT, and is filled on success alone. It does not block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_progress(
    tracker: *mut astat_tracker,
    out: *mut astat_progress,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, structs and out parameters.
    unsafe {
        guard::change(err, || {
            options::room(out)?;
            let tracker = handle::lend(tracker, "tracker")?;
            options::fill(out, &tracker.tracker.take()?.progress().into());
            Ok(())
        })
    }
}

/// The jobs that have not ended, in the order in which they were added. *out is a list of your own; free it with
/// astat_jobs_free. It does not block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_open(
    tracker: *mut astat_tracker,
    out: *mut *mut astat_jobs,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe {
        guard::call(out, err, || Ok(handle::lend(tracker, "tracker")?.tracker.take()?.open().collect()))
    }
}

/// The open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
/// asked about now and then, until the deadline. *out is a list of your own; free it with astat_jobs_free. It does not
/// block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_overdue(
    tracker: *mut astat_tracker,
    out: *mut *mut astat_jobs,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe {
        guard::call(out, err, || {
            let tracker = handle::lend(tracker, "tracker")?.tracker.take()?;
            Ok(tracker.overdue().into_iter().collect())
        })
    }
}

/// When one job will be known: the likely time from now and one standard deviation of it, in nanoseconds.
/// ASTAT_NS_NONE in both if nothing tells, or it has ended. It does not block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_eta(
    tracker: *mut astat_tracker,
    operation: astat_str,
    request_id: astat_str,
    remaining_ns: *mut u64,
    uncertainty_ns: *mut u64,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts and out parameters.
    unsafe {
        tell_eta(remaining_ns, uncertainty_ns, err, || {
            let tracker = handle::lend(tracker, "tracker")?;
            let job = tracker.operations.job(operation, request_id, ASTAT_NS_NONE)?;
            Ok(tracker.tracker.take()?.eta_of(&job))
        })
    }
}

/// What the vendor last said of an open job. *out is NULL, and the code ASTAT_OK, if it has not been asked, or has ended.
/// Free it with astat_status_free. It does not block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_last_status(
    tracker: *mut astat_tracker,
    operation: astat_str,
    request_id: astat_str,
    out: *mut *mut astat_status,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts and out parameters.
    unsafe {
        guard::call_if_any(out, err, || {
            let tracker = handle::lend(tracker, "tracker")?;
            let job = tracker.operations.job(operation, request_id, ASTAT_NS_NONE)?;
            let it = tracker.tracker.take()?;
            let last = it.last_status(&job);
            Ok(last.map(|status| astat_status::new(status.clone(), job.operation().name())))
        })
    }
}

/// Why the last question about an open job brought no answer, though it is asked again. *out is NULL, and the code
/// ASTAT_OK, if it did, or the job has not been asked about, or has ended. Free it with astat_error_free. It does not
/// block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_tracker_last_trouble(
    tracker: *mut astat_tracker,
    operation: astat_str,
    request_id: astat_str,
    out: *mut *mut astat_error,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts and out parameters.
    unsafe {
        guard::call_if_any(out, err, || {
            let tracker = handle::lend(tracker, "tracker")?;
            let job = tracker.operations.job(operation, request_id, ASTAT_NS_NONE)?;
            let it = tracker.tracker.take()?;
            let last = it.last_trouble(&job);
            Ok(last.map(|error| Failure::of(error, job.operation()).keep()))
        })
    }
}
