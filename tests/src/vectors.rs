use std::collections::BTreeMap;
use std::fs;

use activity_status::{Error, JobStatus};
use serde::Deserialize;

use crate::root;

/// One answer of the vendor to a status call, and the one verdict that it must lead to.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// Unique.
    pub name: String,
    /// The operation asked about.
    pub operation: String,
    /// The id asked about; unique.
    pub request_id: String,
    /// The HTTP status of the answer.
    pub http_status: u16,
    /// Its content type.
    pub content_type: String,
    /// Its other headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<String>,
    body_hex: Option<String>,
    /// The status that it reads as.
    pub expect: Option<ExpectedStatus>,
    /// Or the error that it is.
    pub expect_error: Option<ExpectedError>,
}

/// What must be read; the names are those of the accessors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct ExpectedStatus {
    pub outcome: String,
    pub state: String,
    pub task_type: String,
    pub reason: String,
    pub current_step: Option<String>,
    pub last_step: Option<String>,
    pub request_body: Option<String>,
    pub message: Option<String>,
    pub created_id: Option<String>,
    pub related_id: Option<String>,
}

/// What the error must say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct ExpectedError {
    pub kind: String,
    pub http_status: u16,
    pub resend: String,
    pub vendor_type: Option<String>,
    pub vendor_message: Option<String>,
}

impl From<&JobStatus> for ExpectedStatus {
    fn from(status: &JobStatus) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        ExpectedStatus {
            outcome: status.outcome().as_str().to_owned(),
            state: status.state().as_str().to_owned(),
            task_type: status.task_type().to_owned(),
            reason: status.reason().to_owned(),
            current_step: owned(status.current_step()),
            last_step: owned(status.last_step()),
            request_body: owned(status.request_body()),
            message: owned(status.message()),
            created_id: owned(status.created_id()),
            related_id: owned(status.related_id()),
        }
    }
}

impl From<&Error> for ExpectedError {
    fn from(error: &Error) -> Self {
        let vendor = error.vendor().cloned();
        ExpectedError {
            kind: error.kind().as_str().to_owned(),
            http_status: error.http_status().unwrap_or(0),
            resend: error.resend().as_str().to_owned(),
            vendor_type: vendor.as_ref().and_then(|vendor| vendor.exception_type.clone()),
            vendor_message: vendor.and_then(|vendor| vendor.exception_message),
        }
    }
}

impl Case {
    /// The body of the answer, byte for byte.
    pub fn body(&self) -> Vec<u8> {
        let hex = |text: &String| {
            let digit = |i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex digits");
            (0..text.len()).step_by(2).map(digit).collect()
        };
        match (&self.body, &self.body_file, &self.body_hex) {
            (Some(text), None, None) => text.clone().into_bytes(),
            (None, Some(file), None) => {
                fs::read(root().join("tests/vectors").join(file)).expect("the file is there")
            }
            (None, None, Some(text)) => hex(text),
            _ => panic!("{}: exactly one of body, body_file and body_hex", self.name),
        }
    }
}

/// Every case of `tests/vectors/status.json`.
pub fn vectors() -> Vec<Case> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Case>,
    }
    let text = fs::read_to_string(root().join("tests/vectors/status.json")).expect("the vectors are there");
    let file: File = serde_json::from_str(&text).expect("the vectors are of the form that README.md says");
    file.cases
}
