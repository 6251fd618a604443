//! One quota for all processes of a machine, kept in a file.

use std::path::Path;

use activity_status::builtin::SlotRules;
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};

/// The limiter for all processes of one machine.
pub struct FileLimiter {}

impl FileLimiter {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`LimiterError`] if that cannot be done.
    pub fn open(path: impl AsRef<Path>, rules: SlotRules) -> Result<Self, LimiterError> {
        let _ = (path, rules);
        Err(LimiterError { message: "not there yet".to_owned(), source: None })
    }
}

impl Limiter for FileLimiter {
    fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
        Err(LimiterError { message: "not there yet".to_owned(), source: None })
    }

    fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        Ok(())
    }
}
