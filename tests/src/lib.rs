//! What the tests across the crates share: the contract's vectors, a server that answers in whatever bytes a test
//! wants, and keys that are easy to find in a text.

mod raw_server;
mod vectors;
pub mod waiting;
pub mod world;

pub use raw_server::{Answer, RawServer, http};
pub use vectors::{Case, ExpectedError, ExpectedStatus, vectors};

use activity_status::builtin::Quota;
use activity_status::{Client, ClientBuilder, Credentials, Endpoint, RetryPolicy};
use std::path::PathBuf;
use std::time::Duration;

/// Keys that no other text holds, not even in part.
pub const API_KEY: &str = "k3yA-XqZw7Jv9TmPb2";
/// The same for the access key; its `$` and `/` look different in a URL.
pub const ACCESS_KEY: &str = "u$r/k3yB-LhRf4NcYd8";
/// The same for the secret key; its `&` and `+` look different in HTML and JSON.
pub const SECRET_KEY: &str = "k3yC&Gs+Wk6VxMtEa1";

/// All three keys.
pub fn credentials() -> Credentials {
    let keys = Credentials::new(API_KEY).and_then(|keys| keys.with_submit_keys(ACCESS_KEY, SECRET_KEY));
    keys.expect("they are valid")
}

/// A client of `base_url` that tries once and has quota enough.
pub fn impatient_client(base_url: &str) -> ClientBuilder {
    Client::builder(Endpoint::url(base_url).expect("a loopback URL"), credentials())
        .retry(RetryPolicy::none())
        .quota(Quota::new(10_000, Duration::from_secs(1)))
}

/// Does `text` hold a key, or a part of one that would help to guess it?
pub fn shows_a_key(text: &str) -> bool {
    [API_KEY, ACCESS_KEY, SECRET_KEY].iter().any(|key| {
        key.as_bytes().windows(8).any(|part| {
            let part = std::str::from_utf8(part).expect("keys are ASCII");
            text.contains(part)
        })
    })
}

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the tests lie in the repository")
}
