//! One vector file through Rust, C, Python and the command line, over a real socket: the same verdict and the same bytes.
//!
//! `cargo xtask test` builds the C program and the Python environment and says where they are.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use activity_status::builtin::Quota;
use activity_status::{Client, Credentials, Endpoint, Error, JobStatus, Operation, RequestId, RetryPolicy};
use activity_status_sandbox::{Canned, Server, Settings};
use activity_status_tests::{Case, ExpectedError, ExpectedStatus, root, vectors};
use serde::Deserialize;

/// What one language makes of one answer, with the raw text and the line of JSON where it gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    reading: Result<ExpectedStatus, ExpectedError>,
    raw: Option<String>,
    json: Option<String>,
}

type Verdicts = BTreeMap<String, Verdict>;

#[test]
fn every_language_reads_every_answer_alike() {
    let cases = vectors();
    let server = replay(&cases);
    let rust = in_rust(&server, &cases);
    for case in &cases {
        let found = &rust[&case.request_id];
        let expected = case.expect.clone().ok_or_else(|| case.expect_error.clone().expect("one of the two"));
        assert_eq!(found.reading, expected, "{} in Rust", case.name);
    }
    let others = [("C", in_c(&server, &cases)), ("Python", in_python(&server, &cases))];
    let mut differences = Vec::new();
    for (language, verdicts) in others {
        for case in &cases {
            let (ours, theirs) = (&rust[&case.request_id], verdicts.get(&case.request_id));
            if theirs != Some(ours) {
                differences
                    .push(format!("{} in {language}:\n  {theirs:?}\n  in Rust:\n  {ours:?}", case.name));
            }
        }
    }
    let lines = on_the_command_line(&server, &cases);
    for case in &cases {
        let (ours, theirs) = (rust[&case.request_id].json.as_ref(), lines.get(&case.request_id));
        if theirs != ours {
            differences
                .push(format!("{} on the command line:\n  {theirs:?}\n  in Rust:\n  {ours:?}", case.name));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// A sandbox that answers each case's id with the case's answer.
fn replay(cases: &[Case]) -> Server {
    let canned = |case: &Case| {
        let mut headers = vec![("content-type".to_owned(), case.content_type.clone())];
        headers.extend(case.headers.clone());
        let canned = Canned { http_status: case.http_status, headers, body: case.body() };
        (case.request_id.clone(), canned)
    };
    let quota = activity_status_sandbox::Quota { calls: 100_000, ..Default::default() };
    let settings = Settings { answers: cases.iter().map(canned).collect(), quota, ..Settings::default() };
    Server::start(settings, ([127, 0, 0, 1], 0)).expect("a free loopback port")
}

fn in_rust(server: &Server, cases: &[Case]) -> Verdicts {
    let keys = Credentials::new("sandbox-api-key").unwrap();
    let client = Client::builder(Endpoint::url(&server.url()).unwrap(), keys)
        .retry(RetryPolicy::none())
        .quota(Quota::new(1000, Duration::from_millis(100)))
        .build()
        .unwrap();
    let ask = |case: &Case| {
        let operation: Operation = case.operation.parse().unwrap();
        let answer = client.status(&operation, &RequestId::new(&case.request_id).unwrap());
        (case.request_id.clone(), verdict(&operation, answer))
    };
    cases.iter().map(ask).collect()
}

fn verdict(operation: &Operation, answer: Result<JobStatus, Error>) -> Verdict {
    match answer {
        Ok(status) => Verdict {
            reading: Ok(ExpectedStatus::from(&status)),
            raw: Some(status.raw().to_owned()),
            json: Some(status.to_json(operation.name())),
        },
        Err(error) => {
            Verdict { reading: Err(ExpectedError::from(&error)), raw: None, json: Some(error.to_json()) }
        }
    }
}

/// The C program prints `case ID`, then for each field its name and `-`, or its length and as many bytes.
fn in_c(server: &Server, cases: &[Case]) -> Verdicts {
    let printed = run(Command::new(tool("ASTAT_TEST_C")).arg(server.url()), server, cases);
    let mut records: BTreeMap<String, BTreeMap<String, Option<String>>> = BTreeMap::new();
    let (mut rest, mut id) = (&printed[..], String::new());
    let word = |rest: &mut &[u8]| {
        let end = rest.iter().position(|byte| b" \n".contains(byte))?;
        let word = String::from_utf8(rest[..end].to_vec()).expect("names and lengths are text");
        *rest = &rest[end + 1..];
        Some(word)
    };
    while let Some(field) = word(&mut rest) {
        let value = word(&mut rest).expect("a value follows");
        if field == "case" {
            id = value;
            continue;
        }
        let text = (value != "-").then(|| {
            let length: usize = value.parse().expect("a length");
            let text = String::from_utf8(rest[..length].to_vec()).expect("texts are UTF-8");
            rest = &rest[length + 1..];
            text
        });
        records.entry(id.clone()).or_default().insert(field, text);
    }
    let read = |(id, mut fields): (String, BTreeMap<String, Option<String>>)| {
        let json = fields.remove("json").flatten();
        let mut take = |field: &str| fields.remove(field).flatten();
        let reading = match take("kind") {
            Some(kind) => Err(ExpectedError {
                kind,
                http_status: take("http_status").and_then(|n| n.parse().ok()).unwrap_or(0),
                resend: take("resend").unwrap_or_default(),
                vendor_type: take("vendor_type"),
                vendor_message: take("vendor_message"),
            }),
            None => Ok(ExpectedStatus {
                outcome: take("outcome").unwrap_or_default(),
                state: take("state").unwrap_or_default(),
                task_type: take("task_type").unwrap_or_default(),
                reason: take("reason").unwrap_or_default(),
                current_step: take("current_step"),
                last_step: take("last_step"),
                request_body: take("request_body"),
                message: take("message"),
                created_id: take("created_id"),
                related_id: take("related_id"),
            }),
        };
        (id, Verdict { reading, raw: take("raw"), json })
    };
    records.into_iter().map(read).collect()
}

fn in_python(server: &Server, cases: &[Case]) -> Verdicts {
    #[derive(Deserialize)]
    struct Record {
        request_id: String,
        status: Option<ExpectedStatus>,
        error: Option<ExpectedError>,
        json: String,
    }
    #[derive(Deserialize)]
    struct Raw {
        status: Option<RawText>,
    }
    #[derive(Deserialize)]
    struct RawText {
        raw: String,
    }
    let script = root().join("tests/languages/verdict.py");
    let printed = run(Command::new(tool("ASTAT_TEST_PYTHON")).arg(script), server, cases);
    let printed = String::from_utf8(printed).expect("JSON is text");
    let read = |line: &str| {
        let record: Record = serde_json::from_str(line).expect("a record");
        let raw: Raw = serde_json::from_str(line).expect("a record");
        let reading = record.status.ok_or_else(|| record.error.expect("one of the two"));
        (
            record.request_id,
            Verdict { reading, raw: raw.status.map(|status| status.raw), json: Some(record.json) },
        )
    };
    printed.lines().map(read).collect()
}

/// The lines that the command prints, by request id. It takes one operation at a time.
fn on_the_command_line(server: &Server, cases: &[Case]) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Line {
        request_id: String,
    }
    let mut lines = BTreeMap::new();
    for operation in Operation::ALL {
        let cases: Vec<Case> =
            cases.iter().filter(|case| case.operation == operation.name()).cloned().collect();
        let mut command = Command::new(tool("ASTAT_TEST_CLI"));
        command.args([
            "status",
            "--json",
            "--file",
            "-",
            "--operation",
            operation.name(),
            "--concurrency",
            "1",
        ]);
        command.args(["--quota", "1000/0.1s", "--set", "max_attempts=1"]);
        let ids: String = cases.iter().map(|case| format!("{}\n", case.request_id)).collect();
        let printed = String::from_utf8(feed(&mut command, server, &ids)).expect("JSON is text");
        for line in printed.lines() {
            let read: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(lines.insert(read.request_id, line.to_owned()).is_none(), "answered twice: {line}");
        }
    }
    lines
}

fn run(command: &mut Command, server: &Server, cases: &[Case]) -> Vec<u8> {
    let questions: String =
        cases.iter().map(|case| format!("{} {}\n", case.operation, case.request_id)).collect();
    feed(command, server, &questions)
}

fn feed(command: &mut Command, server: &Server, questions: &str) -> Vec<u8> {
    let keys = [("BASE_URL", server.url()), ("API_KEY", "sandbox-api-key".to_owned())];
    let command = command
        .envs(keys.map(|(name, value)| (format!("ACTIVITY_STATUS_{name}"), value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut input = child.stdin.take().expect("it is piped");
    let questions = questions.to_owned();
    let writing = std::thread::spawn(move || input.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writing.join().expect("no panic").expect("it reads all questions");
    output.stdout
}

fn tool(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`, which builds what this needs"))
}
