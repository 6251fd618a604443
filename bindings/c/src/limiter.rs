//! A limiter written in C, and the quota as numbers.

use std::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::sync::Arc;
use std::time::Duration;

use activity_status::plugin::{
    Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement, Snapshot,
};

use crate::client::{ASTAT_NS_NONE, ns};
use crate::code::{ASTAT_OK, astat_code};
use crate::config::{Chosen, astat_config};
use crate::error::astat_error;
use crate::metrics::ASTAT_NONE;
use crate::options::Options;
use crate::plug::{self, Plug, Table, astat_trouble};

/// How a quota stands, for all who share it. Begin with ASTAT_SNAPSHOT_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_snapshot {
    /// sizeof(astat_snapshot): tells the library which members the program knows.
    pub struct_size: usize,
    /// Slots of calls that count at this moment: in flight, or answered less than a window ago.
    pub used: u64,
    /// Slots that are free. Some may be kept for those who wait.
    pub free: u64,
    /// The least time that a call which came now would have to wait, in nanoseconds: 0 if it could go at once.
    pub next_free_in_ns: u64,
    /// How many callers wait.
    pub waiting: u64,
    /// How many calls the vendor has refused (429) so far.
    pub refused: u64,
}

/// The call sends a job.
pub const ASTAT_CLASS_SUBMIT: i32 = 1;
/// The call asks how a job went.
pub const ASTAT_CLASS_POLL: i32 = 2;
/// The call asks anything else, such as how long the queue is.
pub const ASTAT_CLASS_OTHER: i32 = 3;

/// The call may be sent now: *permit is set.
pub const ASTAT_GRANTED: i32 = 1;
/// Not before *wait_ns has passed: the library sleeps so long, and asks again.
pub const ASTAT_RETRY_AFTER: i32 = 2;

/// The head of an answer has just arrived.
pub const ASTAT_SETTLED_ANSWERED: i32 = 1;
/// The answer was a refusal (429): retry_after_ns is the server's advice when to come back.
pub const ASTAT_SETTLED_REFUSED: i32 = 2;
/// The call certainly never left: it does not count.
pub const ASTAT_SETTLED_NOT_SENT: i32 = 3;
/// No answer came; the call may still arrive.
pub const ASTAT_SETTLED_IN_DOUBT: i32 = 4;

/// A limiter of your own: what decides when a call may be sent. Begin with ASTAT_LIMITER_OPS_INIT.
///
/// It only computes, and the library sleeps. It must let no more calls through than the quota in any window, waiting
/// as told must be enough to get leave, and whoever came first should be served first: astat_conform_limiter checks
/// all that. A call counts from try_acquire until a window after its settle. If a caller dies in between, settle
/// never comes: let its permit end by itself, a window after the longest that a call may take (the call_deadline
/// setting).
///
/// Times are in nanoseconds of one clock for all clients of a process. It is never set back; another process has
/// another.
///
/// Threads. Any thread may call any of these functions at any time, several at once. A thread waits for one call at a
/// time and asks again itself, so the calling thread tells who waits. A settle may come on another thread.
///
/// Failures. A function that cannot tell returns a number that is none of its answers, and says why by
/// astat_trouble_say. The library holds no lock while it calls one. They must return: no longjmp, no C++ exception.
/// They must not call a function that blocks on a client, or drives a batch, a tracker or a look: it fails with
/// ASTAT_E_REENTRANT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_limiter_ops {
    /// sizeof(astat_limiter_ops): tells the library which members the program knows.
    pub struct_size: usize,
    /// Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
    /// to do.
    pub destroy: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// May a call of this class (ASTAT_CLASS_*) be sent now? Required.
    ///
    /// Returns ASTAT_GRANTED with a *permit of your own choice, or ASTAT_RETRY_AFTER with *wait_ns, which is more
    /// than 0 (and taken for a millisecond if it is less). After anything else the call is not sent and fails with
    /// ASTAT_E_LIMITER.
    pub try_acquire: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            call_class: i32,
            now_ns: u64,
            permit: *mut u64,
            wait_ns: *mut u64,
            trouble: *mut astat_trouble,
        ) -> i32,
    >,
    /// The calling thread was told to wait, and has given up. It may come without a wait, too. NULL if you keep no
    /// order.
    pub leave: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// What became of a permit (ASTAT_SETTLED_*), at the moment it is known; once for each permit. Required.
    ///
    /// retry_after_ns is ASTAT_NS_NONE unless the call was refused with an advice. Returns ASTAT_OK. After anything
    /// else the call goes on, and it is for you to err on the side of too few calls.
    pub settle: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            permit: u64,
            how: i32,
            retry_after_ns: u64,
            now_ns: u64,
            trouble: *mut astat_trouble,
        ) -> i32,
    >,
    /// How the quota stands: fills out, whose numbers are 0, and returns ASTAT_OK. NULL, or used left at ASTAT_NONE,
    /// if you do not say.
    pub snapshot: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            now_ns: u64,
            out: *mut astat_snapshot,
            trouble: *mut astat_trouble,
        ) -> i32,
    >,
}

/// Gives the clients of a configuration a limiter of your own, in place of the limiter setting. All of them share it,
/// and the settings that tell how slots are kept (quota, strict, submit_share) are then yours to keep. A later one
/// replaces it.
///
/// The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
/// all of its clients and their waits are freed or have another limiter and the last call is over, and at once if this
/// function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
/// it not called.
///
/// ASTAT_E_ARGUMENT for an ops that is NULL or lacks a function that is required. With a limiter setting besides,
/// astat_client_new fails with ASTAT_E_CONFIG.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_set_limiter(
    config: *mut astat_config,
    ops: *const astat_limiter_ops,
    context: *mut c_void,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and structs.
    unsafe {
        plug::set(config, ops, context, err, |config, limiter: Plugged| {
            config.limiter.replace(Chosen::Own(Arc::new(limiter)))
        })
    }
}

/// A limiter of the program's, as the core sees it.
type Plugged = Plug<astat_limiter_ops>;

impl Plugged {
    /// Makes an error of any answer that is not one of these.
    fn ask(
        &self,
        name: &str,
        answers: &[i32],
        ask: impl FnOnce(*mut c_void, *mut astat_trouble) -> i32,
    ) -> Result<i32, LimiterError> {
        let mut trouble = astat_trouble::default();
        let answer = self.call(|context| ask(context, &mut trouble));
        if answers.contains(&answer) {
            return Ok(answer);
        }
        let message = trouble.said_by(&format!("{name} of the program's limiter"), answer);
        Err(LimiterError { message, source: None })
    }
}

impl Limiter for Plugged {
    fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let (class, now, mut permit, mut wait) = (class_of(class), ns(clock.now()), 0, 0);
        let function = self.ops.try_acquire.expect("it is required");
        // SAFETY: the program says that its functions may be called so.
        let ask = |context, trouble: *mut _| unsafe {
            function(context, class, now, &mut permit, &mut wait, trouble)
        };
        match self.ask("try_acquire", &[ASTAT_GRANTED, ASTAT_RETRY_AFTER], ask)? {
            ASTAT_GRANTED => Ok(Acquired::Granted(Permit(permit))),
            _ => Ok(Acquired::RetryAfter(Duration::from_nanos(wait))),
        }
    }

    fn leave(&self) {
        if let Some(leave) = self.ops.leave {
            // SAFETY: the program says that its functions may be called so.
            self.call(|context| unsafe { leave(context) });
        }
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        let (how, retry_after) = match how {
            Settlement::Answered | Settlement::AnsweredOnNewConnection => (ASTAT_SETTLED_ANSWERED, None),
            Settlement::Refused { retry_after } => (ASTAT_SETTLED_REFUSED, retry_after),
            Settlement::NotSent => (ASTAT_SETTLED_NOT_SENT, None),
            _ => (ASTAT_SETTLED_IN_DOUBT, None),
        };
        let (now, retry_after) = (ns(clock.now()), retry_after.map_or(ASTAT_NS_NONE, ns));
        let function = self.ops.settle.expect("it is required");
        // SAFETY: the program says that its functions may be called so.
        let tell =
            |context, trouble: *mut _| unsafe { function(context, permit.0, how, retry_after, now, trouble) };
        self.ask("settle", &[ASTAT_OK], tell).map(drop)
    }

    fn snapshot(&self, clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
        let Some(function) = self.ops.snapshot else { return Ok(None) };
        let (now, mut seen) = (ns(clock.now()), astat_snapshot::of(0));
        // SAFETY: the program says that its functions may be called so.
        let look = |context, trouble: *mut _| unsafe { function(context, now, &mut seen, trouble) };
        self.ask("snapshot", &[ASTAT_OK], look)?;
        if seen.used == ASTAT_NONE {
            return Ok(None);
        }
        let few = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Some(Snapshot {
            used: few(seen.used),
            free: few(seen.free),
            next_free_in: Duration::from_nanos(seen.next_free_in_ns),
            waiting: few(seen.waiting),
            refused: seen.refused,
        }))
    }
}

/// What a call is for, as one of ASTAT_CLASS_*.
pub(crate) fn class_of(class: CallClass) -> i32 {
    match class {
        CallClass::Submit => ASTAT_CLASS_SUBMIT,
        CallClass::Poll => ASTAT_CLASS_POLL,
        _ => ASTAT_CLASS_OTHER,
    }
}

impl astat_snapshot {
    /// Each number the same.
    const fn of(number: u64) -> Self {
        astat_snapshot {
            struct_size: size_of::<Self>(),
            used: number,
            free: number,
            next_free_in_ns: number,
            waiting: number,
            refused: number,
        }
    }
}

impl From<Option<Snapshot>> for astat_snapshot {
    fn from(seen: Option<Snapshot>) -> Self {
        let Some(seen) = seen else { return astat_snapshot::DEFAULT };
        astat_snapshot {
            struct_size: size_of::<Self>(),
            used: seen.used.into(),
            free: seen.free.into(),
            next_free_in_ns: ns(seen.next_free_in),
            waiting: seen.waiting.into(),
            refused: seen.refused,
        }
    }
}

// SAFETY: `repr(C)`, the size first, and all else numbers.
unsafe impl Options for astat_snapshot {
    const NAME: &'static str = "astat_snapshot";
    const ENDS: &'static [usize] = &[
        offset_of!(Self, free),
        offset_of!(Self, next_free_in_ns),
        offset_of!(Self, waiting),
        offset_of!(Self, refused),
        size_of::<Self>(),
    ];
    const DEFAULT: Self = astat_snapshot::of(ASTAT_NONE);
}

// SAFETY: `repr(C)`, the size first, and all else pointers, of which any may be NULL.
unsafe impl Options for astat_limiter_ops {
    const NAME: &'static str = "astat_limiter_ops";
    const ENDS: &'static [usize] = &[offset_of!(Self, snapshot), size_of::<Self>()];
    const DEFAULT: Self = astat_limiter_ops {
        struct_size: size_of::<Self>(),
        destroy: None,
        try_acquire: None,
        leave: None,
        settle: None,
        snapshot: None,
    };
}

// SAFETY: its second member is `destroy`.
unsafe impl Table for astat_limiter_ops {
    fn missing(&self) -> Option<&'static str> {
        match self {
            astat_limiter_ops { try_acquire: None, .. } => Some("try_acquire"),
            astat_limiter_ops { settle: None, .. } => Some("settle"),
            _ => None,
        }
    }
}
