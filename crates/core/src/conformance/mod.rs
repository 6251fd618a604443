//! Checks that a part of your own can be put through (feature `test-util`): the ones that ours go through.
//!
//! ```
//! use activity_status::builtin::{Quota, SlotRules, Slots, SystemClock, Timeouts, UreqTransport, VirtualClock};
//! use activity_status::conformance::{LimiterSubject, Time, check_clock, check_limiter, check_transport};
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//!
//! check_transport(&UreqTransport::new(Timeouts::default())?)?;
//! check_clock(&SystemClock::new())?;
//!
//! // Handles that are given the same number share one quota.
//! let shared: Mutex<HashMap<u32, Arc<Slots>>> = Mutex::default();
//! let open = |number, quota| {
//!     let rules = SlotRules::new(quota).unwrap();
//!     let handle = shared.lock().unwrap().entry(number).or_insert_with(|| Arc::new(Slots::with(rules))).clone();
//!     Box::new(handle) as _
//! };
//! check_limiter(&LimiterSubject {
//!     open: &open,
//!     time: Time::Virtual(Arc::new(VirtualClock::new())),
//!     window: std::time::Duration::from_secs(5),
//!     longest_call: std::time::Duration::from_secs(60),
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod limiter;
mod server;
mod transport;

use std::fmt;

pub use clock::{check_clock, check_clock_alone};
pub use limiter::{LimiterSubject, Time, check_limiter};
pub use transport::{check_transport, check_transport_without_heads};

/// A check that was not passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Which one.
    pub check: &'static str,
    /// What the part did.
    pub what: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

impl std::error::Error for Failed {}

/// Runs each of the checks, until one is not passed.
fn run<C>(checks: &[(&'static str, C)], run: impl Fn(&C) -> Result<(), String>) -> Result<(), Failed> {
    checks.iter().try_for_each(|(check, it)| run(it).map_err(|what| Failed { check, what }))
}
