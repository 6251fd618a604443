//! One question of a tracker's.

use std::ffi::c_void;

use activity_status::plugin::{Delivery, Failure as Why, Head, Response, TransportError};
use activity_status::{Look, RequestId};
use zeroize::Zeroizing;

use crate::client::{astat_pair, ns};
use crate::code::{ASTAT_E_INTERRUPTED, ASTAT_E_MALFORMED, ASTAT_E_TIMED_OUT, ASTAT_E_TRANSPORT, astat_code};
use crate::error::{Failure, astat_error};
use crate::text::{Text, astat_str};
use crate::{guard, handle, plug};

/// One question that a tracker wants asked, with the limiter's leave to ask it now.
///
/// Either let the client send it (astat_look_send, on a thread that may block); or ask with a client of your own: a GET
/// of astat_look_url with every header, and astat_look_answered or astat_look_failed in the end. Both tell the
/// tracker, which takes it in with its next step, and both use the look up. One thread at a time, and any thread.
pub struct astat_look {
    look: Look,
    request_id: Text,
    url: Text,
    headers: Vec<(Text, Zeroizing<Text>)>,
}

/// Certainly not: no byte of the question was handed to the network. The call does not count.
pub const ASTAT_DELIVERY_NOT_SENT: i32 = 1;
/// Not all of it: it may have been counted by its beginning.
pub const ASTAT_DELIVERY_PARTLY: i32 = 2;
/// It may have arrived.
pub const ASTAT_DELIVERY_IN_DOUBT: i32 = 3;

/// Drops a question. Unless it was used up, it has failed: it may have been sent, for all the limiter knows, and is
/// asked again later. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_free(look: *mut astat_look) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release_owned(look) });
}

/// The job that is asked about. No text if the question is how long the operation's queue is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_request_id(look: *const astat_look) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(look, astat_str::NONE, |it| it.request_id.view()) }
}

/// The URL to get. It holds no key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_url(look: *const astat_look) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(look, astat_str::NONE, |it| it.url.view()) }
}

/// How many headers to send. Redirects must not be followed: they would carry the API key to another host.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_header_count(look: *const astat_look) -> usize {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(look, 0, |it| it.headers.len()) }
}

/// The name of a header, in lower case, by its number from 0. No text beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_header_name(look: *const astat_look, index: usize) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(look, astat_str::NONE, |it| nth(&it.headers, index, |(name, _)| name.view())) }
}

/// The value of a header, by its number from 0: for one of them, the API key. It is wiped from memory with the look. No
/// text beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_header_value(look: *const astat_look, index: usize) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(look, astat_str::NONE, |it| nth(&it.headers, index, |(_, value)| value.view())) }
}

/// How long the exchange may take from now at the most, in nanoseconds. 0 if its time is over: it has failed then. 0 if
/// look is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_time_left_ns(look: *const astat_look) -> u64 {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(look, 0, |it| ns(it.look.time_left())) }
}

/// Asks by the client's own transport, and tells the tracker. It blocks until there is an answer, or the call's time is
/// over, and does not fail by what the vendor answers: the tracker's next step tells that.
///
/// The look is used up, whatever is returned.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_send(look: *mut astat_look, err: *mut *mut astat_error) -> astat_code {
    // SAFETY: the caller owns the look, and gives it up.
    unsafe {
        guard::change(err, || {
            let look = handle::take(look, "look")?;
            plug::outside()?;
            look.look.send();
            Ok(())
        })
    }
}

/// The head of the answer has just arrived at a client of your own. Optional: the quota's slot is free the sooner for
/// it. The look goes on, and astat_look_answered gets the head once more.
///
/// http_status and headers are as they came; a header that is not UTF-8 is left out. ASTAT_E_ARGUMENT for an
/// http_status outside 100 to 999.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_head_arrived(
    look: *mut astat_look,
    http_status: i32,
    headers: *const astat_pair,
    header_count: usize,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and texts.
    unsafe {
        guard::change(err, || {
            plug::outside()?;
            let look = handle::lend_mut(look, "look")?;
            look.look.head_arrived(&head(http_status, headers, header_count)?);
            Ok(())
        })
    }
}

/// The whole answer has arrived at a client of your own, whatever its status: tells the tracker.
///
/// http_status and headers are as they came; a header that is not UTF-8 is left out. body is body_len bytes, all of
/// them, without a transfer coding; the library copies them. ASTAT_E_ARGUMENT for an http_status outside 100 to 999:
/// the question then counts as dropped.
///
/// The look is used up, whatever is returned.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_answered(
    look: *mut astat_look,
    http_status: i32,
    headers: *const astat_pair,
    header_count: usize,
    body: *const c_void,
    body_len: usize,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller owns the look, and gives it up, and keeps the header's rules for texts.
    unsafe {
        guard::change(err, || {
            let look = handle::take(look, "look")?;
            plug::outside()?;
            let head = head(http_status, headers, header_count)?;
            look.look.answered(Response { head, body: bytes(body, body_len)?.to_vec() });
            Ok(())
        })
    }
}

/// No whole answer came to a client of your own: tells the tracker, which asks again later.
///
/// delivery is one of ASTAT_DELIVERY_*; say ASTAT_DELIVERY_NOT_SENT only if that is certain. why is
/// ASTAT_E_TRANSPORT (no connection, or it broke), ASTAT_E_TIMED_OUT, ASTAT_E_MALFORMED (cut off, too large, not HTTP),
/// or ASTAT_E_INTERRUPTED. message is a phrase without a full stop, for people; it must hold no URL and no key. ASTAT_E_ARGUMENT for
/// another delivery or why: the question then counts as dropped.
///
/// The look is used up, whatever is returned.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_look_failed(
    look: *mut astat_look,
    delivery: i32,
    why: astat_code,
    message: astat_str,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller owns the look, and gives it up, and keeps the header's rules for texts.
    unsafe {
        guard::change(err, || {
            let look = handle::take(look, "look")?;
            plug::outside()?;
            let wrong = || Failure::argument(&format!("delivery is {delivery}, which is none"));
            let delivery = self::delivery(delivery).ok_or_else(wrong)?;
            let failure = match why {
                ASTAT_E_TRANSPORT => Why::Connection,
                ASTAT_E_TIMED_OUT => Why::TimedOut,
                ASTAT_E_MALFORMED => Why::Malformed,
                ASTAT_E_INTERRUPTED => Why::Interrupted,
                _ => return Err(Failure::argument(&format!("why is {why}, which no look fails with"))),
            };
            let message = message.read("message")?.to_owned();
            look.look.failed(TransportError { delivery, failure, message, source: None });
            Ok(())
        })
    }
}

impl From<Look> for astat_look {
    fn from(look: Look) -> Self {
        let url = look.url().as_str().into();
        let header = |name: &str, value: &str| (name.into(), Zeroizing::new(value.into()));
        let headers = look.headers().iter().map(|it| header(it.name, it.value)).collect();
        astat_look { request_id: look.request_id().map(RequestId::as_str).into(), url, headers, look }
    }
}

/// One of a list, or no text beyond the last.
pub(crate) fn nth<T>(list: &[T], index: usize, text: impl FnOnce(&T) -> astat_str) -> astat_str {
    list.get(index).map_or(astat_str::NONE, text)
}

/// What one of ASTAT_DELIVERY_* says.
pub(crate) fn delivery(number: i32) -> Option<Delivery> {
    match number {
        ASTAT_DELIVERY_NOT_SENT => Some(Delivery::NotSent),
        ASTAT_DELIVERY_PARTLY => Some(Delivery::Partly),
        ASTAT_DELIVERY_IN_DOUBT => Some(Delivery::InDoubt),
        _ => None,
    }
}

/// The head of an answer.
///
/// # Safety
/// As [`astat_pair::list`], and the texts are there.
unsafe fn head(http_status: i32, headers: *const astat_pair, count: usize) -> Result<Head, Failure> {
    let status = u16::try_from(http_status).ok().filter(|status| (100..1000).contains(status));
    let status =
        status.ok_or_else(|| Failure::argument(&format!("http_status is {http_status}, which is none")))?;
    // SAFETY: the caller's promise is ours.
    let text = |pair: &astat_pair| unsafe {
        let (name, value) = (pair.name.read("name").ok()?, pair.value.read("value").ok()?);
        Some((name.to_ascii_lowercase(), value.to_owned()))
    };
    // SAFETY: as above.
    let pairs = unsafe { astat_pair::list(headers, count, "headers") }?;
    Ok(Head { status, headers: pairs.iter().filter_map(text).collect() })
}

/// # Safety
/// `ptr` points to `len` bytes that stay as they are for as long as the call lasts.
pub(crate) unsafe fn bytes<'a>(ptr: *const c_void, len: usize) -> Result<&'a [u8], Failure> {
    match (ptr.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Failure::argument("body is NULL, but its length is not 0")),
        (_, len) if len > isize::MAX as usize => Err(Failure::argument("body is longer than memory")),
        // SAFETY: it is not NULL, points to `len` bytes, and `len` is in bounds.
        _ => Ok(unsafe { std::slice::from_raw_parts(ptr.cast::<u8>(), len) }),
    }
}
