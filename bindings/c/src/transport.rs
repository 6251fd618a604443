//! A transport written in C.

use std::ffi::c_void;
use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use activity_status::plugin::{
    Delivery, Failure as Why, Head, Method, Request, Response, Transport, TransportError,
};
use zeroize::Zeroizing;

use crate::client::ns;
use crate::code::{
    ASTAT_E_CONFIG, ASTAT_E_INTERRUPTED, ASTAT_E_MALFORMED, ASTAT_E_TIMED_OUT, ASTAT_E_TRANSPORT, ASTAT_OK,
    astat_code,
};
use crate::config::astat_config;
use crate::error::astat_error;
use crate::guard;
use crate::look;
use crate::options::Options;
use crate::plug::{self, Plug, Table};
use crate::text::{Text, astat_str};

/// What a transport has to send. It lasts as long as that one call of send; any thread may read it meanwhile.
pub struct astat_request {
    method: Text,
    url: Zeroizing<Text>,
    headers: Vec<(Text, Zeroizing<Text>)>,
    body: Text,
    time_left_ns: u64,
    cancelled: *const AtomicBool,
}

/// What came back, as a transport tells it. It lasts as long as that one call of send. One thread at a time, and any
/// thread.
pub struct astat_reply<'a> {
    on_head: &'a mut (dyn FnMut(&Head) + 'a),
    new_connection: &'a AtomicBool,
    head: Head,
    head_bytes: usize,
    body: Vec<u8>,
    failure: Option<TransportError>,
}

/// A transport of your own: what sends the calls. Begin with ASTAT_TRANSPORT_OPS_INIT.
///
/// astat_conform_transport checks one. The library keeps the quota, decides what is sent again, and reads the answers.
///
/// Any thread may call any of these functions at any time, several at once. The library holds no lock while it calls
/// one. They must return: no longjmp, no C++ exception. They must not call a function that blocks on a client: it fails
/// with ASTAT_E_REENTRANT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_transport_ops {
    /// sizeof(astat_transport_ops): tells the library which members the program knows.
    pub struct_size: usize,
    /// Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
    /// to do.
    pub destroy: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Sends the request once and reads the whole answer. Required.
    ///
    /// Returns ASTAT_OK if one came, whatever its HTTP status: astat_reply_set_status, a header each by
    /// astat_reply_add_header, astat_reply_head_arrived at that moment, and the body by astat_reply_add_body. Otherwise
    /// ASTAT_E_TRANSPORT (no connection, or it broke), ASTAT_E_TIMED_OUT, ASTAT_E_MALFORMED (cut off, too large, not HTTP),
    /// ASTAT_E_CONFIG or ASTAT_E_INTERRUPTED, best by astat_reply_fail: it can say that nothing was sent; unless it does,
    /// the call is in doubt, and a submit is not sent again.
    ///
    /// It must not follow redirects, which would carry the keys to another host; nor send anything again; nor send
    /// headers that identify the caller besides those given; nor take longer than astat_request_time_left_ns.
    pub send: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            request: *const astat_request,
            reply: *mut astat_reply<'_>,
        ) -> i32,
    >,
}

/// Gives the clients of a configuration a transport of your own; the settings of time-outs then mean nothing. A later
/// one replaces it.
///
/// The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
/// all of its clients and their waits are freed or have another transport and the last call is over, and at once if this
/// function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
/// it not called.
///
/// ASTAT_E_ARGUMENT for an ops that is NULL or lacks send. With a proxy setting besides, astat_client_new fails with
/// ASTAT_E_CONFIG.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_set_transport(
    config: *mut astat_config,
    ops: *const astat_transport_ops,
    context: *mut c_void,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and structs.
    unsafe {
        plug::set(config, ops, context, err, |config, transport: Plug<astat_transport_ops>| {
            config.transport.replace(Arc::new(transport))
        })
    }
}

/// "GET" or "POST".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_request_method(request: *const astat_request) -> astat_str {
    // SAFETY: the caller uses it only while send runs.
    unsafe { guard::get(request, astat_str::NONE, |it| it.method.view()) }
}

/// The whole URL. It holds keys if the key_placement setting is query.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_request_url(request: *const astat_request) -> astat_str {
    // SAFETY: the caller uses it only while send runs.
    unsafe { guard::get(request, astat_str::NONE, |it| it.url.view()) }
}

/// How many headers to send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_request_header_count(request: *const astat_request) -> usize {
    // SAFETY: the caller uses it only while send runs.
    unsafe { guard::get(request, 0, |it| it.headers.len()) }
}

/// The name of a header, in lower case, by its number from 0. No text beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_request_header_name(request: *const astat_request, index: usize) -> astat_str {
    // SAFETY: the caller uses it only while send runs.
    unsafe {
        guard::get(request, astat_str::NONE, |it| look::nth(&it.headers, index, |(name, _)| name.view()))
    }
}

/// The value of a header, by its number from 0: for some of them, a key. It is wiped from memory after the call. No text
/// beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_request_header_value(
    request: *const astat_request,
    index: usize,
) -> astat_str {
    // SAFETY: the caller uses it only while send runs.
    unsafe {
        guard::get(request, astat_str::NONE, |it| look::nth(&it.headers, index, |(_, value)| value.view()))
    }
}

/// The body, to be sent byte for byte. No text if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_request_body(request: *const astat_request) -> astat_str {
    // SAFETY: the caller uses it only while send runs.
    unsafe { guard::get(request, astat_str::NONE, |it| it.body.view()) }
}

/// How long the whole exchange may take at the most, in nanoseconds from when send was called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_request_time_left_ns(request: *const astat_request) -> u64 {
    // SAFETY: the caller uses it only while send runs.
    unsafe { guard::get(request, 0, |it| it.time_left_ns) }
}

/// 1 as soon as the caller gives the call up (astat_cancel_trigger): a transport that can stop then, does, and returns
/// ASTAT_E_INTERRUPTED: a submit is then in doubt unless astat_reply_fail says that it was not sent. 0 until then, or if request is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_request_is_cancelled(request: *const astat_request) -> i32 {
    // SAFETY: the caller uses it only while send runs, and so long the flag is there.
    unsafe { guard::get(request, 0, |it| i32::from((*it.cancelled).load(Ordering::Relaxed))) }
}

/// A connection was made for this call. To be said before astat_reply_head_arrived: the time between the two is more
/// than a round trip then, from which a limiter learns. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_reply_new_connection(reply: *mut astat_reply<'_>) {
    // SAFETY: the caller uses it only while send runs, in one thread at a time.
    unsafe { tell(reply, |it| it.new_connection.store(true, Ordering::Relaxed)) }
}

/// Begins the head of the answer with its HTTP status. A later one, after 100 Continue say, replaces it and its headers.
/// NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_reply_set_status(reply: *mut astat_reply<'_>, http_status: i32) {
    // SAFETY: the caller uses it only while send runs, in one thread at a time.
    unsafe {
        tell(reply, |it| {
            let status = u16::try_from(http_status).unwrap_or_default();
            (it.head, it.head_bytes) = (Head { status, headers: Vec::new() }, 0);
        })
    }
}

/// Adds a header to the head of the answer. One that is not UTF-8 is left out; more than 1,000, or 64 KiB of them, make
/// the call fail as malformed. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_reply_add_header(
    reply: *mut astat_reply<'_>,
    name: astat_str,
    value: astat_str,
) {
    // SAFETY: the caller uses it only while send runs, in one thread at a time, and lends texts.
    unsafe {
        tell(reply, |it| {
            if let (Ok(name), Ok(value)) = (name.read("name"), value.read("value")) {
                it.head_bytes = it.head_bytes.saturating_add(name.len()).saturating_add(value.len());
                match it.head_bytes > LARGEST_HEAD || it.head.headers.len() == MOST_HEADERS {
                    true => it.is_too_large("the head of the answer is larger than 64 KiB"),
                    false => it.head.headers.push((name.to_ascii_lowercase(), value.to_owned())),
                }
            }
        })
    }
}

/// The head of the answer has just arrived. The quota's slot is free the sooner for it, and astat_conform_transport asks
/// for it. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_reply_head_arrived(reply: *mut astat_reply<'_>) {
    // SAFETY: the caller uses it only while send runs, in one thread at a time.
    unsafe {
        tell(reply, |it| {
            // What comes before the answer, such as 100 Continue, is none.
            if is_status(it.head.status) && it.head.status >= 200 {
                (it.on_head)(&it.head);
            }
        })
    }
}

/// Adds len bytes to the body of the answer, without a transfer coding. The library copies them.
///
/// ASTAT_E_MALFORMED once it is larger than any answer is (10 MiB), or astat_reply_fail was called: give up then, and
/// return it. ASTAT_E_ARGUMENT for
/// bytes that are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_reply_add_body(
    reply: *mut astat_reply<'_>,
    bytes: *const c_void,
    len: usize,
) -> astat_code {
    // SAFETY: the caller uses it only while send runs, in one thread at a time, and lends the bytes.
    unsafe {
        let (Some(reply), Ok(bytes)) = (reply.as_mut(), look::bytes(bytes, len)) else {
            return crate::code::ASTAT_E_ARGUMENT;
        };
        if reply.failure.is_some() || bytes.len() > LARGEST_BODY - reply.body.len().min(LARGEST_BODY) {
            reply.is_too_large("the answer is larger than 10 MiB");
            return ASTAT_E_MALFORMED;
        }
        guard::quiet((), || reply.body.extend_from_slice(bytes));
        ASTAT_OK
    }
}

/// Says why no whole answer came, and returns why, to be returned by send.
///
/// delivery is one of ASTAT_DELIVERY_*; say ASTAT_DELIVERY_NOT_SENT only if that is certain. why is one of those that
/// send returns. message is a phrase without a full stop, for people; it must hold no URL and no key; it is copied, and
/// what in it is not UTF-8 is replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_reply_fail(
    reply: *mut astat_reply<'_>,
    delivery: i32,
    why: astat_code,
    message: astat_str,
) -> astat_code {
    // SAFETY: the caller uses it only while send runs, in one thread at a time, and lends a text.
    unsafe {
        tell(reply, |it| {
            let delivery = look::delivery(delivery).unwrap_or(Delivery::InDoubt);
            let message = message.read_phrase();
            it.failure = Some(TransportError { delivery, failure: failure(why), message, source: None });
        });
    }
    why
}

/// # Safety
/// `reply` is NULL or alive, and no other thread uses it.
unsafe fn tell<'a>(reply: *mut astat_reply<'a>, what: impl FnOnce(&mut astat_reply<'a>)) {
    // SAFETY: the caller's promise is ours.
    if let Some(reply) = unsafe { reply.as_mut() } {
        guard::quiet((), || what(reply));
    }
}

/// More than any answer has.
const MOST_HEADERS: usize = 1000;
const LARGEST_HEAD: usize = 64 * 1024;
const LARGEST_BODY: usize = 10 * 1024 * 1024;

impl astat_reply<'_> {
    fn is_too_large(&mut self, message: &str) {
        self.failure.get_or_insert_with(|| TransportError {
            delivery: Delivery::InDoubt,
            failure: Why::Malformed,
            message: message.to_owned(),
            source: None,
        });
    }
}

fn is_status(status: u16) -> bool {
    (100..1000).contains(&status)
}

fn failure(why: astat_code) -> Why {
    match why {
        ASTAT_E_TIMED_OUT => Why::TimedOut,
        ASTAT_E_MALFORMED => Why::Malformed,
        ASTAT_E_CONFIG => Why::Config,
        ASTAT_E_INTERRUPTED => Why::Interrupted,
        _ => Why::Connection,
    }
}

impl Transport for Plug<astat_transport_ops> {
    fn send(
        &self,
        request: &Request<'_>,
        on_head: &mut dyn FnMut(&Head),
    ) -> Result<Response, TransportError> {
        let given = astat_request::from(request);
        let mut reply = astat_reply {
            on_head,
            new_connection: request.new_connection,
            head: Head::default(),
            head_bytes: 0,
            body: Vec::new(),
            failure: None,
        };
        let send = self.ops.send.expect("it is required");
        // SAFETY: the program says that its functions may be called so.
        let answer = self.call(|context| unsafe { send(context, &given, &mut reply) });
        let lost = |failure, message: String| TransportError {
            delivery: Delivery::InDoubt,
            failure,
            message,
            source: None,
        };
        match (answer, reply.failure) {
            (ASTAT_OK, None) if is_status(reply.head.status) => {
                Ok(Response { head: reply.head, body: reply.body })
            }
            (ASTAT_OK, None) => {
                Err(lost(Why::Malformed, "the program's transport gave no HTTP status".to_owned()))
            }
            (_, Some(mut said)) => {
                if said.message.is_empty() {
                    said.message = "the program's transport failed and did not say why".to_owned();
                }
                Err(said)
            }
            (answer, None) => {
                let known = [
                    ASTAT_E_TRANSPORT,
                    ASTAT_E_TIMED_OUT,
                    ASTAT_E_MALFORMED,
                    ASTAT_E_CONFIG,
                    ASTAT_E_INTERRUPTED,
                ];
                let code = if known.contains(&answer) { "" } else { ", which is no code of a transport," };
                let message =
                    format!("send of the program's transport returned {answer}{code} and did not say why");
                Err(lost(failure(answer), message))
            }
        }
    }
}

impl From<&Request<'_>> for astat_request {
    fn from(request: &Request<'_>) -> Self {
        let headers = request.headers.iter();
        astat_request {
            method: match request.method {
                Method::Get => "GET".into(),
                Method::Post => "POST".into(),
            },
            url: Zeroizing::new(request.url.into()),
            headers: headers.map(|it| (it.name.into(), Zeroizing::new(it.value.into()))).collect(),
            body: request.body.and_then(|body| std::str::from_utf8(body).ok()).into(),
            time_left_ns: ns(request.time_left),
            cancelled: Arc::as_ptr(request.cancelled),
        }
    }
}

// SAFETY: the flag outlives the call that the request is for, and is made for several threads.
unsafe impl Send for astat_request {}
// SAFETY: as above.
unsafe impl Sync for astat_request {}

// SAFETY: `repr(C)`, the size first, and all else pointers, of which any may be NULL.
unsafe impl Options for astat_transport_ops {
    const NAME: &'static str = "astat_transport_ops";
    const ENDS: &'static [usize] = &[size_of::<Self>()];
    const DEFAULT: Self = astat_transport_ops { struct_size: size_of::<Self>(), destroy: None, send: None };
}

// SAFETY: its second member is `destroy`.
unsafe impl Table for astat_transport_ops {
    fn missing(&self) -> Option<&'static str> {
        self.send.is_none().then_some("send")
    }
}
