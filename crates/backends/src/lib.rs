//! The parts of a client that are named by a text: the one list of them for the command line, C and Python.
//!
//! ```
//! let mut settings = activity_status::Settings::new();
//! settings.set("region", "in")?.set("api_key", "your-api-key")?.set("limiter", "process")?;
//! let client = activity_status_backends::builder(&settings)?.build()?;
//! # Ok::<(), activity_status::Error>(())
//! ```

use activity_status::plugin::{Limiter, LimiterError};
use activity_status::{ClientBuilder, Error, LimiterPlace, Settings};

/// A client builder with these settings. Setting `limiter`: `process`, `file:PATH` (feature `file`), `redis://…` (feature
/// `redis`) or `rediss://…` (feature `tls`).
///
/// # Errors
/// Those of [`Settings::builder_with`].
pub fn builder(settings: &Settings) -> Result<ClientBuilder, Error> {
    settings.builder_with(open)
}

/// The limiter that these settings name, by itself: to be shared by several clients, or to guard calls that are not this library's.
///
/// # Errors
/// Those of [`Settings::limiter_with`].
pub fn limiter(settings: &Settings) -> Result<Box<dyn Limiter>, Error> {
    settings.limiter_with(open)
}

/// The kinds of limiter that were built in besides `process`.
pub const LIMITERS: &[&str] = &[
    #[cfg(feature = "file")]
    "file",
    #[cfg(feature = "redis")]
    "redis",
    #[cfg(feature = "tls")]
    "rediss",
];

fn open(asked: &LimiterPlace<'_>) -> Result<Option<Box<dyn Limiter>>, LimiterError> {
    let trouble = |message: &str| LimiterError { message: message.to_owned(), source: None };
    Ok(match asked.scheme() {
        #[cfg(feature = "file")]
        "file" => {
            let path = &asked.place["file:".len()..];
            match path.chars().next() {
                None => {
                    return Err(trouble(
                        "the limiter file: names no file; give its whole path, such as file:/var/tmp/quota",
                    ));
                }
                Some('~') => {
                    return Err(trouble(
                        "the limiter file:~ is not understood here: write the whole path of the home folder",
                    ));
                }
                _ => {}
            }
            Some(Box::new(activity_status_limiter_file::FileLimiter::open(path, asked.rules)?))
        }
        #[cfg(feature = "redis")]
        "redis" | "rediss" => {
            let limiter =
                activity_status_limiter_redis::RedisLimiter::open(asked.place, asked.api_key, asked.rules)?;
            Some(match asked.away {
                Some(quota) => Box::new(limiter.while_away(quota)?),
                None => Box::new(limiter),
            })
        }
        _ => None,
    })
}
