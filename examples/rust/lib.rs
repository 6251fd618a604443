//! Example programs: `cargo run -p activity-status-examples --example status -- ID`. The same ones are there in C, C++ and
//! Python, in the folders beside this one.
//!
//! Each takes the account from the environment: `ACTIVITY_STATUS_API_KEY`, and so on.

use activity_status::{Client, Error, ErrorKind, Settings};

/// A client of the account that the environment names.
///
/// # Errors
/// Kind `config` if something is missing there.
pub fn client_from_environment() -> Result<Client, Error> {
    activity_status_backends::builder(&settings_from_environment()?)?.build()
}

/// The account that the environment names, and who shares its quota.
///
/// # Errors
/// None: what is missing is found when a client is built.
pub fn settings_from_environment() -> Result<Settings, Error> {
    let mut settings = Settings::new();
    for key in ["region", "base_url", "api_key", "access_key", "secret_key", "limiter"] {
        if let Ok(value) = std::env::var(format!("ACTIVITY_STATUS_{}", key.to_uppercase())) {
            settings.set(key, &value)?;
        }
    }
    Ok(settings)
}

/// The exit code that tells a script how it went: 2 for bad input, 3 for the deadline, 4 for the vendor or the network.
pub fn exit_code(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Config => 2,
        ErrorKind::Deadline => 3,
        ErrorKind::Interrupted => 130,
        _ => 4,
    }
}
