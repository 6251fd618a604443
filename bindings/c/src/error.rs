//! What went wrong, as a handle.

use std::fmt;
use std::sync::Arc;

use activity_status::{Error, Operation, RequestId, Resend};
use serde_json::Value;

use crate::code::{
    self, ASTAT_E_ARGUMENT, ASTAT_E_CONFIG, ASTAT_E_INTERRUPTED, ASTAT_E_LIMITER, ASTAT_E_PANIC,
    ASTAT_E_REENTRANT, ASTAT_E_TRANSPORT, ASTAT_OK, astat_code,
};
use crate::status::astat_status;
use crate::text::{Text, astat_str};
use crate::{guard, handle};

/// Why a function failed. It never changes, outlives the client, and may be used by all threads. No key is in any of
/// its texts.
pub struct astat_error {
    code: astat_code,
    kind: Text,
    message: Text,
    http_status: i32,
    resend: Resend,
    attempts: u32,
    request_id: Text,
    operation: Text,
    exception_type: Text,
    exception_message: Text,
    body: Text,
    causes: Vec<Text>,
    last_status: Option<Arc<astat_status>>,
    json: Text,
}

/// The same call may be made again: it never arrived, was refused, or is harmless to repeat.
pub const ASTAT_RESEND_SAFE: i32 = 1;
/// The call may already have been carried out: a second one may create a duplicate.
pub const ASTAT_RESEND_MAY_DUPLICATE: i32 = 2;
/// The same call would fail again.
pub const ASTAT_RESEND_POINTLESS: i32 = 3;

/// Makes the caller an owner of an error once more: each owner frees it once. It returns the same handle, and NULL
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_ref(error: *const astat_error) -> *mut astat_error {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(error) })
}

/// Ends one ownership of an error; with the last, all texts that were asked of it end. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_free(error: *mut astat_error) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(error) });
}

/// The code that the function returned. ASTAT_OK if error is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_code(error: *const astat_error) -> astat_code {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, ASTAT_OK, |it| it.code) }
}

/// The code as one word, such as "in_doubt".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_kind(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, astat_str::NONE, |it| it.kind.view()) }
}

/// What happened, to which job, after how many attempts, and what to do next: one line for people. Its wording may
/// change; nothing should depend on it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_message(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, astat_str::NONE, |it| it.message.view()) }
}

/// The HTTP status of the answer, such as 401. 0 if there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_http_status(error: *const astat_error) -> i32 {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, 0, |it| it.http_status) }
}

/// May the same call be made again? One of ASTAT_RESEND_*; 0 if error is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_resend(error: *const astat_error) -> i32 {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(error, 0, |it| match it.resend {
            Resend::Safe => ASTAT_RESEND_SAFE,
            Resend::MayDuplicate => ASTAT_RESEND_MAY_DUPLICATE,
            Resend::Pointless => ASTAT_RESEND_POINTLESS,
        })
    }
}

/// The same advice as one word: "safe", "may_duplicate" or "pointless". It lives as long as the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_resend_name(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(error, astat_str::NONE, |it| match it.resend {
            Resend::Safe => c"safe".into(),
            Resend::MayDuplicate => c"may_duplicate".into(),
            Resend::Pointless => c"pointless".into(),
        })
    }
}

/// How many HTTP calls were tried. 0 if nothing was sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_attempts(error: *const astat_error) -> u32 {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, 0, |it| it.attempts) }
}

/// The job that was asked about, if there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_request_id(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, astat_str::NONE, |it| it.request_id.view()) }
}

/// The operation, such as "activity.create", if one was begun.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_operation(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, astat_str::NONE, |it| it.operation.view()) }
}

/// The vendor's ExceptionType, such as "MXInvalidAccessKeyException", if it gave one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_exception_type(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, astat_str::NONE, |it| it.exception_type.view()) }
}

/// The vendor's ExceptionMessage, if it gave one, with your keys masked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_exception_message(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, astat_str::NONE, |it| it.exception_message.view()) }
}

/// The beginning of the answer's body, on one line and with your keys masked, if there was one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_body(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, astat_str::NONE, |it| it.body.view()) }
}

/// How many causes are known below the message, such as what the operating system said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_cause_count(error: *const astat_error) -> usize {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, 0, |it| it.causes.len()) }
}

/// A cause, by its number from 0: each is the cause of the one before. No text beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_cause(error: *const astat_error, index: usize) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe {
        guard::get(error, astat_str::NONE, |it| it.causes.get(index).map_or(astat_str::NONE, Text::view))
    }
}

/// The last thing the vendor said of the job, if a wait ended before its outcome; else NULL.
///
/// It belongs to the error: do not free it. astat_status_ref makes it yours.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_last_status(error: *const astat_error) -> *const astat_status {
    let none = std::ptr::null();
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, none, |it| it.last_status.as_ref().map_or(none, Arc::as_ptr)) }
}

/// The error as one line of JSON, the same in every language and on the command line:
/// {"request_id", "operation", "error": {"kind", "message", "resend", "http_status"}}.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_error_json(error: *const astat_error) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(error, astat_str::NONE, |it| it.json.view()) }
}

/// An error on its way out.
pub(crate) struct Failure(Arc<astat_error>);

impl Failure {
    /// The program called a function in a way that the header does not allow.
    pub(crate) fn argument(message: &str) -> Self {
        Failure::ours(ASTAT_E_ARGUMENT, "argument", message, Resend::Pointless)
    }

    /// Settings that contradict each other in a way that the core cannot see.
    pub(crate) fn config(message: &str) -> Self {
        Failure::ours(ASTAT_E_CONFIG, "config", message, Resend::Pointless)
    }

    /// A limiter that is not what it should be.
    pub(crate) fn limiter(message: &str) -> Self {
        Failure::ours(ASTAT_E_LIMITER, "limiter", message, Resend::Pointless)
    }

    /// A transport that is not what it should be.
    pub(crate) fn transport(message: &str) -> Self {
        Failure::ours(ASTAT_E_TRANSPORT, "transport", message, Resend::Pointless)
    }

    /// A plug-in would wait for the call that waits for it.
    pub(crate) fn reentrant() -> Self {
        let message = "a function of a plug-in called one that blocks; let another thread do that";
        Failure::ours(ASTAT_E_REENTRANT, "reentrant", message, Resend::Pointless)
    }

    /// A bug of ours. A submit may have been sent before it showed.
    pub(crate) fn panic(text: &str) -> Self {
        let message = format!("a bug in the library: {text}");
        Failure::ours(ASTAT_E_PANIC, "panic", &message, Resend::MayDuplicate)
    }

    /// A wait that was cut short.
    pub(crate) fn interrupted(message: &str) -> Self {
        Failure::ours(ASTAT_E_INTERRUPTED, "interrupted", message, Resend::Safe)
    }

    /// An error of a call for this operation.
    pub(crate) fn of(error: &Error, operation: &Operation) -> Self {
        let last_status =
            error.last_status().map(|it| Arc::new(astat_status::new(it.clone(), operation.name())));
        Failure::new(error, last_status)
    }

    /// The code that the function returns.
    pub(crate) fn code(&self) -> astat_code {
        self.0.code
    }

    /// The error, to be kept.
    pub(crate) fn keep(self) -> Arc<astat_error> {
        self.0
    }

    /// Makes C the owner.
    pub(crate) fn give(self) -> *mut astat_error {
        handle::give(self.0)
    }

    fn new(error: &Error, last_status: Option<Arc<astat_status>>) -> Self {
        let vendor = error.vendor();
        Failure(Arc::new(astat_error {
            code: code::named(error.kind().as_str()).expect("every kind has a code"),
            kind: error.kind().as_str().into(),
            message: error.to_string().as_str().into(),
            http_status: error.http_status().map_or(0, i32::from),
            resend: error.resend(),
            attempts: error.attempts(),
            request_id: error.request_id().map(RequestId::as_str).into(),
            operation: error.operation().into(),
            exception_type: vendor.and_then(|it| it.exception_type.as_deref()).into(),
            exception_message: vendor.and_then(|it| it.exception_message.as_deref()).into(),
            body: vendor.map(|it| it.body.as_str()).into(),
            causes: causes(error),
            last_status,
            json: error.to_json().as_str().into(),
        }))
    }

    fn ours(code: astat_code, kind: &str, message: &str, resend: Resend) -> Self {
        let json = format!(
            r#"{{"request_id":null,"operation":null,"error":{{"kind":"{kind}","message":{},"resend":"{}","http_status":null}}}}"#,
            Value::from(message),
            resend.as_str(),
        );
        Failure(Arc::new(astat_error {
            code,
            kind: kind.into(),
            message: message.into(),
            http_status: 0,
            resend,
            attempts: 0,
            request_id: None.into(),
            operation: None.into(),
            exception_type: None.into(),
            exception_message: None.into(),
            body: None.into(),
            causes: Vec::new(),
            last_status: None,
            json: json.as_str().into(),
        }))
    }
}

fn causes(error: &Error) -> Vec<Text> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source())
        .take(MOST_CAUSES)
        .map(|cause| Text::from(cause.to_string().as_str()))
        .collect()
}

/// A chain that is longer is a circle.
const MOST_CAUSES: usize = 16;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message.as_str())
    }
}

impl From<Error> for Failure {
    /// An error of input or settings, before any call.
    fn from(error: Error) -> Self {
        Failure::new(&error, None)
    }
}
