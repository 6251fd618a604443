//! How far a wait for many jobs is.

use std::mem::{offset_of, size_of};

use activity_status::Progress;
use activity_status::plugin::Eta;

use crate::client::{ASTAT_NS_NONE, ns};
use crate::code::astat_code;
use crate::error::{Failure, astat_error};
use crate::guard;
use crate::options::Options;

/// How far a wait for many jobs is. Begin with ASTAT_PROGRESS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct astat_progress {
    /// sizeof(astat_progress): tells the library which members the program knows.
    pub struct_size: usize,
    /// Jobs that were added.
    pub total: u64,
    /// Of these, the ones that are settled: succeeded or failed.
    pub settled: u64,
    /// Of the settled ones, those that failed.
    pub failed: u64,
    /// Jobs that ended with an error in place of a status: they cannot be followed, or the time ran out.
    pub errors: u64,
    /// Jobs that have not ended.
    pub open: u64,
    /// Jobs that settled in a second of late; 0 as long as fewer than two have.
    pub rate: f64,
    /// The likely time until all will be known, in nanoseconds. ASTAT_NS_NONE if nothing tells.
    pub remaining_ns: u64,
    /// One standard deviation of that, in nanoseconds. ASTAT_NS_NONE if nothing tells.
    pub uncertainty_ns: u64,
}

impl From<Progress> for astat_progress {
    fn from(progress: Progress) -> Self {
        astat_progress {
            struct_size: size_of::<Self>(),
            total: progress.total,
            settled: progress.settled,
            failed: progress.failed,
            errors: progress.errors,
            open: progress.open(),
            rate: progress.rate,
            remaining_ns: progress.eta.map_or(ASTAT_NS_NONE, |eta| ns(eta.remaining)),
            uncertainty_ns: progress.eta.map_or(ASTAT_NS_NONE, |eta| ns(eta.uncertainty)),
        }
    }
}

// SAFETY: `repr(C)`, the size first, and all else numbers.
unsafe impl Options for astat_progress {
    const NAME: &'static str = "astat_progress";
    const ENDS: &'static [usize] = &[
        offset_of!(Self, settled),
        offset_of!(Self, failed),
        offset_of!(Self, errors),
        offset_of!(Self, open),
        offset_of!(Self, rate),
        offset_of!(Self, remaining_ns),
        offset_of!(Self, uncertainty_ns),
        size_of::<Self>(),
    ];
    const DEFAULT: Self = astat_progress {
        struct_size: size_of::<Self>(),
        total: 0,
        settled: 0,
        failed: 0,
        errors: 0,
        open: 0,
        rate: 0.0,
        remaining_ns: ASTAT_NS_NONE,
        uncertainty_ns: ASTAT_NS_NONE,
    };
}

/// Tells when something will be known.
///
/// # Safety
/// All three are NULL or may be written.
pub(crate) unsafe fn tell_eta(
    remaining_ns: *mut u64,
    uncertainty_ns: *mut u64,
    err: *mut *mut astat_error,
    ask: impl FnOnce() -> Result<Option<Eta>, Failure>,
) -> astat_code {
    // SAFETY: the caller's promise is ours.
    unsafe {
        guard::put(remaining_ns, ASTAT_NS_NONE);
        guard::put(uncertainty_ns, ASTAT_NS_NONE);
        guard::change(err, || {
            guard::there(remaining_ns, "remaining_ns")?;
            guard::there(uncertainty_ns, "uncertainty_ns")?;
            if let Some(eta) = ask()? {
                guard::put(remaining_ns, ns(eta.remaining));
                guard::put(uncertainty_ns, ns(eta.uncertainty));
            }
            Ok(())
        })
    }
}
