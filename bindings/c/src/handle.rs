//! What C knows by a pointer, and who owns it.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use crate::batch::astat_batch;
use crate::cancel::astat_cancel;
use crate::client::astat_client;
use crate::clock::astat_virtual_clock;
use crate::config::astat_config;
use crate::ended::astat_ended;
use crate::error::{Failure, astat_error};
use crate::jobs::astat_jobs;
use crate::look::astat_look;
use crate::metrics::astat_metrics;
use crate::plug;
use crate::quota::astat_limiter;
use crate::status::astat_status;
use crate::submitted::astat_submitted;
use crate::tracker::astat_tracker;

/// A handle with any number of owners, each of which frees it once. It never changes, so all threads may use it.
pub(crate) trait Shared: Send + Sync {}

impl Shared for astat_client {}
impl Shared for astat_cancel {}
impl Shared for astat_limiter {}
impl Shared for astat_virtual_clock {}
impl Shared for astat_submitted {}
impl Shared for astat_status {}
impl Shared for astat_metrics {}
impl Shared for astat_error {}
impl Shared for astat_ended {}
impl Shared for astat_jobs {}

/// A handle with one owner, who may change it, from one thread at a time.
pub(crate) trait Owned: Send + Sync {}

impl Owned for astat_config {}
impl Owned for astat_batch {}
impl Owned for astat_tracker {}
impl Owned for astat_look {}

/// What is used by one thread at a time, and says so to a second one, or to a plug-in that runs for the first.
pub(crate) struct Turns<T>(Mutex<T>);

impl<T> Turns<T> {
    pub(crate) fn new(it: T) -> Self {
        Turns(Mutex::new(it))
    }

    /// Nobody ever waits for this lock.
    pub(crate) fn take(&self) -> Result<MutexGuard<'_, T>, Failure> {
        plug::outside()?;
        match self.0.try_lock() {
            Ok(it) => Ok(it),
            // A panic was told to whoever had the turn.
            Err(TryLockError::Poisoned(it)) => Ok(it.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::argument("another thread uses the handle; it is for one at a time"))
            }
        }
    }
}

/// Makes C an owner of a new shared handle.
pub(crate) fn give<T: Shared>(it: impl Into<Arc<T>>) -> *mut T {
    Arc::into_raw(it.into()).cast_mut()
}

/// Makes C an owner once more.
///
/// # Safety
/// `handle` is NULL or came from [`give`] and is not freed yet.
pub(crate) unsafe fn again<T: Shared>(handle: *const T) -> *mut T {
    if !handle.is_null() {
        // SAFETY: it came from an `Arc` that is alive.
        unsafe { Arc::increment_strong_count(handle) };
    }
    handle.cast_mut()
}

/// Ends one ownership.
///
/// # Safety
/// `handle` is NULL or came from [`give`] or [`again`], and this owner has not freed it yet.
pub(crate) unsafe fn release<T: Shared>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: it came from an `Arc`, and this ownership of it ends here.
        drop(unsafe { Arc::from_raw(handle) });
    }
}

/// Makes C the owner of a new handle.
pub(crate) fn give_owned<T: Owned>(it: T) -> *mut T {
    Box::into_raw(Box::new(it))
}

/// Makes an owned handle ours again.
///
/// # Safety
/// `handle` is NULL or came from [`give_owned`] and is not freed yet.
pub(crate) unsafe fn take<T: Owned>(handle: *mut T, name: &str) -> Result<Box<T>, Failure> {
    if handle.is_null() {
        return Err(Failure::argument(&format!("{name} is NULL")));
    }
    // SAFETY: it came from a `Box`, and nobody uses it any more.
    Ok(unsafe { Box::from_raw(handle) })
}

/// Ends an owned handle.
///
/// # Safety
/// `handle` is NULL or came from [`give_owned`] and is not freed yet.
pub(crate) unsafe fn release_owned<T: Owned>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: it came from a `Box`, and nobody uses it any more.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// Borrows a handle for a call that cannot do without it.
///
/// # Safety
/// `handle` is NULL or not freed before the call ends.
pub(crate) unsafe fn lend<'a, T>(handle: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: the caller's promise is ours.
    unsafe { handle.as_ref() }.ok_or_else(|| Failure::argument(&format!("{name} is NULL")))
}

/// Borrows an owned handle to change it.
///
/// # Safety
/// As [`lend`], and no other thread uses it meanwhile.
pub(crate) unsafe fn lend_mut<'a, T: Owned>(handle: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller's promise is ours.
    unsafe { handle.as_mut() }.ok_or_else(|| Failure::argument(&format!("{name} is NULL")))
}
