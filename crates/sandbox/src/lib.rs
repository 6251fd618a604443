//! A model of LeadSquared's Async API, the vendor, to try things on.
//!
//! The vendor has no test tenant and no test keys: every real call writes to somebody's data. Here is its queue
//! with workers and retries, its quota, its checks, its odd spellings, and whatever can go wrong on the way. What
//! becomes of a job is decided by markers in its text (see [`Fate`]). Three ways to use it:
//!
//! - [`Sandbox`]: a state machine; time is an argument, and the same seed and calls give the same history.
//! - [`SandboxTransport`]: that in place of the network, under any clock, a virtual one above all.
//! - [`Server`]: that on a loopback port, for every language.
//!
//! ```
//! use std::time::Duration;
//! use activity_status_sandbox::{Call, Sandbox, Settings};
//!
//! let mut sandbox = Sandbox::new(Settings::default());
//! let job = r#"{"RelatedProspectId": "a lead", "ActivityEvent": 201, "ActivityNote": "sandbox:fail"}"#;
//! let submit = Call::post("/activity/create", job)
//!     .header("x-api-key", "sandbox-api-key")
//!     .header("x-LSQ-AccessKey", "sandbox-access-key")
//!     .header("x-LSQ-SecretKey", "sandbox-secret-key");
//! let accepted = sandbox.handle(&submit, Duration::ZERO);
//! assert_eq!(accepted.status, 200);
//!
//! let id = sandbox.ids().next().unwrap();
//! let ask = Call::get(&format!("/activity/create/status?RequestID={id}")).header("x-api-key", "sandbox-api-key");
//! assert!(sandbox.handle(&ask, Duration::from_secs(1)).text().contains("In-Queue"));
//! assert!(sandbox.handle(&ask, Duration::from_secs(9)).text().contains("FAILURE"));
//! assert_eq!(sandbox.book().failed(), 1);
//! ```

mod answers;
mod book;
mod call;
mod fate;
mod fault;
mod queue;
mod quota;
mod rng;
mod server;
mod settings;
mod transport;
mod vendor;

pub use book::Book;
pub use call::{Call, CallKind, Manner, Reply};
pub use fate::{Ending, Fate};
pub use fault::{Fault, Planned};
pub use quota::{Judge, Quota, Window};
pub use server::Server;
pub use settings::{Canned, Order, Payload, Retries, Settings, Spelling, UnknownId};
pub use transport::SandboxTransport;
pub use vendor::Sandbox;
