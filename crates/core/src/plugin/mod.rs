//! The parts of a [`Client`](crate::Client) that you can replace: one trait a file, plain data in and out.
//!
//! Every trait here is object-safe and `Send + Sync`, and is called with no lock of ours held, possibly from
//! many threads at once; but a [`Schedule`] is a state that one caller owns. What you get if you replace nothing is in [`builtin`](crate::builtin).

mod clock;
mod credentials;
mod limiter;
mod observer;
mod schedule;
mod transport;

pub use clock::{Clock, Interrupted};
pub use credentials::{CredentialsError, CredentialsProvider};
pub use limiter::{Acquired, CallClass, Limiter, LimiterError, Permit, Settlement, Snapshot};
pub use observer::{Event, Observer};
pub use schedule::{Eta, JobKey, Next, Observed, Schedule};
pub use transport::{Delivery, Failure, Head, Header, Method, Request, Response, Transport, TransportError};
