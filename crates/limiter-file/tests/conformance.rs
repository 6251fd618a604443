//! The checks that every limiter goes through, in virtual and in real time.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, VirtualClock};
use activity_status::conformance::{LimiterSubject, Time, check_limiter};
use activity_status_limiter_file::FileLimiter;

const LONGEST_CALL: Duration = Duration::from_secs(2);

fn rules(quota: Quota) -> SlotRules {
    SlotRules::new(quota).unwrap().longest_call(LONGEST_CALL)
}

fn file(folder: &tempfile::TempDir, number: u32) -> PathBuf {
    folder.path().join(format!("{number}.quota"))
}

#[test]
fn in_virtual_time() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::new());
    let open = |number, quota| {
        Box::new(FileLimiter::open_on(file(&folder, number), rules(quota), clock.clone()).unwrap()) as _
    };
    let (time, window) = (Time::Virtual(clock.clone()), Duration::from_secs(5));
    check_limiter(&LimiterSubject { open: &open, time, window, longest_call: LONGEST_CALL }).unwrap();
}

#[test]
fn in_real_time() {
    let folder = tempfile::tempdir().unwrap();
    let open = |number, quota| Box::new(FileLimiter::open(file(&folder, number), rules(quota)).unwrap()) as _;
    let (time, window) = (Time::Real, Duration::from_millis(200));
    check_limiter(&LimiterSubject { open: &open, time, window, longest_call: LONGEST_CALL }).unwrap();
}
