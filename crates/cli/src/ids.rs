//! Reads request ids.

use std::path::Path;

use activity_status::{Operation, RequestId};
use serde::Deserialize;
use serde_json::Value;

use crate::args::WhichArgs;
use crate::shell::{Problem, Shell, named};

/// A job to ask about.
#[derive(Debug, PartialEq)]
pub(crate) struct Job {
    pub(crate) id: RequestId,
    /// The line of the file that it was submitted from, where `submit --json` told it.
    pub(crate) line: Option<u64>,
}

/// The ids given as arguments, then those of a file; each as often as it was given. All are of one operation.
pub(crate) fn read(
    shell: &mut Shell<'_>,
    which: &WhichArgs,
    operation: &Operation,
) -> Result<Vec<Job>, Problem> {
    if which.stdin_uses() > 1 {
        return Err(Problem::usage("standard input can be read once only: give `-` once"));
    }
    let mut jobs = Vec::new();
    for id in &which.ids {
        match id.as_str() {
            "-" => jobs.extend(read_file(shell, "-", operation)?),
            path if is_file(path) => {
                return Err(Problem::usage(format!("{path} is a file: give it as --file {path}")));
            }
            id => jobs.push(Job { id: RequestId::new(id)?, line: None }),
        }
    }
    if let Some(path) = &which.file {
        jobs.extend(read_file(shell, path, operation)?);
    }
    Ok(jobs)
}

/// A file, and by its name none that only happens to be called like a job.
fn is_file(name: &str) -> bool {
    let like_an_id = name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    !like_an_id && Path::new(name).is_file()
}

fn read_file(shell: &mut Shell<'_>, path: &str, operation: &Operation) -> Result<Vec<Job>, Problem> {
    let bytes = shell.read(path)?;
    let (jobs, without) =
        parse(&bytes, operation).map_err(|what| Problem::usage(format!("{}: {what}", named(path))))?;
    if without > 0 {
        shell.note(format_args!(
            "{}: what tells of a submit that brought no id is left out; lines of that kind: {without}",
            named(path)
        ));
    }
    if jobs.is_empty() {
        return Err(Problem::usage(format!(
            "{} holds no request id; did the submit work? Nothing was asked.",
            named(path)
        )));
    }
    Ok(jobs)
}

/// The jobs, and how many lines of JSON had no id. What a bad line says is not repeated: it may be any file.
fn parse(bytes: &[u8], operation: &Operation) -> Result<(Vec<Job>, usize), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut jobs = Vec::new();
    let mut without = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = || format!("line {} holds no request id; nothing was asked", index + 1);
        let (id, line) = if line.starts_with('{') {
            let it: Submitted = serde_json::from_str(line).map_err(|_| bad())?;
            if it.operation.is_some_and(|of| of != operation.name()) {
                return Err(format!(
                    "line {} tells of another operation than {operation}; nothing was asked: give --operation, and the jobs of \
                     one operation at a time",
                    index + 1
                ));
            }
            (it.request_id, it.line.as_u64())
        } else {
            (Some(line.to_owned()), None)
        };
        match id {
            Some(id) => jobs.push(Job { id: RequestId::new(&id).map_err(|_| bad())?, line }),
            None => without += 1,
        }
    }
    Ok((jobs, without))
}

/// A line of `submit --json`, or of `status --json`.
#[derive(Deserialize)]
struct Submitted {
    request_id: Option<String>,
    operation: Option<String>,
    #[serde(default)]
    line: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_one_a_line_or_in_json_lines() {
        let text = "\u{feff}# from the morning\r\nid-1\r\n\r\n  id-2  \n{\"line\":3,\"request_id\":\"id-3\"}\n\
                    {\"request_id\":null,\"error\":{}}\nid-1";
        let (jobs, without) = parse(text.as_bytes(), &Operation::ACTIVITY_CREATE).unwrap();
        let jobs: Vec<(&str, Option<u64>)> = jobs.iter().map(|job| (job.id.as_str(), job.line)).collect();
        let expected = vec![("id-1", None), ("id-2", None), ("id-3", Some(3)), ("id-1", None)];
        assert_eq!((jobs, without), (expected, 1));
        assert_eq!(
            parse(br#"{"request_id":"a","line":"x"}"#, &Operation::ACTIVITY_CREATE).unwrap().0[0].line,
            None
        );
    }

    #[test]
    fn jobs_of_another_operation_are_not_asked_about_at_the_wrong_place() {
        let line = br#"{"line":2,"request_id":"id-1","operation":"lead.capture"}"#;
        assert!(parse(line, &Operation::LEAD_CAPTURE).is_ok());
        let said = parse(line, &Operation::ACTIVITY_CREATE).unwrap_err();
        assert!(
            said.contains("line 1 ") && said.contains("activity.create") && said.contains("--operation"),
            "{said}"
        );
    }

    #[test]
    fn a_file_is_told_from_an_id() {
        assert!(is_file("Cargo.toml") && is_file("src/ids.rs"));
        assert!(
            !is_file("src") && !is_file("no-such-id") && !is_file("72003d66-aa5d-4533-9e13-73da598dedf4")
        );
    }

    #[test]
    fn a_bad_line_is_named_and_not_repeated() {
        for bad in ["api_key = s3cr3t-key", "{\"request_id\": 7, \"s3cr3t\": 1}", "{s3cr3t"] {
            let what = parse(format!("id-1\n\n{bad}\n").as_bytes(), &Operation::ACTIVITY_CREATE).unwrap_err();
            assert!(what.contains("line 3") && !what.contains("s3cr3t"), "{what}");
        }
        assert!(parse(b"id\xff", &Operation::ACTIVITY_CREATE).is_err());
    }
}
