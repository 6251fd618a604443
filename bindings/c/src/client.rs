//! The client and its four calls.

use std::mem::{offset_of, size_of};
use std::time::Duration;

use activity_status::{Client, Job, Operation, Order, RequestId, Submission, WaitOptions};

use crate::cancel::astat_cancel;
use crate::code::astat_code;
use crate::config::astat_config;
use crate::error::{Failure, astat_error};
use crate::limiter::astat_snapshot;
use crate::metrics::astat_metrics;
use crate::options::{self, Options};
use crate::status::astat_status;
use crate::submitted::astat_submitted;
use crate::text::astat_str;
use crate::{guard, handle, plug};

/// Submits jobs and asks how they went, inside the quota. All threads may use it at once: its calls block the thread
/// they are made in, and draw on one quota.
pub struct astat_client {
    pub(crate) client: Client,
    pub(crate) operations: Operations,
}

/// A time in nanoseconds that is not given: the default.
pub const ASTAT_NS_NONE: u64 = u64::MAX;

/// A name and a value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_pair {
    /// The name.
    pub name: astat_str,
    /// The value.
    pub value: astat_str,
}

/// What two operations add to the address of a submit. Begin with ASTAT_SUBMIT_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_submit_options {
    /// sizeof(astat_submit_options): tells the library which members the program knows.
    pub struct_size: usize,
    /// Parameters of the query string, such as the leadId of "lead.update". The library escapes them.
    pub query: *const astat_pair,
    /// How many.
    pub query_count: usize,
    /// A last segment of the path: the key of the connector for "telephony.logcall". It is treated as a secret.
    pub path_tail: astat_str,
    /// How long the call may take with all its waits and attempts, in nanoseconds: no more than the call_deadline
    /// setting, and that if it is ASTAT_NS_NONE.
    pub deadline_ns: u64,
    /// Ends the call when it is triggered. NULL: nothing does.
    pub cancel: *const astat_cancel,
}

/// What ends a call. Begin with ASTAT_CALL_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_call_options {
    /// sizeof(astat_call_options): tells the library which members the program knows.
    pub struct_size: usize,
    /// How long the call may take with all its waits and attempts, in nanoseconds: no more than the call_deadline
    /// setting, and that if it is ASTAT_NS_NONE.
    pub deadline_ns: u64,
    /// Ends the call when it is triggered. NULL: nothing does.
    pub cancel: *const astat_cancel,
}

/// How long to wait for jobs, and how to ask about them. Begin with ASTAT_WAIT_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_wait_options {
    /// sizeof(astat_wait_options): tells the library which members the program knows.
    pub struct_size: usize,
    /// How long the whole wait may take, in nanoseconds. ASTAT_NS_NONE is an hour.
    pub deadline_ns: u64,
    /// How much waiting one call must be expected to end, in nanoseconds: more is fewer calls and later news.
    /// ASTAT_NS_NONE is 5 ms, which uses what the quota has; an hour is the most.
    pub price_ns: u64,
    /// What the order of the jobs means: ASTAT_ORDER_SUBMITTED or ASTAT_ORDER_UNKNOWN.
    pub order: i32,
    /// 0.
    pub reserved: i32,
    /// Ends the wait when it is triggered. NULL: nothing does. The library keeps what it needs of it.
    pub cancel: *const astat_cancel,
}

/// The jobs were submitted in the order in which they are given, more or less: those asked about are the few that can
/// have settled.
pub const ASTAT_ORDER_SUBMITTED: i32 = 1;
/// Nobody knows in which order they were submitted: each is asked about in its turn.
pub const ASTAT_ORDER_UNKNOWN: i32 = 2;

/// Makes a client of a configuration, which it copies. No connection is made yet.
///
/// *out is the client; free it with astat_client_free. ASTAT_E_CONFIG for a setting that is missing or makes no sense.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_client_new(
    config: *const astat_config,
    out: *mut *mut astat_client,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and out parameters.
    unsafe {
        guard::call(out, err, || {
            let config = handle::lend(config, "config")?;
            plug::outside()?;
            Ok(astat_client {
                client: config.builder()?.build()?,
                operations: Operations(config.operations.clone()),
            })
        })
    }
}

/// Makes the caller an owner of the client once more, for another thread say: each owner frees it once. It returns
/// the same handle, and NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_client_ref(client: *const astat_client) -> *mut astat_client {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(client) })
}

/// Ends one ownership of a client; with the last, its connections close and its keys are wiped from memory. No call
/// of this owner may be running. NULL is nothing to do. Statuses and errors live on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_client_free(client: *mut astat_client) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(client) });
}

/// Sends one job.
///
/// operation is a name such as "activity.create" (see the top of this header); body is a JSON object or array, sent
/// byte for byte; options may be NULL. *out holds the id that the vendor gave the job; free it with
/// astat_submitted_free.
///
/// It blocks for the call_deadline setting at the most. ASTAT_E_CONFIG, with nothing sent, for a body that is not JSON
/// or keys that are missing. ASTAT_E_IN_DOUBT if it was sent and no answer came: look in the CRM before you send it
/// again, for it may then be created twice. For any other failure, astat_error_resend tells whether it may be repeated.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_client_submit(
    client: *const astat_client,
    operation: astat_str,
    body: astat_str,
    options: *const astat_submit_options,
    out: *mut *mut astat_submitted,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts, options and out parameters.
    unsafe {
        guard::call(out, err, || {
            let client = lend(client)?;
            let operation = client.operations.named(operation)?;
            let options = options::read(options)?;
            let submission = options.applied(Submission::from(body.read("body")?))?;
            let submitted =
                client.bounded(options.deadline_ns, options.cancel).submit(&operation, submission);
            submitted.map(astat_submitted::from).map_err(|error| Failure::of(&error, &operation))
        })
    }
}

/// Asks once how a job stands.
///
/// *out is the answer, whatever it says: pending and failed are answers too. Free it with astat_status_free. options may
/// be NULL.
///
/// It blocks for the call_deadline setting at the most, waiting for the quota and repeating what failed for a while.
/// It fails with any code but ASTAT_E_IN_DOUBT and ASTAT_E_LEDGER.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_client_status(
    client: *const astat_client,
    operation: astat_str,
    request_id: astat_str,
    options: *const astat_call_options,
    out: *mut *mut astat_status,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts, options and out parameters.
    unsafe {
        guard::call(out, err, || {
            let client = lend(client)?;
            let operation = client.operations.named(operation)?;
            let id = RequestId::new(request_id.read("request_id")?)?;
            let options = options::read(options)?;
            let status = client.bounded(options.deadline_ns, options.cancel).status(&operation, &id);
            status
                .map(|status| astat_status::new(status, operation.name()))
                .map_err(|error| Failure::of(&error, &operation))
        })
    }
}

/// Asks until a job is settled: succeeded or failed.
///
/// options may be NULL. *out is the settled status; free it with astat_status_free.
///
/// It blocks until then, or until the deadline. A question that fails for a while loses nothing. ASTAT_E_DEADLINE if
/// the job was not settled in time: astat_error_last_status is how it stood, and the job goes on at the vendor's.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_client_wait(
    client: *const astat_client,
    operation: astat_str,
    request_id: astat_str,
    options: *const astat_wait_options,
    out: *mut *mut astat_status,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts, options and out parameters.
    unsafe {
        guard::call(out, err, || {
            let client = lend(client)?;
            let operation = client.operations.named(operation)?;
            let id = RequestId::new(request_id.read("request_id")?)?;
            let options = options::read(options)?;
            let status =
                client.bounded(ASTAT_NS_NONE, options.cancel).wait(&operation, &id, &options.given()?);
            status
                .map(|status| astat_status::new(status, operation.name()))
                .map_err(|error| Failure::of(&error, &operation))
        })
    }
}

/// Asks how long the queue of an operation is.
///
/// *out is the answer; free it with astat_metrics_free. options may be NULL. It blocks and fails as astat_client_status
/// does.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_client_metrics(
    client: *const astat_client,
    operation: astat_str,
    options: *const astat_call_options,
    out: *mut *mut astat_metrics,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, texts, options and out parameters.
    unsafe {
        guard::call(out, err, || {
            let client = lend(client)?;
            let operation = client.operations.named(operation)?;
            let options = options::read(options)?;
            let metrics = client.bounded(options.deadline_ns, options.cancel).metrics(&operation);
            metrics.map(astat_metrics::from).map_err(|error| Failure::of(&error, &operation))
        })
    }
}

/// How the quota stands, for all who share this client's limiter.
///
/// *out begins with ASTAT_SNAPSHOT_INIT, and is filled on success alone. Its numbers are ASTAT_NONE, and its time is
/// ASTAT_NS_NONE, if a limiter of your own does not say. It blocks only as long as the limiter needs: a moment, but for
/// one on a server. ASTAT_E_LIMITER if it cannot tell.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_client_snapshot(
    client: *const astat_client,
    out: *mut astat_snapshot,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles, structs and out parameters.
    unsafe {
        guard::change(err, || {
            let client = lend(client)?;
            options::room(out)?;
            options::fill(out, &client.client.snapshot()?.into());
            Ok(())
        })
    }
}

impl astat_client {
    /// The client, with what ends one call or wait.
    ///
    /// # Safety
    /// `cancel` is NULL or not freed before the call ends.
    pub(crate) unsafe fn bounded(&self, deadline_ns: u64, cancel: *const astat_cancel) -> Client {
        let mut client = self.client.clone();
        if let Some(deadline) = time(deadline_ns) {
            client = client.with_call_deadline(deadline);
        }
        // SAFETY: the caller's promise is ours.
        match unsafe { cancel.as_ref() } {
            Some(cancel) => client.with_canceller(&cancel.canceller),
            None => client,
        }
    }
}

/// A time that is given: as long as can be said, 584 years, if it is longer.
pub(crate) fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(ASTAT_NS_NONE - 1)
}

/// A time that C gives, unless it is ASTAT_NS_NONE.
pub(crate) fn time(ns: u64) -> Option<Duration> {
    (ns != ASTAT_NS_NONE).then(|| Duration::from_nanos(ns))
}

/// Borrows a client for a call that may block.
///
/// # Safety
/// As [`handle::lend`].
pub(crate) unsafe fn lend<'a>(client: *const astat_client) -> Result<&'a astat_client, Failure> {
    plug::outside()?;
    // SAFETY: the caller's promise is ours.
    unsafe { handle::lend(client, "client") }
}

/// Those of the configuration; a later one replaces an earlier or a known one of the same name.
#[derive(Clone, Default)]
pub(crate) struct Operations(Vec<Operation>);

impl Operations {
    /// The operation of this name.
    ///
    /// # Safety
    /// As [`astat_str::read`].
    unsafe fn named(&self, name: astat_str) -> Result<Operation, Failure> {
        // SAFETY: the caller's promise is ours.
        let name = unsafe { name.read("operation") }?;
        match self.0.iter().rfind(|it| it.name() == name) {
            Some(own) => Ok(own.clone()),
            None => Ok(name.parse()?),
        }
    }

    /// The job of these names.
    ///
    /// # Safety
    /// As [`astat_str::read`].
    pub(crate) unsafe fn job(
        &self,
        operation: astat_str,
        request_id: astat_str,
        submitted_at_unix_ns: u64,
    ) -> Result<Job, Failure> {
        // SAFETY: the caller's promise is ours.
        let (operation, id) = unsafe { (self.named(operation)?, request_id.read("request_id")?) };
        let job = Job::new(operation, RequestId::new(id)?);
        Ok(match time(submitted_at_unix_ns) {
            Some(since_epoch) => job.submitted_at(since_epoch),
            None => job,
        })
    }
}

impl astat_pair {
    /// The pairs that C gives as an array.
    ///
    /// # Safety
    /// `pairs` points to `count` pairs that stay as they are for as long as the call lasts.
    pub(crate) unsafe fn list<'a>(
        pairs: *const astat_pair,
        count: usize,
        name: &str,
    ) -> Result<&'a [astat_pair], Failure> {
        match (pairs.is_null(), count) {
            (_, 0) => Ok(&[]),
            (true, _) => Err(Failure::argument(&format!("{name} is NULL, but their number is not 0"))),
            (_, count) if count > isize::MAX as usize / size_of::<Self>() => {
                Err(Failure::argument(&format!("{name} are more than memory holds")))
            }
            // SAFETY: it is not NULL, the caller says that there are so many, and their size is in bounds.
            _ => Ok(unsafe { std::slice::from_raw_parts(pairs, count) }),
        }
    }
}

impl astat_submit_options {
    /// # Safety
    /// The pairs are there, and the texts too.
    unsafe fn applied<'a>(&self, mut submission: Submission<'a>) -> Result<Submission<'a>, Failure> {
        // SAFETY: the caller says that the pairs and the texts are there.
        unsafe {
            for pair in astat_pair::list(self.query, self.query_count, "query")? {
                submission = submission.query(pair.name.read("query name")?, pair.value.read("query value")?);
            }
            if let Some(tail) = self.path_tail.read_if_any("path_tail")? {
                submission = submission.path_tail(tail);
            }
        }
        Ok(submission)
    }
}

// SAFETY: `repr(C)`, the size first, and all else pointers and numbers.
unsafe impl Options for astat_submit_options {
    const NAME: &'static str = "astat_submit_options";
    // A list and its length count as one member: neither means anything alone.
    const ENDS: &'static [usize] = &[
        offset_of!(Self, path_tail),
        offset_of!(Self, deadline_ns),
        offset_of!(Self, cancel),
        size_of::<Self>(),
    ];
    const DEFAULT: Self = astat_submit_options {
        struct_size: size_of::<Self>(),
        query: std::ptr::null(),
        query_count: 0,
        path_tail: astat_str::NONE,
        deadline_ns: ASTAT_NS_NONE,
        cancel: std::ptr::null(),
    };
}

// SAFETY: `repr(C)`, the size first, and all else pointers and numbers.
unsafe impl Options for astat_call_options {
    const NAME: &'static str = "astat_call_options";
    const ENDS: &'static [usize] = &[offset_of!(Self, cancel), size_of::<Self>()];
    const DEFAULT: Self = astat_call_options {
        struct_size: size_of::<Self>(),
        deadline_ns: ASTAT_NS_NONE,
        cancel: std::ptr::null(),
    };
}

impl astat_wait_options {
    pub(crate) fn given(&self) -> Result<WaitOptions, Failure> {
        let wrong = |what: &str| Err(Failure::argument(&format!("astat_wait_options: {what}")));
        let order = match (self.order, self.reserved) {
            (_, reserved) if reserved != 0 => return wrong("reserved is not 0"),
            (ASTAT_ORDER_SUBMITTED, _) => Order::Submitted,
            (ASTAT_ORDER_UNKNOWN, _) => Order::Unknown,
            (order, _) => return wrong(&format!("order is {order}, which is none")),
        };
        let mut options = WaitOptions::new().order(order);
        if let Some(deadline) = time(self.deadline_ns) {
            options = options.deadline(deadline);
        }
        if let Some(price) = time(self.price_ns) {
            options = options.price(price);
        }
        Ok(options)
    }
}

// SAFETY: `repr(C)`, the size first, and all else pointers and numbers.
unsafe impl Options for astat_wait_options {
    const NAME: &'static str = "astat_wait_options";
    // `order` and `reserved` share one word, and count as one member.
    const ENDS: &'static [usize] =
        &[offset_of!(Self, price_ns), offset_of!(Self, order), offset_of!(Self, cancel), size_of::<Self>()];
    const DEFAULT: Self = astat_wait_options {
        struct_size: size_of::<Self>(),
        deadline_ns: ASTAT_NS_NONE,
        price_ns: ASTAT_NS_NONE,
        order: ASTAT_ORDER_SUBMITTED,
        reserved: 0,
        cancel: std::ptr::null(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{ASTAT_E_DEADLINE, ASTAT_E_IN_DOUBT, ASTAT_E_PANIC, ASTAT_OK};
    use crate::{error, status, submitted};
    use activity_status::builtin::VirtualClock;
    use activity_status::plugin::{Delivery, Failure as Why, Head, Request, Response, TransportError};
    use activity_status::{Credentials, Endpoint};
    use std::ptr::{null, null_mut};

    /// A client whose calls are answered by `answer`, under virtual time.
    fn client(
        answer: impl Fn() -> Result<&'static str, TransportError> + Send + Sync + 'static,
    ) -> *mut astat_client {
        let transport = move |_: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
            let body = answer()?;
            let head = Head { status: 200, headers: vec![] };
            on_head(&head);
            Ok(Response { head, body: body.as_bytes().to_vec() })
        };
        let keys = Credentials::new("k").and_then(|keys| keys.with_submit_keys("a", "s")).unwrap();
        let client = Client::builder(Endpoint::INDIA, keys).transport(transport).clock(VirtualClock::new());
        handle::give(astat_client { client: client.build().unwrap(), operations: Operations::default() })
    }

    fn text(text: &'static std::ffi::CStr) -> astat_str {
        text.into()
    }

    fn string(text: astat_str) -> String {
        // SAFETY: every text of these tests is alive where it is read.
        unsafe { text.read("text") }.ok().unwrap().to_owned()
    }

    #[test]
    fn a_panic_in_a_call_is_its_error_and_the_client_stays_usable() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let broken = AtomicBool::new(true);
        let client = client(move || {
            assert!(!broken.swap(false, Ordering::Relaxed), "a bug");
            Ok(r#"{"RequestId":"1","TaskStatus":{"Status":"Success"}}"#)
        });
        let (mut out, mut err) = (null_mut(), null_mut());
        // SAFETY: all handles are alive, and each is freed once.
        unsafe {
            let ask = |out, err| {
                astat_client_status(client, text(c"activity.create"), text(c"1"), null(), out, err)
            };
            assert_eq!(ask(&mut out, &mut err), ASTAT_E_PANIC);
            assert!(out.is_null());
            assert_eq!(string(error::astat_error_kind(err)), "panic");
            let message = string(error::astat_error_message(err));
            assert!(message.starts_with("a bug in the library: a bug (") && message.contains("client.rs"));
            assert_eq!(error::astat_error_resend(err), error::ASTAT_RESEND_MAY_DUPLICATE);
            error::astat_error_free(err);
            assert_eq!(ask(&mut out, &mut err), ASTAT_OK);
            assert!(err.is_null());
            assert_eq!(string(status::astat_status_state(out)), "Success");
            status::astat_status_free(out);
            astat_client_free(client);
        }
    }

    #[test]
    fn a_submit_in_doubt_is_said_to_be() {
        let client = client(|| {
            Err(TransportError {
                delivery: Delivery::InDoubt,
                failure: Why::TimedOut,
                message: "no answer".to_owned(),
                source: None,
            })
        });
        let (mut out, mut err) = (null_mut(), null_mut());
        // SAFETY: all handles are alive, and each is freed once.
        unsafe {
            let code =
                astat_client_submit(client, text(c"lead.capture"), text(c"[{}]"), null(), &mut out, &mut err);
            assert_eq!(code, ASTAT_E_IN_DOUBT);
            assert!(out.is_null());
            assert_eq!(error::astat_error_code(err), code);
            assert_eq!(string(error::astat_error_kind(err)), "in_doubt");
            assert_eq!(error::astat_error_resend(err), error::ASTAT_RESEND_MAY_DUPLICATE);
            assert_eq!(string(error::astat_error_resend_name(err)), "may_duplicate");
            assert_eq!(error::astat_error_attempts(err), 1);
            assert_eq!(string(error::astat_error_operation(err)), "lead.capture");
            error::astat_error_free(err);
            submitted::astat_submitted_free(out);
            astat_client_free(client);
        }
    }

    #[test]
    fn wait_options_are_obeyed() {
        let looks = |price_ns, order| {
            let client = client(|| Ok(r#"{"RequestId":"1","TaskStatus":{"Status":"In-Queue"}}"#));
            let options = astat_wait_options {
                deadline_ns: 60_000_000_000,
                price_ns,
                order,
                ..astat_wait_options::DEFAULT
            };
            let (mut out, mut err) = (null_mut(), null_mut());
            // SAFETY: all handles are alive, and each is freed once.
            unsafe {
                let (operation, id) = (text(c"activity.create"), text(c"1"));
                let code = astat_client_wait(client, operation, id, &options, &mut out, &mut err);
                assert_eq!(code, ASTAT_E_DEADLINE);
                let last = error::astat_error_last_status(err);
                assert_eq!(status::astat_status_outcome(last), status::ASTAT_PENDING);
                let attempts = error::astat_error_attempts(err);
                error::astat_error_free(err);
                astat_client_free(client);
                attempts
            }
        };
        let usual = looks(ASTAT_NS_NONE, ASTAT_ORDER_SUBMITTED);
        assert_eq!(looks(5_000_000, ASTAT_ORDER_SUBMITTED), usual);
        let dear = looks(1_000_000_000, ASTAT_ORDER_SUBMITTED);
        assert!(dear > 1 && dear < usual / 2, "{dear} of {usual}");
        let in_turn = looks(ASTAT_NS_NONE, ASTAT_ORDER_UNKNOWN);
        assert!(in_turn > usual, "{in_turn}, and {usual} by the price");
        assert_eq!(looks(1_000_000_000, ASTAT_ORDER_UNKNOWN), in_turn);
    }
}
