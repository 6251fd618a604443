//! How long the vendor's queue is.

use activity_status::QueueMetrics;

use crate::client::{ASTAT_NS_NONE, ns};
use crate::text::{Text, astat_str};
use crate::{guard, handle};

/// How long the vendor's queue was. It never changes, outlives the client, and may be used by all threads.
pub struct astat_metrics {
    pending: u64,
    max_delay_ns: u64,
    rate_per_minute: f64,
    raw: Text,
}

/// A number that was not given.
pub const ASTAT_NONE: u64 = u64::MAX;

/// Makes the caller an owner of metrics once more: each owner frees it once. It returns the same handle, and NULL
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_metrics_ref(metrics: *const astat_metrics) -> *mut astat_metrics {
    // SAFETY: the caller keeps the handle alive.
    guard::quiet(std::ptr::null_mut(), || unsafe { handle::again(metrics) })
}

/// Ends one ownership of metrics; with the last, their text ends. NULL is nothing to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_metrics_free(metrics: *mut astat_metrics) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release(metrics) });
}

/// About how many jobs are queued. ASTAT_NONE if the vendor did not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_metrics_pending(metrics: *const astat_metrics) -> u64 {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(metrics, ASTAT_NONE, |it| it.pending) }
}

/// The longest that it takes to process all of the queue, in nanoseconds. ASTAT_NS_NONE if the vendor did not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_metrics_max_delay_ns(metrics: *const astat_metrics) -> u64 {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(metrics, ASTAT_NS_NONE, |it| it.max_delay_ns) }
}

/// Jobs a minute over the last ten minutes. Not a number (NaN) if the vendor did not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_metrics_rate_per_minute(metrics: *const astat_metrics) -> f64 {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(metrics, f64::NAN, |it| it.rate_per_minute) }
}

/// The whole answer, as it came.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_metrics_raw(metrics: *const astat_metrics) -> astat_str {
    // SAFETY: the caller keeps the handle alive.
    unsafe { guard::get(metrics, astat_str::NONE, |it| it.raw.view()) }
}

impl From<QueueMetrics> for astat_metrics {
    fn from(metrics: QueueMetrics) -> Self {
        astat_metrics {
            pending: metrics.pending().unwrap_or(ASTAT_NONE),
            max_delay_ns: metrics.max_delay().map_or(ASTAT_NS_NONE, ns),
            rate_per_minute: metrics.rate_per_minute().unwrap_or(f64::NAN),
            raw: metrics.raw().into(),
        }
    }
}
