use activity_status_sandbox as sandbox;
use pyo3::prelude::*;

/// What has happened in a sandbox, counted.
///
/// It is a copy: ask the sandbox again for what came later. Two are equal if all their numbers are; repr shows those that
/// are not 0.
#[pyclass(frozen, eq, module = "activity_status.testing")]
#[derive(PartialEq, Eq)]
pub(crate) struct Book(pub(crate) sandbox::Book);

/// A number of the book for each name.
macro_rules! numbers {
    ($($(#[doc = $text:literal])+ $name:ident = $read:expr;)+) => {
        #[pymethods]
        impl Book {
            $(
                $(#[doc = $text])+
                #[getter]
                fn $name(&self) -> u64 {
                    let read: fn(&sandbox::Book) -> u64 = $read;
                    read(&self.0)
                }
            )+

            fn __repr__(&self) -> String {
                format!("<Book {}>", self.numbers())
            }
        }

        impl Book {
            /// Those that are not 0.
            pub(crate) fn numbers(&self) -> String {
                let all = [$((stringify!($name), self.$name())),+];
                let shown = all.iter().filter(|(_, number)| *number > 0);
                let shown: Vec<String> = shown.map(|(name, number)| format!("{name}={number}")).collect();
                if shown.is_empty() { "nothing yet".to_owned() } else { shown.join(", ") }
            }
        }
    };
}

numbers! {
    /// Calls to the vendor's paths: submits, questions, and for the metrics.
    calls = |book| book.calls();
    /// Calls that asked to submit a job, whatever came of them.
    submit_calls = |book| book.submit_calls;
    /// Calls that asked how a job went.
    status_calls = |book| book.status_calls;
    /// Calls that asked for the queue's metrics.
    metrics_calls = |book| book.metrics_calls;
    /// Calls to a path that is none of the vendor's. They do not count in the quota.
    unknown_paths = |book| book.unknown_paths;
    /// Calls refused because the quota was used up (429).
    refused = |book| book.refused;
    /// Calls with missing or wrong keys (401).
    unauthorized = |book| book.unauthorized;
    /// Calls that were not as specified (400).
    bad_requests = |book| book.bad_requests;
    /// Questions about a job that is not known.
    unknown_ids = |book| book.unknown_ids;
    /// Calls that met a fault.
    faults = |book| book.faults;
    /// Jobs that came into the queue.
    accepted = |book| book.accepted;
    /// Of these, how many had been submitted before: same operation, same query, same text.
    duplicates = |book| book.duplicates;
    /// Jobs that may still change.
    pending = |book| book.accepted - book.settled;
    /// Jobs of which nothing more will become.
    settled = |book| book.settled;
    /// Of these, how many succeeded.
    succeeded = |book| book.succeeded;
    /// Of these, how many did not.
    failed = |book| book.failed();
    /// The most calls in any one window of the quota, refused ones included.
    busiest_window = |book| book.busiest_window;
}
