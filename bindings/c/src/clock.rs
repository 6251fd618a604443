//! A clock written in C, and virtual time.

use std::ffi::c_void;
use std::io;
use std::mem::{offset_of, size_of};
use std::sync::Arc;
use std::time::Duration;

use activity_status::builtin::VirtualClock;
use activity_status::plugin::{Clock, Interrupted};

use crate::client::ns;
use crate::code::{ASTAT_OK, astat_code};
use crate::config::astat_config;
use crate::error::{Failure, astat_error};
use crate::options::Options;
use crate::plug::{self, Context, Plug, Table};
use crate::{guard, handle};

/// A clock of your own: where the time comes from, and how the library waits. Begin with ASTAT_CLOCK_OPS_INIT.
///
/// For tests astat_virtual_clock is there already. astat_conform_clock checks one.
///
/// Any thread may call any of these functions at any time, several at once. The library holds no lock while it calls
/// one. They must return: no longjmp, no C++ exception. They must not call a function that blocks on a client: it fails
/// with ASTAT_E_REENTRANT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_clock_ops {
    /// sizeof(astat_clock_ops): tells the library which members the program knows.
    pub struct_size: usize,
    /// Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
    /// to do.
    pub destroy: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Nanoseconds since a fixed, arbitrary moment. It never goes back. Required.
    pub now_ns: Option<unsafe extern "C" fn(context: *mut c_void) -> u64>,
    /// Nanoseconds since 1970 (UTC). It may jump. Required.
    pub wall_ns: Option<unsafe extern "C" fn(context: *mut c_void) -> u64>,
    /// Blocks the calling thread for ns nanoseconds, and returns ASTAT_OK. Required. A wait that may be woken is made of
    /// sleeps of 10 ms. After anything else the library gives the call up: it fails with ASTAT_E_INTERRUPTED.
    pub sleep: Option<unsafe extern "C" fn(context: *mut c_void, ns: u64) -> i32>,
    /// Calls work(what) once, on a thread that lives in this time, and returns ASTAT_OK: until it is called, it keeps
    /// what it needs of the client. Or returns anything else, and does not call it. NULL: on a thread of the library's own. A clock whose time jumps can call it at once: its threads would
    /// be overtaken by the time.
    pub spawn: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            work: Option<unsafe extern "C" fn(what: *mut c_void)>,
            what: *mut c_void,
        ) -> i32,
    >,
}

/// Time that passes only while everybody sleeps, so that a test of hours ends in milliseconds: the same program has the
/// same history each time. All threads may use it.
pub struct astat_virtual_clock {
    clock: VirtualClock,
}

/// Gives the clients of a configuration a clock of your own. A later one replaces it.
///
/// The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
/// all of its clients and their waits are freed or have another clock and the last call is over, and at once if this
/// function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
/// it not called.
///
/// ASTAT_E_ARGUMENT for an ops that is NULL or lacks a function that is required.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_set_clock(
    config: *mut astat_config,
    ops: *const astat_clock_ops,
    context: *mut c_void,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and structs.
    unsafe {
        plug::set(config, ops, context, err, |config, clock: Plug<astat_clock_ops>| {
            config.clock.replace(Arc::new(clock))
        })
    }
}

/// Makes a clock that stands at 0. Free it with astat_virtual_clock_free. NULL only after a bug in the library.
#[unsafe(no_mangle)]
pub extern "C" fn astat_virtual_clock_new() -> *mut astat_virtual_clock {
    guard::quiet(std::ptr::null_mut(), || handle::give(astat_virtual_clock { clock: VirtualClock::new() }))
}

/// Makes the caller an owner once more: each owner frees it once. It returns the same handle, and NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_virtual_clock_ref(
    clock: *const astat_virtual_clock,
) -> *mut astat_virtual_clock {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(clock) })
}

/// Ends one ownership. NULL is nothing to do. Clients that use the clock go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_virtual_clock_free(clock: *mut astat_virtual_clock) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(clock) });
}

/// What it shows, in nanoseconds, which is also the time of day: virtual time begins in 1970. 0 if clock is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_virtual_clock_now_ns(clock: *const astat_virtual_clock) -> u64 {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(clock, 0, |it| ns(it.clock.now())) }
}

/// Sleeps in this time: if nobody else has anything to do, the time jumps ahead. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_virtual_clock_sleep(clock: *const astat_virtual_clock, ns: u64) {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(clock, (), |it| {
            let _ = it.clock.sleep(Duration::from_nanos(ns));
        });
    }
}

/// Calls work(context, 0), work(context, 1) and so on, each on a thread that lives in this time, and returns when all
/// have. One of them runs at a time, and hands over only while it sleeps, to whoever wakes first.
///
/// ASTAT_E_ARGUMENT for more than 1,000 workers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_virtual_clock_run(
    clock: *const astat_virtual_clock,
    workers: u32,
    work: Option<unsafe extern "C" fn(context: *mut c_void, worker: u32)>,
    context: *mut c_void,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, and `work` may be called on any thread.
    unsafe {
        guard::change(err, || {
            plug::outside()?;
            let clock = handle::lend(clock, "clock")?;
            let work = work.ok_or_else(|| Failure::argument("work is NULL"))?;
            if workers > 1000 {
                return Err(Failure::argument(&format!("workers is {workers}; 1,000 are the most")));
            }
            let context = Context::lent(context);
            clock.clock.run(workers as usize, |worker| work(context.get(), worker as u32));
            Ok(())
        })
    }
}

/// Gives the clients of a configuration this clock. Later changes of their clock replace it.
///
/// The configuration and its clients keep what they need of it: it may be freed.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_use_virtual_clock(
    config: *mut astat_config,
    clock: *const astat_virtual_clock,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles.
    unsafe {
        guard::change(err, || {
            let clock = handle::lend(clock, "clock")?.clock.clone();
            drop(handle::lend_mut(config, "config")?.clock.replace(Arc::new(clock)));
            Ok(())
        })
    }
}

impl Clock for Plug<astat_clock_ops> {
    fn now(&self) -> Duration {
        let now = self.ops.now_ns.expect("it is required");
        // SAFETY: the program says that its functions may be called so.
        Duration::from_nanos(self.call(|context| unsafe { now(context) }))
    }

    fn wall(&self) -> Duration {
        let wall = self.ops.wall_ns.expect("it is required");
        // SAFETY: the program says that its functions may be called so.
        Duration::from_nanos(self.call(|context| unsafe { wall(context) }))
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        let sleep = self.ops.sleep.expect("it is required");
        // SAFETY: the program says that its functions may be called so.
        match self.call(|context| unsafe { sleep(context, ns(duration)) }) {
            ASTAT_OK => Ok(()),
            _ => Err(Interrupted),
        }
    }

    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let Some(spawn) = self.ops.spawn else {
            return std::thread::Builder::new().name("activity-status".to_owned()).spawn(work).map(drop);
        };
        let what = Box::into_raw(Box::new(work)).cast::<c_void>();
        // SAFETY: the program says that its functions may be called so, and calls `run` once if it returns ASTAT_OK.
        match self.call(|context| unsafe { spawn(context, Some(run), what) }) {
            ASTAT_OK => Ok(()),
            _ => {
                // SAFETY: the program has not called `run`, and does not any more.
                drop(unsafe { Box::from_raw(what.cast::<Work>()) });
                Err(io::Error::other("spawn of the program's clock failed"))
            }
        }
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// Does what a clock was asked to do on a thread of its own.
unsafe extern "C" fn run(what: *mut c_void) {
    // SAFETY: it came from `spawn`, and this is the only place that takes it.
    guard::quiet((), || unsafe { Box::from_raw(what.cast::<Work>()) }());
}

// SAFETY: `repr(C)`, the size first, and all else pointers, of which any may be NULL.
unsafe impl Options for astat_clock_ops {
    const NAME: &'static str = "astat_clock_ops";
    const ENDS: &'static [usize] = &[offset_of!(Self, spawn), size_of::<Self>()];
    const DEFAULT: Self = astat_clock_ops {
        struct_size: size_of::<Self>(),
        destroy: None,
        now_ns: None,
        wall_ns: None,
        sleep: None,
        spawn: None,
    };
}

// SAFETY: its second member is `destroy`.
unsafe impl Table for astat_clock_ops {
    fn missing(&self) -> Option<&'static str> {
        match self {
            astat_clock_ops { now_ns: None, .. } => Some("now_ns"),
            astat_clock_ops { wall_ns: None, .. } => Some("wall_ns"),
            astat_clock_ops { sleep: None, .. } => Some("sleep"),
            _ => None,
        }
    }
}
