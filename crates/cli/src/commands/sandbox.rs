use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use activity_status::builtin::{Quota as ParsedQuota, SystemClock};
use activity_status::parse_duration;
use activity_status::plugin::Clock;
use activity_status_sandbox::{Book, Canned, Quota, Server, Settings, Spelling, Window};
use serde::Deserialize;
use serde_json::Value;

use crate::args::{SandboxArgs, Spellings, WindowKind};
use crate::shell::{Problem, Shell, exit};

/// Runs the sandbox until the user stops it.
pub(crate) fn sandbox(args: &SandboxArgs, shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let settings = settings(args, shell)?;
    let (api_key, access_key, secret_key) =
        (settings.api_key.clone(), settings.access_key.clone(), settings.secret_key.clone());
    if !args.public && !args.host.is_loopback() {
        return Err(Problem::usage(format!(
            "{} can be reached from other machines, and the sandbox speaks plain HTTP: add --public if that is meant",
            args.host
        )));
    }
    let address = SocketAddr::new(args.host, args.port);
    let started =
        if args.public { Server::start_public(settings, address) } else { Server::start(settings, address) };
    let server = started.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; is a sandbox running already? Otherwise choose another --port",
            _ => "",
        };
        Problem::usage(format!("{}, port {}: {error}{hint}", args.host, args.port))
    })?;
    let url = server.url();
    shell.line(&url)?;
    for (name, value) in
        [("BASE_URL", &url), ("API_KEY", &api_key), ("ACCESS_KEY", &access_key), ("SECRET_KEY", &secret_key)]
    {
        // Whoever reads on after the address is welcome, whoever does not as well.
        let _ = shell.line(&format!("export ACTIVITY_STATUS_{name}={value}"));
    }
    shell.note(
        "The sandbox is running: a model of the vendor, with pretend keys. Paste the lines above into another \
         terminal and try `activity-status metrics` there. Ctrl-C ends it.",
    );
    // The longest sleep that every machine can express.
    while shell.stop.sleep(Duration::from_secs(24 * 3600)).is_ok() {}
    let book = server.book();
    drop(server);
    if args.json {
        let json = serde_json::to_string(&book).expect("numbers always serialise");
        let _ = shell.line(&json);
    } else {
        shell.note(told(&book));
    }
    // Stopping it is how it ends.
    Ok(exit::FINE)
}

fn settings(args: &SandboxArgs, shell: &Shell<'_>) -> Result<Settings, Problem> {
    let quota: ParsedQuota = args.quota.parse()?;
    let kind = match args.window {
        WindowKind::Sliding => Window::Sliding,
        WindowKind::Fixed => Window::Fixed { phase: Duration::ZERO },
        WindowKind::Bucket => Window::TokenBucket,
    };
    if !(args.rate > 0.0 && args.rate.is_finite()) {
        return Err(Problem::usage("--rate is not a number of jobs a minute above 0"));
    }
    let latency = match args.latency.split_once("..") {
        Some((least, most)) => (parse_duration(least)?, parse_duration(most)?),
        None => (parse_duration(&args.latency)?, parse_duration(&args.latency)?),
    };
    if latency.0 > latency.1 {
        return Err(Problem::usage("--latency takes the least time first, such as 40ms..150ms"));
    }
    let defaults = Settings::default();
    let ladder = match &args.retry_ladder {
        Some(times) => times.split(',').map(parse_duration).collect::<Result<_, _>>()?,
        None => defaults.ladder,
    };
    let answers = match &args.answers {
        Some(path) => answers(path, shell)?,
        None => BTreeMap::new(),
    };
    Ok(Settings {
        rate_per_minute: args.rate,
        workers: args.workers.into(),
        ladder,
        latency_in: latency,
        latency_out: latency,
        // Another one each time, so that no request id ever names two jobs.
        seed: args.seed.unwrap_or_else(|| SystemClock::new().wall().as_nanos() as u64),
        quota: Quota { calls: quota.calls(), window: quota.window(), kind, ..Quota::default() },
        spellings: match args.spelling {
            Spellings::Documented => vec![Spelling::DOCUMENTED],
            Spellings::All => Spelling::ALL.to_vec(),
        },
        answers,
        ..Settings::default()
    })
}

/// One case of a file of answers. What it expects of a client is not our affair here.
#[derive(Deserialize)]
struct Case {
    request_id: String,
    http_status: u16,
    content_type: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    body: Option<String>,
    body_file: Option<String>,
    body_hex: Option<String>,
}

fn answers(path: &str, shell: &Shell<'_>) -> Result<BTreeMap<String, Canned>, Problem> {
    let wrong = |what: &str| Problem::usage(format!("{path}: {what}"));
    let file: Value = serde_json::from_slice(&shell.read(path)?)
        .map_err(|error| wrong(&format!("it is not JSON ({error})")))?;
    let list =
        file.get("cases").unwrap_or(&file).as_array().ok_or_else(|| wrong("it holds no list of cases"))?;
    let mut answers = BTreeMap::new();
    for (index, case) in list.iter().enumerate() {
        let case = Case::deserialize(case).map_err(|error| wrong(&format!("case {}: {error}", index + 1)))?;
        let body = match (&case.body, &case.body_file, &case.body_hex) {
            (Some(text), None, None) => text.clone().into_bytes(),
            (None, Some(file), None) => {
                let beside = Path::new(path).with_file_name(file);
                shell.read(&beside.to_string_lossy())?
            }
            (None, None, Some(hex)) => from_hex(hex).ok_or_else(|| wrong("a body_hex is not hexadecimal"))?,
            _ => return Err(wrong(&format!("case {} has not exactly one body", index + 1))),
        };
        let content_type = case.content_type.map(|it| ("content-type".to_owned(), it));
        let headers = content_type.into_iter().chain(case.headers.into_iter().flatten()).collect();
        answers.insert(case.request_id, Canned { http_status: case.http_status, headers, body });
    }
    Ok(answers)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some((high.to_digit(16)? * 16 + low.to_digit(16)?) as u8),
        _ => None,
    });
    pairs.collect()
}

/// The book in words.
fn told(book: &Book) -> String {
    format!(
        "Calls: {} ({} submits, {} questions, {} for metrics); refused {}, keys not accepted {}, not as specified {}.\n\
         Jobs: {} accepted ({} of them twice), {} succeeded, {} failed, {} pending.",
        book.calls(),
        book.submit_calls,
        book.status_calls,
        book.metrics_calls,
        book.refused,
        book.unauthorized,
        book.bad_requests,
        book.accepted,
        book.duplicates,
        book.succeeded,
        book.failed(),
        book.accepted - book.settled,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_in_pairs() {
        assert_eq!(from_hex("00 fF\n10"), Some(vec![0, 255, 16]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("0g"), None);
    }

    #[test]
    fn the_book_is_told_in_words() {
        let text = told(&Book::default());
        assert!(text.starts_with("Calls: 0 (0 submits") && text.ends_with("0 pending."), "{text}");
    }
}
