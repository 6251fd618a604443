use std::fmt;
use std::sync::Arc;

use crate::Credentials;

/// Where the account's keys come from, if they may change while the program runs: a vault, a file that is rotated.
///
/// It is asked before each call, on the thread that makes it, so it keeps what it has fetched.
///
/// ```
/// use activity_status::plugin::{CredentialsError, CredentialsProvider};
/// use activity_status::{Client, Credentials, Endpoint};
/// use std::sync::{Arc, Mutex};
///
/// struct Rotating(Mutex<Option<Arc<Credentials>>>);
///
/// impl CredentialsProvider for Rotating {
///     fn credentials(&self) -> Result<Arc<Credentials>, CredentialsError> {
///         let mut kept = self.0.lock().expect("nothing panics here");
///         if let Some(keys) = &*kept {
///             return Ok(keys.clone());
///         }
///         let fetched = "the-key-of-today"; // from the vault
///         let wrong = |error: activity_status::Error| CredentialsError { message: error.to_string(), source: None };
///         Ok(kept.insert(Arc::new(Credentials::new(fetched).map_err(wrong)?)).clone())
///     }
///
///     fn refused(&self, _http_status: u16) {
///         *self.0.lock().expect("nothing panics here") = None;
///     }
/// }
///
/// let first = Credentials::new("the-key-of-today")?;
/// let client = Client::builder(Endpoint::INDIA, first).credentials_provider(Rotating(Mutex::default())).build()?;
/// # Ok::<(), activity_status::Error>(())
/// ```
pub trait CredentialsProvider: Send + Sync {
    /// The keys for a call that is about to be made.
    ///
    /// # Errors
    /// [`CredentialsError`] if there are none at this moment. The call is then not sent.
    fn credentials(&self) -> Result<Arc<Credentials>, CredentialsError>;

    /// The vendor did not accept the present keys (401 or 403). If [`credentials`](CredentialsProvider::credentials) gives
    /// others after this, the call goes out once more with them.
    fn refused(&self, _http_status: u16) {}
}

impl CredentialsProvider for Arc<Credentials> {
    fn credentials(&self) -> Result<Arc<Credentials>, CredentialsError> {
        Ok(self.clone())
    }
}

/// There are no keys.
#[derive(Debug)]
pub struct CredentialsError {
    /// What happened and what to do, in a sentence without a full stop. It must hold no key.
    pub message: String,
    /// What caused it, if that is an error of its own.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CredentialsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
