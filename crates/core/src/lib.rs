//! A blocking client for LeadSquared's Async API: submit a job, and know how it went, inside the account's quota.
//!
//! The vendor's API answers a POST with a request id and processes it later; a *Status API* tells how it went; more
//! than 25 calls in 5 seconds are refused. A [`Client`] keeps that quota over all its threads, reads every spelling
//! that the vendor uses into a typed [`JobStatus`], repeats what is harmless and never what may create a duplicate,
//! and shows no key anywhere.
//!
//! ```
//! # use activity_status::plugin::{Head, Request, Response, TransportError};
//! use activity_status::{Client, Credentials, Endpoint, Operation, Outcome, RequestId};
//!
//! let client = Client::builder(Endpoint::INDIA, Credentials::new("your-api-key")?)
//! #   .transport(|_: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
//! #       let head = Head { status: 200, headers: vec![] };
//! #       on_head(&head);
//! #       let body = br#"{"RequestId":"72003d66-aa5d-4533-9e13-73da598dedf4","TaskStatus":{"Status":"Success"}}"#;
//! #       Ok::<_, TransportError>(Response { head, body: body.to_vec() })
//! #   })
//!     .build()?;
//! let id = RequestId::new("72003d66-aa5d-4533-9e13-73da598dedf4")?;
//! let status = client.status(&Operation::ACTIVITY_CREATE, &id)?;
//! match status.outcome() {
//!     Outcome::Succeeded => println!("created {:?}", status.created_id()),
//!     Outcome::Failed => println!("failed: {}", status.reason()),
//!     Outcome::Pending => println!("{}", status.state()),
//! }
//! # assert_eq!(status.outcome(), Outcome::Succeeded);
//! # Ok::<(), activity_status::Error>(())
//! ```
//!
//! Facts about the vendor carry where they are from: **\[seed\]** and **\[docs\]** its public documentation, **\[seen\]**
//! public code that talks to it, **\[inferred\]** from sibling calls. What is inferred can be set otherwise.

pub mod builtin;
#[cfg(feature = "test-util")]
pub mod conformance;
pub mod plugin;

mod cancel;
mod client;
mod credentials;
mod endpoint;
mod error;
mod exchange;
mod followed;
mod job;
mod line;
mod look;
mod operation;
mod pipeline;
mod progress;
mod retry;
mod settings;
mod submission;
mod tracker;
mod trouble;
mod wait;
mod wire;

pub use cancel::Canceller;
pub use client::{Client, ClientBuilder};
pub use credentials::{Credentials, KeyPlacement};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind, Resend, VendorError};
pub use exchange::{Http, Lost};
pub use job::{Job, JobState, JobStatus, KnownState, Outcome, QueueMetrics, RequestId, documented_outcome};
pub use look::Look;
pub use operation::Operation;
pub use progress::Progress;
pub use retry::{RetryPolicy, resend};
pub use settings::{LimiterPlace, Settings, parse_duration};
pub use submission::Submission;
pub use tracker::{Step, Tracker};
pub use wait::{Ended, NotYet, Order, WaitAll, WaitOptions};
