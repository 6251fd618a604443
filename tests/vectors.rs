//! The contract's vectors through the Rust client, in memory. `languages.rs` runs them over sockets through all four.

use activity_status::plugin::{Head, Request, Response, TransportError};
use activity_status::{Client, Endpoint, JobStatus, Operation, RequestId, RetryPolicy};
use activity_status_tests::{Case, ExpectedError, ExpectedStatus, credentials, vectors};

#[test]
fn every_case_has_the_expected_verdict_and_keeps_its_bytes() {
    let cases = vectors();
    assert!(cases.len() >= 40);
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_stored_answer_reads_as_it_did_when_it_came() {
    for case in vectors() {
        let Some(expected) = &case.expect else { continue };
        let text = String::from_utf8(case.body()).expect("an answer that was read is text");
        let stored = JobStatus::from_json(text.trim_start_matches('\u{feff}'))
            .unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(ExpectedStatus::from(&stored), *expected, "{}", case.name);
        let line = stored.to_json(Operation::ACTIVITY_CREATE.name());
        assert!(!line.contains(['\n', '\r']) && line.starts_with('{'), "{}", case.name);
        serde_json::from_str::<Box<serde_json::value::RawValue>>(&line)
            .unwrap_or_else(|e| panic!("{}: {e}", case.name));
    }
}

fn check(case: &Case) -> Result<(), String> {
    let answered = {
        let case = case.clone();
        move |_: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
            let mut headers = vec![("content-type".to_owned(), case.content_type.clone())];
            headers.extend(case.headers.clone());
            let head = Head { status: case.http_status, headers };
            on_head(&head);
            Ok::<_, TransportError>(Response { head, body: case.body() })
        }
    };
    let client =
        Client::builder(Endpoint::INDIA, credentials()).retry(RetryPolicy::none()).transport(answered);
    let client = client.build().unwrap();
    let operation: Operation = case.operation.parse().unwrap();
    let id = RequestId::new(&case.request_id).unwrap();
    let said = |what: String| Err(format!("{}: {what}", case.name));
    match (client.status(&operation, &id), &case.expect, &case.expect_error) {
        (Ok(status), Some(expected), None) => {
            let found = ExpectedStatus::from(&status);
            if found != *expected {
                return said(format!("\n  found    {found:?}\n  expected {expected:?}"));
            }
            let sent = case.body();
            let sent = sent.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&sent);
            if status.raw().as_bytes() != sent { said("the raw text differs".to_owned()) } else { Ok(()) }
        }
        (Err(error), None, Some(expected)) => {
            let found = ExpectedError::from(&error);
            if found != *expected {
                said(format!("\n  found    {found:?}\n  expected {expected:?}"))
            } else {
                Ok(())
            }
        }
        (found, ..) => said(format!("{found:?}")),
    }
}
