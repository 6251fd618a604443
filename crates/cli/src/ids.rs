//! Reads request ids.

use activity_status::RequestId;
use serde::Deserialize;

use crate::shell::{Problem, Shell, named};

/// The ids given as arguments, then those of a file; each as often as it was given.
pub(crate) fn read(
    shell: &mut Shell<'_>,
    given: &[String],
    file: Option<&str>,
) -> Result<Vec<RequestId>, Problem> {
    let from_stdin = given.iter().map(String::as_str).chain(file).filter(|name| *name == "-").count();
    if from_stdin > 1 {
        return Err(Problem::usage("standard input can be read once only: give `-` once"));
    }
    let mut ids = Vec::new();
    for id in given {
        match id.as_str() {
            "-" => ids.extend(read_file(shell, "-")?),
            id => ids.push(RequestId::new(id)?),
        }
    }
    if let Some(path) = file {
        ids.extend(read_file(shell, path)?);
    }
    if ids.is_empty() {
        shell.note("No request id was given, so there is nothing to ask.");
    }
    Ok(ids)
}

fn read_file(shell: &mut Shell<'_>, path: &str) -> Result<Vec<RequestId>, Problem> {
    let bytes = shell.read(path)?;
    let (ids, without) = parse(&bytes).map_err(|what| Problem::usage(format!("{}: {what}", named(path))))?;
    if without > 0 {
        shell.note(format_args!(
            "{}: what tells of a submit that brought no id is left out; lines of that kind: {without}",
            named(path)
        ));
    }
    Ok(ids)
}

/// The ids, and how many lines of JSON had none. What a bad line says is not repeated: it may be any file.
fn parse(bytes: &[u8]) -> Result<(Vec<RequestId>, usize), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut ids = Vec::new();
    let mut without = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = || format!("line {} holds no request id; nothing was asked", index + 1);
        let id = if line.starts_with('{') {
            let it: Submitted = serde_json::from_str(line).map_err(|_| bad())?;
            it.request_id
        } else {
            Some(line.to_owned())
        };
        match id {
            Some(id) => ids.push(RequestId::new(&id).map_err(|_| bad())?),
            None => without += 1,
        }
    }
    Ok((ids, without))
}

/// A line of `submit --json`, or of `status --json`.
#[derive(Deserialize)]
struct Submitted {
    request_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_one_a_line_or_in_json_lines() {
        let text = "\u{feff}# from the morning\r\nid-1\r\n\r\n  id-2  \n{\"line\":3,\"request_id\":\"id-3\"}\n\
                    {\"request_id\":null,\"error\":{}}\nid-1";
        let (ids, without) = parse(text.as_bytes()).unwrap();
        let ids: Vec<&str> = ids.iter().map(RequestId::as_str).collect();
        assert_eq!((ids, without), (vec!["id-1", "id-2", "id-3", "id-1"], 1));
    }

    #[test]
    fn a_bad_line_is_named_and_not_repeated() {
        for bad in ["api_key = s3cr3t-key", "{\"request_id\": 7, \"s3cr3t\": 1}", "{s3cr3t"] {
            let what = parse(format!("id-1\n\n{bad}\n").as_bytes()).unwrap_err();
            assert!(what.contains("line 3") && !what.contains("s3cr3t"), "{what}");
        }
        assert!(parse(b"id\xff").is_err());
    }
}
