//! The checks for parts that are written in C.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use activity_status::builtin::{Quota, VirtualClock};
use activity_status::conformance::{LimiterSubject, Time, check_clock, check_limiter, check_transport};
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};

use crate::client::{ASTAT_NS_NONE, ns};
use crate::clock::astat_clock_ops;
use crate::code::astat_code;
use crate::error::{Failure, astat_error};
use crate::guard;
use crate::limiter::astat_limiter_ops;
use crate::plug::{self, Context, Plug};
use crate::transport::astat_transport_ops;

/// Opens a limiter that keeps a quota of so many calls in a window, in nanoseconds. Limiters of the same number share
/// one quota, as two processes would; one with another number has nothing to do with them and is unused.
///
/// Returns its functions, which may be the same for all, and its *context; NULL if it cannot be opened.
pub type astat_limiter_open = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        number: u32,
        calls: u32,
        window_ns: u64,
        context: *mut *mut c_void,
    ) -> *const astat_limiter_ops,
>;

/// Puts a limiter of your own through the checks that the library's own go through, in virtual time: never more calls
/// than the quota in any window, waiting as told is enough, a refusal slows all, a caller that dies frees its slot,
/// no one starves, and more.
///
/// open makes the limiters, with user as it is given here; each is destroyed before this function returns. Their
/// times are those of a clock that jumps, so nothing waits. longest_call_ns is how long a call may take before the
/// limiter holds its caller for dead; ASTAT_NS_NONE is a minute, the call_deadline unless it is set.
///
/// ASTAT_OK if it passes. ASTAT_E_LIMITER if it does not: the message says which check failed and what the limiter
/// did.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_conform_limiter(
    open: astat_limiter_open,
    user: *mut c_void,
    longest_call_ns: u64,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for functions and structs.
    unsafe {
        guard::change(err, || {
            let open = open.ok_or_else(|| Failure::argument("open is NULL"))?;
            let user = Context::lent(user);
            let open = |number: u32, quota: Quota| -> Box<dyn Limiter> {
                let mut context = std::ptr::null_mut();
                let ops = open(user.get(), number, quota.calls(), ns(quota.window()), &mut context);
                match Plug::new(ops, context) {
                    Ok(limiter) => Box::<Plug<astat_limiter_ops>>::new(limiter),
                    Err(failure) => Box::new(Unopened(failure)),
                }
            };
            check_limiter(&LimiterSubject {
                open: &open,
                time: Time::Virtual(Arc::new(VirtualClock::new())),
                window: Duration::from_secs(5),
                longest_call: match longest_call_ns {
                    ASTAT_NS_NONE => Duration::from_secs(60),
                    longest => Duration::from_nanos(longest),
                },
            })
            .map_err(|failed| Failure::limiter(&failed.to_string()))
        })
    }
}

/// Puts a transport of your own through the checks that the library's own goes through, against servers on this machine's
/// loopback: a request arrives as it was given, any status is an answer, no redirect is followed, the head of an answer is
/// told of when it comes, what is cut off or endless is an error, what may have arrived is never called not sent, and goes
/// out once, a call ends in its time, no error shows a key, and more. It takes about a second; ten more if a call that must
/// end does not. TLS and proxies are not checked.
///
/// The context is the library's, as in astat_config_set_transport, and is destroyed before this function returns.
///
/// ASTAT_OK if it passes. ASTAT_E_TRANSPORT if it does not: the message says which check failed and what the transport
/// did. ASTAT_E_ARGUMENT for an ops that is NULL or lacks send.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_conform_transport(
    ops: *const astat_transport_ops,
    context: *mut c_void,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for structs.
    unsafe {
        guard::change(err, || {
            let transport = Plug::new(ops, context)?;
            plug::outside()?;
            check_transport(&transport).map_err(|failed| Failure::transport(&failed.to_string()))
        })
    }
}

/// Puts a clock of your own through the checks that the library's own go through: its time never goes back, a sleep lasts as
/// long as it was told, work that is handed over runs, and more. It takes a second of the clock's time, or a minute if work
/// does not run. Nobody may interrupt its sleeps meanwhile.
///
/// The context is the library's, as in astat_config_set_clock, and is destroyed before this function returns.
///
/// ASTAT_OK if it passes. ASTAT_E_CONFIG if it does not: the message says which check failed and what the clock did.
/// ASTAT_E_ARGUMENT for an ops that is NULL or lacks a function that is required.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_conform_clock(
    ops: *const astat_clock_ops,
    context: *mut c_void,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for structs.
    unsafe {
        guard::change(err, || {
            let clock = Plug::new(ops, context)?;
            plug::outside()?;
            check_clock(&clock).map_err(|failed| Failure::config(&failed.to_string()))
        })
    }
}

/// In place of a limiter that could not be opened: it can tell nothing but why.
struct Unopened(Failure);

impl Limiter for Unopened {
    fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
        Err(LimiterError { message: format!("it could not be opened: {}", self.0), source: None })
    }

    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        Ok(())
    }
}
