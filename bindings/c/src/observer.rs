//! Who is told what the client does.

use std::ffi::c_void;
use std::mem::size_of;
use std::sync::{Arc, OnceLock};

use activity_status::plugin::{CallClass, Event, Observer};
use activity_status::{ErrorKind, RequestId};

use crate::client::{ASTAT_NS_NONE, ns};
use crate::code::{self, ASTAT_OK, astat_code};
use crate::config::astat_config;
use crate::error::astat_error;
use crate::guard;
use crate::limiter::class_of;
use crate::options::Options;
use crate::plug::{self, Plug, Table};
use crate::status::astat_status;
use crate::text::{Text, astat_str};

/// One thing that a client did: for logs, metrics, traces and progress. It lasts as long as that one call of on_event,
/// and no key is in it.
pub struct astat_event<'a> {
    event: &'a Event<'a>,
    name: Text,
    message: OnceLock<Text>,
    operation: OnceLock<Text>,
    request_id: OnceLock<Text>,
    status: OnceLock<Option<Arc<astat_status>>>,
}

/// Who is told what the client does: a logger, metrics, a trace. It cannot change or fail a call. Begin with
/// ASTAT_OBSERVER_OPS_INIT.
///
/// Any thread may call any of these functions at any time, several at once; be quick, for the call waits. The library
/// holds no lock while it calls one. They must return: no longjmp, no C++ exception. They must not call a function that
/// blocks on a client: it fails with ASTAT_E_REENTRANT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_observer_ops {
    /// sizeof(astat_observer_ops): tells the library which members the program knows.
    pub struct_size: usize,
    /// Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
    /// to do.
    pub destroy: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// One thing happened. Required.
    pub on_event: Option<unsafe extern "C" fn(context: *mut c_void, event: *const astat_event<'_>)>,
}

/// The quota is used up: the call waits for astat_event_time_ns.
pub const ASTAT_EVENT_WAITING: i32 = 1;
/// A call is about to be sent: astat_event_attempt.
pub const ASTAT_EVENT_SENDING: i32 = 2;
/// An answer came, of whatever kind: astat_event_http_status, after astat_event_time_ns.
pub const ASTAT_EVENT_ANSWERED: i32 = 3;
/// The answer was a refusal (429).
pub const ASTAT_EVENT_REFUSED: i32 = 4;
/// A try failed (astat_event_code), and another follows after astat_event_time_ns.
pub const ASTAT_EVENT_RETRYING: i32 = 5;
/// The limiter could not note what became of a call, which goes on nevertheless.
pub const ASTAT_EVENT_SETTLE_FAILED: i32 = 6;
/// A job's status was read: astat_event_status.
pub const ASTAT_EVENT_STATUS: i32 = 7;

/// Somebody should look at it.
pub const ASTAT_LEVEL_WARNING: i32 = 1;
/// Worth a line.
pub const ASTAT_LEVEL_INFO: i32 = 2;
/// Every step.
pub const ASTAT_LEVEL_DEBUG: i32 = 3;

/// Gives the clients of a configuration an observer. A later one replaces it.
///
/// The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
/// all of its clients and their waits are freed or have another observer and the last call is over, and at once if this
/// function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
/// it not called.
///
/// ASTAT_E_ARGUMENT for an ops that is NULL or lacks on_event.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_set_observer(
    config: *mut astat_config,
    ops: *const astat_observer_ops,
    context: *mut c_void,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and structs.
    unsafe {
        plug::set(config, ops, context, err, |config, observer: Plug<astat_observer_ops>| {
            config.observer.replace(Arc::new(observer))
        })
    }
}

/// What happened: one of ASTAT_EVENT_*. More may be added. 0 if event is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_kind(event: *const astat_event<'_>) -> i32 {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, 0, |it| match it.event {
            Event::WaitingForPermit { .. } => ASTAT_EVENT_WAITING,
            Event::Sending { .. } => ASTAT_EVENT_SENDING,
            Event::Answered { .. } => ASTAT_EVENT_ANSWERED,
            Event::Refused { .. } => ASTAT_EVENT_REFUSED,
            Event::Retrying { .. } => ASTAT_EVENT_RETRYING,
            Event::SettleFailed { .. } => ASTAT_EVENT_SETTLE_FAILED,
            _ => ASTAT_EVENT_STATUS,
        })
    }
}

/// The same as one word, such as "retrying".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_name(event: *const astat_event<'_>) -> astat_str {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe { guard::get(event, astat_str::NONE, |it| it.name.view()) }
}

/// How much it matters: one of ASTAT_LEVEL_*, the smaller the more. 0 if event is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_level(event: *const astat_event<'_>) -> i32 {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, 0, |it| match it.event {
            Event::Refused { .. } | Event::Retrying { .. } | Event::SettleFailed { .. } => {
                ASTAT_LEVEL_WARNING
            }
            Event::Status { status, .. } if status.outcome().is_settled() => ASTAT_LEVEL_INFO,
            _ => ASTAT_LEVEL_DEBUG,
        })
    }
}

/// One line for a log. Its wording may change.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_message(event: *const astat_event<'_>) -> astat_str {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, astat_str::NONE, |it| {
            it.message.get_or_init(|| it.event.to_string().as_str().into()).view()
        })
    }
}

/// The operation, such as "activity.create", if it is about one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_operation(event: *const astat_event<'_>) -> astat_str {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, astat_str::NONE, |it| {
            it.operation.get_or_init(|| operation(it.event).into()).view()
        })
    }
}

/// The job, if it is about one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_request_id(event: *const astat_event<'_>) -> astat_str {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, astat_str::NONE, |it| {
            it.request_id.get_or_init(|| request_id(it.event).map(RequestId::as_str).into()).view()
        })
    }
}

/// What the call is for: one of ASTAT_CLASS_*; 0 if it is not said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_class(event: *const astat_event<'_>) -> i32 {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe { guard::get(event, 0, |it| class(it.event).map_or(0, class_of)) }
}

/// 1 for the first try of a call, of ASTAT_EVENT_SENDING; else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_attempt(event: *const astat_event<'_>) -> u32 {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, 0, |it| match it.event {
            Event::Sending { attempt, .. } => *attempt,
            _ => 0,
        })
    }
}

/// The HTTP status, of ASTAT_EVENT_ANSWERED and ASTAT_EVENT_REFUSED; else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_http_status(event: *const astat_event<'_>) -> i32 {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, 0, |it| match it.event {
            Event::Answered { http_status, .. } => i32::from(*http_status),
            Event::Refused { .. } => 429,
            _ => 0,
        })
    }
}

/// How long the call waits, or took, in nanoseconds. ASTAT_NS_NONE if there is no such time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_time_ns(event: *const astat_event<'_>) -> u64 {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, ASTAT_NS_NONE, |it| match it.event {
            Event::WaitingForPermit { wait, .. } | Event::Retrying { wait, .. } => ns(*wait),
            Event::Answered { elapsed, .. } => ns(*elapsed),
            _ => ASTAT_NS_NONE,
        })
    }
}

/// What failed: one of ASTAT_E_*, of ASTAT_EVENT_REFUSED, _RETRYING and _SETTLE_FAILED; else ASTAT_OK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_code(event: *const astat_event<'_>) -> astat_code {
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, ASTAT_OK, |it| {
            let kind = match it.event {
                Event::Refused { .. } => ErrorKind::Refused,
                Event::Retrying { kind, .. } => *kind,
                Event::SettleFailed { .. } => ErrorKind::Limiter,
                _ => return ASTAT_OK,
            };
            code::named(kind.as_str()).unwrap_or(ASTAT_OK)
        })
    }
}

/// What the vendor said of the job, of ASTAT_EVENT_STATUS; else NULL.
///
/// It belongs to the event: do not free it. astat_status_ref makes it yours.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_event_status(event: *const astat_event<'_>) -> *const astat_status {
    let none = std::ptr::null();
    // SAFETY: the caller uses it only while on_event runs.
    unsafe {
        guard::get(event, none, |it| {
            let status = it.status.get_or_init(|| match it.event {
                Event::Status { operation, status } => {
                    Some(Arc::new(astat_status::new((*status).clone(), operation)))
                }
                _ => None,
            });
            status.as_ref().map_or(none, Arc::as_ptr)
        })
    }
}

fn operation<'a>(event: &Event<'a>) -> Option<&'a str> {
    match event {
        Event::WaitingForPermit { operation, .. }
        | Event::Sending { operation, .. }
        | Event::Answered { operation, .. }
        | Event::Refused { operation, .. }
        | Event::Retrying { operation, .. }
        | Event::Status { operation, .. } => Some(operation),
        _ => None,
    }
}

fn request_id<'a>(event: &Event<'a>) -> Option<&'a RequestId> {
    match event {
        Event::WaitingForPermit { request_id, .. }
        | Event::Sending { request_id, .. }
        | Event::Answered { request_id, .. }
        | Event::Refused { request_id, .. }
        | Event::Retrying { request_id, .. } => *request_id,
        Event::Status { status, .. } => Some(status.request_id()),
        _ => None,
    }
}

fn class(event: &Event<'_>) -> Option<CallClass> {
    match event {
        Event::WaitingForPermit { class, .. }
        | Event::Sending { class, .. }
        | Event::Answered { class, .. }
        | Event::Refused { class, .. } => Some(*class),
        _ => None,
    }
}

impl Observer for Plug<astat_observer_ops> {
    fn on_event(&self, event: &Event<'_>) {
        let told = astat_event {
            event,
            name: event.name().into(),
            message: OnceLock::new(),
            operation: OnceLock::new(),
            request_id: OnceLock::new(),
            status: OnceLock::new(),
        };
        let on_event = self.ops.on_event.expect("it is required");
        // SAFETY: the program says that its functions may be called so.
        self.call(|context| unsafe { on_event(context, &told) });
    }
}

// SAFETY: `repr(C)`, the size first, and all else pointers, of which any may be NULL.
unsafe impl Options for astat_observer_ops {
    const NAME: &'static str = "astat_observer_ops";
    const ENDS: &'static [usize] = &[size_of::<Self>()];
    const DEFAULT: Self =
        astat_observer_ops { struct_size: size_of::<Self>(), destroy: None, on_event: None };
}

// SAFETY: its second member is `destroy`.
unsafe impl Table for astat_observer_ops {
    fn missing(&self) -> Option<&'static str> {
        self.on_event.is_none().then_some("on_event")
    }
}
