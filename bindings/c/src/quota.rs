//! The limiter that the settings name, as a handle: shared by several clients, or for calls of the program's own.

use std::sync::Arc;

use activity_status::builtin::SystemClock;
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};

use crate::client::{ns, time};
use crate::code::astat_code;
use crate::config::{Chosen, astat_config};
use crate::error::{Failure, astat_error};
use crate::limiter::{
    ASTAT_CLASS_OTHER, ASTAT_CLASS_POLL, ASTAT_CLASS_SUBMIT, ASTAT_GRANTED, ASTAT_RETRY_AFTER,
    ASTAT_SETTLED_ANSWERED, ASTAT_SETTLED_IN_DOUBT, ASTAT_SETTLED_NOT_SENT, ASTAT_SETTLED_REFUSED,
    astat_snapshot,
};
use crate::{guard, handle, options, plug};

/// What keeps a quota: for several clients of one account, or for calls that this library does not make. All threads may
/// use it. A thread waits for one call at a time.
pub struct astat_limiter {
    limiter: Arc<dyn Limiter>,
    clock: Arc<dyn Clock>,
}

/// Makes the limiter that the settings of a configuration name: limiter, quota, strict, submit_share, limiter_away,
/// call_deadline, and the API key where it is kept in Redis. Or the program's own, if it has one. Its times are those of
/// the configuration's clock, which all clients that get it must have too.
///
/// *out is the limiter; free it with astat_limiter_free. ASTAT_E_CONFIG for a setting that makes no sense.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_limiter_new(
    config: *const astat_config,
    out: *mut *mut astat_limiter,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe {
        guard::call(out, err, || {
            plug::outside()?;
            let config = handle::lend(config, "config")?;
            let limiter = match &config.limiter {
                Some(Chosen::Own(limiter) | Chosen::Shared(limiter)) => limiter.clone(),
                None => Arc::new(activity_status_backends::limiter(&config.settings()?)?),
            };
            let clock = config.clock.clone().unwrap_or_else(|| Arc::new(SystemClock::new()));
            Ok(astat_limiter { limiter, clock })
        })
    }
}

/// Makes the caller an owner once more: each owner frees it once. It returns the same handle, and NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_limiter_ref(limiter: *const astat_limiter) -> *mut astat_limiter {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(limiter) })
}

/// Ends one ownership. NULL is nothing to do. Clients that use the limiter go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_limiter_free(limiter: *mut astat_limiter) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(limiter) });
}

/// Gives the clients of a configuration this limiter, in place of the one that its settings name. All that share it keep
/// one quota. A later limiter replaces it.
///
/// The configuration and its clients keep what they need of it: it may be freed.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_use_limiter(
    config: *mut astat_config,
    limiter: *const astat_limiter,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles.
    unsafe {
        guard::change(err, || {
            let limiter = handle::lend(limiter, "limiter")?.limiter.clone();
            drop(handle::lend_mut(config, "config")?.limiter.replace(Chosen::Shared(limiter)));
            Ok(())
        })
    }
}

/// Asks for leave to make one call of this class (ASTAT_CLASS_*) now. It blocks only as
/// long as the limiter needs: a moment, but for one on a server.
///
/// *answer is ASTAT_GRANTED, and *permit is to be settled once; or ASTAT_RETRY_AFTER, and the same thread asks again
/// after *wait_ns, or gives its place up by astat_limiter_leave. ASTAT_E_LIMITER if the limiter cannot tell: then the
/// call must not be made.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_limiter_try_acquire(
    limiter: *const astat_limiter,
    call_class: i32,
    answer: *mut i32,
    permit: *mut u64,
    wait_ns: *mut u64,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe {
        guard::put(answer, 0);
        guard::put(permit, 0);
        guard::put(wait_ns, 0);
        guard::change(err, || {
            let it = lend(limiter)?;
            guard::there(answer, "answer")?;
            guard::there(permit, "permit")?;
            guard::there(wait_ns, "wait_ns")?;
            let class = match call_class {
                ASTAT_CLASS_SUBMIT => CallClass::Submit,
                ASTAT_CLASS_POLL => CallClass::Poll,
                ASTAT_CLASS_OTHER => CallClass::Other,
                other => return Err(Failure::argument(&format!("call_class is {other}, which is none"))),
            };
            match it.limiter.try_acquire(class, &*it.clock).map_err(cannot_tell)? {
                Acquired::Granted(granted) => {
                    guard::put(answer, ASTAT_GRANTED);
                    guard::put(permit, granted.0);
                }
                Acquired::RetryAfter(wait) => {
                    guard::put(answer, ASTAT_RETRY_AFTER);
                    guard::put(wait_ns, ns(wait));
                }
            }
            Ok(())
        })
    }
}

/// The calling thread was told to wait, and gives its place up. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_limiter_leave(limiter: *const astat_limiter) {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(limiter, (), |it| it.limiter.leave()) }
}

/// Tells what became of a permit (ASTAT_SETTLED_*), at the moment it is known: for a call that was answered, when the
/// head of the answer has arrived. Once for each permit; one that is never settled counts until call_deadline and a
/// window have passed.
///
/// retry_after_ns is the server's advice of a refusal, or ASTAT_NS_NONE. ASTAT_E_LIMITER if it could not be noted.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_limiter_settle(
    limiter: *const astat_limiter,
    permit: u64,
    how: i32,
    retry_after_ns: u64,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles.
    unsafe {
        guard::change(err, || {
            let it = lend(limiter)?;
            let how = match how {
                // Nobody knows if that client had to connect first.
                ASTAT_SETTLED_ANSWERED => Settlement::AnsweredOnNewConnection,
                ASTAT_SETTLED_REFUSED => Settlement::Refused { retry_after: time(retry_after_ns) },
                ASTAT_SETTLED_NOT_SENT => Settlement::NotSent,
                ASTAT_SETTLED_IN_DOUBT => Settlement::InDoubt,
                other => return Err(Failure::argument(&format!("how is {other}, which is none"))),
            };
            it.limiter.settle(Permit(permit), how, &*it.clock).map_err(cannot_tell)
        })
    }
}

/// How the quota stands. *out begins with ASTAT_SNAPSHOT_INIT, and is filled on success alone; as
/// astat_client_snapshot.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_limiter_snapshot(
    limiter: *const astat_limiter,
    out: *mut astat_snapshot,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, structs and out parameters.
    unsafe {
        guard::change(err, || {
            let it = lend(limiter)?;
            options::room(out)?;
            options::fill(out, &it.limiter.snapshot(&*it.clock).map_err(cannot_tell)?.into());
            Ok(())
        })
    }
}

/// # Safety
/// As [`handle::lend`].
unsafe fn lend<'a>(limiter: *const astat_limiter) -> Result<&'a astat_limiter, Failure> {
    plug::outside()?;
    // SAFETY: the caller's promise is ours.
    unsafe { handle::lend(limiter, "limiter") }
}

fn cannot_tell(trouble: LimiterError) -> Failure {
    Failure::limiter(&format!("the limiter gave no answer: {}", trouble.message))
}
