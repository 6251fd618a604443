//! Another library in Rust, with a standard library of its own, that a program links beside ours.

/// Its panic stays within it.
#[unsafe(no_mangle)]
pub extern "C" fn other_catches_a_panic() -> i32 {
    i32::from(std::panic::catch_unwind(|| panic!("in the other library")).is_err())
}
