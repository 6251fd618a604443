//! Many jobs, waited for at once.

use std::time::Duration;

use activity_status::{Canceller, NotYet, WaitAll};

use crate::client::{self, ASTAT_NS_NONE, Operations, astat_client, astat_wait_options, time};
use crate::code::astat_code;
use crate::ended::astat_ended;
use crate::error::{Failure, astat_error};
use crate::handle::{self, Turns};
use crate::jobs::astat_jobs;
use crate::progress::{astat_progress, tell_eta};
use crate::status::astat_status;
use crate::text::astat_str;
use crate::{guard, options};

/// Many jobs that are waited for over the client's one quota, given back one by one as they end.
///
/// One thread at a time: a second one is told so by ASTAT_E_ARGUMENT. astat_batch_cancel alone may be called at any
/// time. Several questions are on their way at a time where the quota allows it and the answers are slow, each on a
/// thread of the library's own, but never two about one job.
pub struct astat_batch {
    waiting: Turns<WaitAll>,
    canceller: Canceller,
    operations: Operations,
}

/// A job has ended: *ended is the job.
pub const ASTAT_NEXT_ENDED: i32 = 1;
/// No job has ended within the timeout. Ask again soon, for all goes on only while somebody waits.
pub const ASTAT_NEXT_NOT_YET: i32 = 2;
/// Every job has ended, and was given.
pub const ASTAT_NEXT_DONE: i32 = 3;

/// Begins a wait for many jobs, none so far; its deadline counts from now.
///
/// options may be NULL. *out is the wait; free it with astat_batch_free. The client may be freed before it. Nothing is
/// sent.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_new(
    client: *const astat_client,
    options: *const astat_wait_options,
    out: *mut *mut astat_batch,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, options and out parameters.
    unsafe {
        guard::call_owned(out, err, || {
            let client = client::lend(client)?;
            let options = options::read(options)?;
            let waiting = client.bounded(ASTAT_NS_NONE, options.cancel).wait_all([], &options.given()?);
            let (canceller, operations) = (waiting.canceller(), client.operations.clone());
            Ok(astat_batch { waiting: Turns::new(waiting), canceller, operations })
        })
    }
}

/// Ends a wait at once. NULL is nothing to do. The jobs go on at the vendor's.
///
/// Questions that are on their way are left to themselves: each has a thread that keeps what it needs of the client
/// for as long as its call may take. A program that must not end before them waits until the open jobs have ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_free(batch: *mut astat_batch) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release_owned(batch) });
}

/// Waits for one more job. Add jobs in the order in which they were submitted, or say ASTAT_ORDER_UNKNOWN.
///
/// submitted_at_unix_ns is when it was submitted, in nanoseconds since 1970 (UTC), or ASTAT_NS_NONE: worth telling for
/// a job that was submitted a moment ago. *added is 1, or 0 if it is waited for already; added may be NULL. Nothing is
/// sent. ASTAT_E_CONFIG for an operation or an id that cannot be one.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_add(
    batch: *mut astat_batch,
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
            let batch = handle::lend(batch, "batch")?;
            let job = batch.operations.job(operation, request_id, submitted_at_unix_ns)?;
            guard::put(added, i32::from(batch.waiting.take()?.add(job)));
            Ok(())
        })
    }
}

/// Waits for the next job that ends.
///
/// *what is ASTAT_NEXT_ENDED, and *ended a job, to be freed with astat_ended_free; or ASTAT_NEXT_NOT_YET or
/// ASTAT_NEXT_DONE, and *ended NULL. Each job is given once: with its status when it has settled; or with an error, if
/// asking again would not mend it or the deadline has passed. A question that fails for a while loses nothing.
///
/// It blocks for timeout_ns at the most, or without a limit but the deadline if that is ASTAT_NS_NONE.
/// ASTAT_E_INTERRUPTED if the wait was cancelled: astat_batch_open tells what was left.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_next(
    batch: *mut astat_batch,
    timeout_ns: u64,
    what: *mut i32,
    ended: *mut *mut astat_ended,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe {
        guard::put(what, 0);
        guard::put(ended, std::ptr::null_mut());
        guard::change(err, || {
            guard::there(what, "what")?;
            guard::there(ended, "ended")?;
            let batch = handle::lend(batch, "batch")?;
            let mut waiting = batch.waiting.take()?;
            let next = match waiting.next_within(time(timeout_ns).unwrap_or(Duration::MAX)) {
                Ok(Some((job, outcome))) => {
                    *ended = handle::give(astat_ended::new(&job, outcome));
                    ASTAT_NEXT_ENDED
                }
                Err(NotYet) => ASTAT_NEXT_NOT_YET,
                Ok(None) if batch.canceller.is_cancelled() => {
                    return Err(Failure::interrupted("the wait was cancelled"));
                }
                Ok(None) if waiting.open().next().is_some() => {
                    return Err(Failure::interrupted("the wait was interrupted"));
                }
                Ok(None) => ASTAT_NEXT_DONE,
            };
            guard::put(what, next);
            Ok(())
        })
    }
}

/// Ends a wait: astat_batch_next returns at once with ASTAT_E_INTERRUPTED, in whichever thread it waits, now and from
/// now on. The jobs go on at the vendor's, and what is on its way counts against the quota.
///
/// Any thread may call it, while another one uses the batch too, and as often as it likes; but not a signal handler,
/// and not after astat_batch_free. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_cancel(batch: *const astat_batch) {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(batch, (), |it| it.canceller.cancel()) }
}

/// How far it is. *out begins with ASTAT_PROGRESS_INIT, and is filled on success alone. It does not block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_progress(
    batch: *mut astat_batch,
    out: *mut astat_progress,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, structs and out parameters.
    unsafe {
        guard::change(err, || {
            options::room(out)?;
            let batch = handle::lend(batch, "batch")?;
            options::fill(out, &batch.waiting.take()?.progress().into());
            Ok(())
        })
    }
}

/// The jobs that have not ended, in the order in which they were given. *out is a list of your own; free it with
/// astat_jobs_free. It does not block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_open(
    batch: *mut astat_batch,
    out: *mut *mut astat_jobs,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe { guard::call(out, err, || Ok(handle::lend(batch, "batch")?.waiting.take()?.open().collect())) }
}

/// The open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
/// asked about now and then, until the deadline. *out is a list of your own; free it with astat_jobs_free. It does not
/// block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_overdue(
    batch: *mut astat_batch,
    out: *mut *mut astat_jobs,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe {
        guard::call(out, err, || {
            let waiting = handle::lend(batch, "batch")?.waiting.take()?;
            Ok(waiting.tracker().overdue().into_iter().collect())
        })
    }
}

/// When one job will be known: the likely time from now and one standard deviation of it, in nanoseconds.
/// ASTAT_NS_NONE in both if nothing tells, or it has ended. It does not block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_eta(
    batch: *mut astat_batch,
    operation: astat_str,
    request_id: astat_str,
    remaining_ns: *mut u64,
    uncertainty_ns: *mut u64,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts and out parameters.
    unsafe {
        tell_eta(remaining_ns, uncertainty_ns, err, || {
            let batch = handle::lend(batch, "batch")?;
            let job = batch.operations.job(operation, request_id, ASTAT_NS_NONE)?;
            Ok(batch.waiting.take()?.tracker().eta_of(&job))
        })
    }
}

/// What the vendor last said of an open job. *out is NULL, and the code ASTAT_OK, if it has not been asked, or has ended.
/// Free it with astat_status_free. It does not block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_last_status(
    batch: *mut astat_batch,
    operation: astat_str,
    request_id: astat_str,
    out: *mut *mut astat_status,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts and out parameters.
    unsafe {
        guard::call_if_any(out, err, || {
            let batch = handle::lend(batch, "batch")?;
            let job = batch.operations.job(operation, request_id, ASTAT_NS_NONE)?;
            let it = batch.waiting.take()?;
            let last = it.tracker().last_status(&job);
            Ok(last.map(|status| astat_status::new(status.clone(), job.operation().name())))
        })
    }
}

/// Why the last question about an open job brought no answer, though it is asked again. *out is NULL, and the code
/// ASTAT_OK, if it did, or the job has not been asked about, or has ended. Free it with astat_error_free. It does not
/// block.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_batch_last_trouble(
    batch: *mut astat_batch,
    operation: astat_str,
    request_id: astat_str,
    out: *mut *mut astat_error,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts and out parameters.
    unsafe {
        guard::call_if_any(out, err, || {
            let batch = handle::lend(batch, "batch")?;
            let job = batch.operations.job(operation, request_id, ASTAT_NS_NONE)?;
            let it = batch.waiting.take()?;
            let last = it.tracker().last_trouble(&job);
            Ok(last.map(|error| Failure::of(error, job.operation()).keep()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{ASTAT_E_INTERRUPTED, ASTAT_E_PANIC, ASTAT_OK};
    use crate::{ended, error};
    use activity_status::builtin::VirtualClock;
    use activity_status::plugin::{
        Acquired, CallClass, Clock, Head, Interrupted, Limiter, LimiterError, Permit, Request, Response,
        Settlement, TransportError,
    };
    use activity_status::{Client, ClientBuilder, Credentials, Endpoint};
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Does something once.
    struct Once(AtomicBool);

    impl Once {
        fn new() -> Self {
            Once(AtomicBool::new(true))
        }

        fn now(&self) -> bool {
            self.0.swap(false, Ordering::Relaxed)
        }
    }

    /// Interrupts the first one who waits.
    struct InterruptsOnce(VirtualClock, Once);

    impl Clock for InterruptsOnce {
        fn now(&self) -> Duration {
            self.0.now()
        }
        fn wall(&self) -> Duration {
            self.0.wall()
        }
        fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
            self.0.sleep(duration)
        }
        fn park(&self, duration: Duration) -> Result<(), Interrupted> {
            if self.1.now() { Err(Interrupted) } else { self.0.park(duration) }
        }
        fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
            self.0.spawn(work)
        }
    }

    /// Does something else the first time.
    struct Lets<F>(Once, F);

    impl<F: Fn() -> Acquired + Send + Sync> Limiter for Lets<F> {
        fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
            Ok(if self.0.now() { (self.1)() } else { Acquired::Granted(Permit(0)) })
        }
        fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            Ok(())
        }
    }

    /// A wait for one job that is settled.
    fn batch(with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> *mut astat_batch {
        let transport = |_: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
            let head = Head { status: 200, headers: vec![] };
            on_head(&head);
            let body = br#"{"RequestId":"1","TaskStatus":{"Status":"Success"}}"#.to_vec();
            Ok::<_, TransportError>(Response { head, body })
        };
        let client = Client::builder(Endpoint::INDIA, Credentials::new("k").unwrap()).transport(transport);
        let client = with(client.clock(VirtualClock::new())).build().unwrap();
        let client = handle::give(astat_client { client, operations: Operations::default() });
        let (mut out, mut added) = (null_mut(), 0);
        // SAFETY: all handles are alive, and the client is freed once.
        unsafe {
            assert_eq!(astat_batch_new(client, std::ptr::null(), &mut out, null_mut()), ASTAT_OK);
            let (operation, id) = (c"activity.create".into(), c"1".into());
            assert_eq!(astat_batch_add(out, operation, id, ASTAT_NS_NONE, &mut added, null_mut()), ASTAT_OK);
            client::astat_client_free(client);
        }
        assert_eq!(added, 1);
        out
    }

    /// The first call of next fails with this code, and those after it tell how the job ended, and that all have.
    fn fails_once(batch: *mut astat_batch, code: astat_code) {
        let (mut what, mut ended, mut err) = (7, null_mut(), null_mut());
        // SAFETY: all handles are alive, and each is freed once.
        unsafe {
            assert_eq!(astat_batch_next(batch, ASTAT_NS_NONE, &mut what, &mut ended, &mut err), code);
            assert!(what == 0 && ended.is_null());
            assert_eq!(error::astat_error_code(err), code);
            error::astat_error_free(err);
            for expected in [ASTAT_NEXT_ENDED, ASTAT_NEXT_DONE] {
                assert_eq!(astat_batch_next(batch, ASTAT_NS_NONE, &mut what, &mut ended, &mut err), ASTAT_OK);
                assert_eq!((what, ended.is_null()), (expected, expected == ASTAT_NEXT_DONE));
                ended::astat_ended_free(ended);
            }
            astat_batch_free(batch);
        }
    }

    #[test]
    fn an_interrupted_wait_goes_on() {
        let clock = InterruptsOnce(VirtualClock::new(), Once::new());
        let waits = Lets(Once::new(), || Acquired::RetryAfter(Duration::from_secs(1)));
        fails_once(batch(|client| client.clock(clock).limiter(waits)), ASTAT_E_INTERRUPTED);
    }

    #[test]
    fn a_panic_is_its_error_and_the_wait_goes_on() {
        let panics = Lets(Once::new(), || panic!("a bug"));
        fails_once(batch(|client| client.limiter(panics)), ASTAT_E_PANIC);
    }

    #[test]
    fn a_second_thread_is_told_so() {
        let turns = Turns::new(7);
        let mine = turns.take().ok().unwrap();
        let others = std::thread::scope(|scope| {
            scope.spawn(|| turns.take().err().map(|failure| failure.to_string())).join().unwrap()
        });
        assert!(others.unwrap().contains("another thread"));
        drop(mine);
        assert!(turns.take().is_ok());
    }
}
