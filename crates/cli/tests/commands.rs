//! Runs the binary against a sandbox in this process.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::Clock;
use activity_status_sandbox::{Call, CallKind, Canned, Fault, Planned, Quota, Server, Settings};
use serde_json::Value;

/// No output may hold any of these.
const SECRETS: [&str; 4] = ["s3cr3t-api-key", "s3cr3t-access-key", "s3cr3t-secret-key", "s3cr3t-connector"];

/// A sandbox that processes a job in a millisecond, and lets through as many calls as we like.
fn hasty() -> Settings {
    Settings {
        api_key: SECRETS[0].into(),
        access_key: SECRETS[1].into(),
        secret_key: SECRETS[2].into(),
        rate_per_minute: 60_000.0,
        ladder: vec![Duration::from_millis(300)],
        quota: Quota { calls: 10_000, ..Quota::default() },
        ..Settings::default()
    }
}

fn start(settings: Settings) -> Server {
    Server::start(settings, ([127, 0, 0, 1], 0)).unwrap()
}

/// The binary with an environment of its own.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_activity-status"));
    command.env_clear().args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The binary with all that it needs for a server.
fn command_for(server: &Server, args: &[&str]) -> Command {
    let mut command = command(args);
    command
        .env("ACTIVITY_STATUS_BASE_URL", server.url())
        .env("ACTIVITY_STATUS_API_KEY", SECRETS[0])
        .env("ACTIVITY_STATUS_ACCESS_KEY", SECRETS[1])
        .env("ACTIVITY_STATUS_SECRET_KEY", SECRETS[2])
        .env("CONNECTOR", SECRETS[3])
        // Nobody listens there: a proxy must not be asked about this machine.
        .env("HTTPS_PROXY", "http://user:s3cr3t-connector@127.0.0.1:9");
    command
}

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }

    fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn finished(output: Output) -> Run {
    let run = Run {
        code: output.status.code().expect("it was killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    for secret in SECRETS {
        assert!(!run.out.contains(secret) && !run.err.contains(secret), "{}\n{}", run.out, run.err);
    }
    assert!(!run.err.contains("panicked"), "{}", run.err);
    run
}

fn run(server: &Server, args: &[&str]) -> Run {
    finished(command_for(server, args).output().unwrap())
}

fn run_with_stdin(server: &Server, args: &[&str], stdin: &str) -> Run {
    let mut child = command_for(server, args).stdin(Stdio::piped()).spawn().unwrap();
    // A command that refuses its arguments does not read on.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    finished(child.wait_with_output().unwrap())
}

/// Puts jobs with these notes into the queue, and answers their ids.
fn jobs(server: &Server, notes: &[&str]) -> Vec<String> {
    let mut sandbox = server.sandbox().lock().unwrap();
    let before = sandbox.ids().count();
    for note in notes {
        let body = format!(r#"{{"RelatedProspectId":"a","ActivityEvent":1,"ActivityNote":"{note}"}}"#);
        let call = Call::post("/activity/create", &body)
            .header("x-api-key", SECRETS[0])
            .header("x-lsq-accesskey", SECRETS[1])
            .header("x-lsq-secretkey", SECRETS[2]);
        assert_eq!(sandbox.handle(&call, Duration::ZERO).status, 200);
    }
    sandbox.ids().skip(before).collect()
}

fn plan(server: &Server, faults: impl IntoIterator<Item = Planned>) {
    server.sandbox().lock().unwrap().plan(faults);
}

fn pause(milliseconds: u64) {
    SystemClock::new().sleep(Duration::from_millis(milliseconds)).unwrap();
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    for _ in 0..500 {
        if reached() {
            return;
        }
        pause(20);
    }
    panic!("never reached: {what}");
}

/// A file that is removed again.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = std::env::temp_dir().join(format!("activity-status-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn status_tells_how_each_job_stands() {
    let server = start(hasty());
    let ids = jobs(&server, &["fine", "sandbox:fail", "sandbox:retry=1"]);
    until("two settled", || server.book().settled >= 2);
    let asked = run(&server, &["status", &ids[0]]);
    assert_eq!((asked.code, asked.err.as_str()), (0, ""));
    assert!(asked.out.starts_with(&format!("{}  succeeded  created ", ids[0])), "{}", asked.out);

    let asked = run(&server, &["status", &ids[0], &ids[1]]);
    assert_eq!((asked.code, asked.lines().len()), (1, 2));
    assert!(
        asked.out.contains(&format!("{}  failed     MXInvalidActivityException: ", ids[1])),
        "{}",
        asked.out
    );
    assert!(asked.err.contains("2 jobs: 1 succeeded, 1 failed, 0 pending"), "{}", asked.err);
    assert!(!asked.out.contains('\u{1b}') && !asked.err.contains('\u{1b}'));

    let mut slow = hasty();
    slow.rate_per_minute = 1.0;
    let slow = start(slow);
    let id = jobs(&slow, &["later"]).remove(0);
    let asked = run(&slow, &["status", &id]);
    assert_eq!(
        (asked.code, asked.out.trim_end()),
        (0, &*format!("{id}  pending    In-Queue (Request is being processed)"))
    );
}

#[test]
fn json_has_a_line_for_each_id_answered_or_not() {
    let server = start(hasty());
    let id = jobs(&server, &["sandbox:fail"]).remove(0);
    until("settled", || server.book().settled == 1);
    let asked = run(&server, &["status", "--json", &id, "no-such-id", &id]);
    assert_eq!(asked.code, 4);
    let mut lines = asked.json();
    lines.sort_by_key(|line| line["error"].is_null());
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&lines[0]), "error operation request_id");
    assert_eq!(keys(&lines[0]["error"]), "http_status kind message resend");
    assert_eq!(lines[0]["error"]["kind"], "not_found");
    for line in &lines[1..] {
        assert_eq!(keys(line), "created_id operation outcome raw reason related_id request_id state");
        assert_eq!((line["outcome"].as_str(), line["state"].as_str()), (Some("failed"), Some("FAILURE")));
        assert_eq!(line["raw"]["TaskStatus"]["TaskType"], "Activity Create");
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn wait_follows_each_job_to_its_end() {
    let server = start(hasty());
    let ids = jobs(&server, &["fine", "sandbox:retry=1", "sandbox:never", "fine"]);
    let file = File::new("wait-ids", format!("\u{feff}# of today\r\n{}\r\n\r\n", ids[1..].join("\r\n")));
    let waited = run(&server, &["wait", &ids[0], "--file", file.path()]);
    assert_eq!((waited.code, waited.lines().len()), (1, 4), "{}{}", waited.out, waited.err);
    assert!(waited.err.contains("4 jobs: 3 succeeded, 1 failed, 0 pending"), "{}", waited.err);
}

#[test]
fn wait_lives_through_what_passes() {
    let server = start(hasty());
    let ids = jobs(&server, &["fine"]);
    plan(&server, [Planned { times: 3, ..Planned::on(CallKind::Status, Fault::HtmlError) }]);
    let waited = run(&server, &["wait", "--set", "max_attempts=1", &ids[0]]);
    assert_eq!(waited.code, 0, "{}", waited.err);
    assert_eq!(server.book().faults, 3);
}

#[test]
fn commands_that_name_one_file_share_the_quota() {
    let folder = tempfile::tempdir().unwrap();
    let limiter = format!("file:{}", folder.path().join("quota").display());
    let quota = Quota { calls: 5, window: Duration::from_secs(1), ..Quota::default() };
    let server = start(Settings { quota: Quota { calls: 10_000, ..Quota::default() }, ..hasty() });
    let ids = jobs(&server, &["fine"; 10]);
    drop(server);
    let server = start(Settings { quota, ..hasty() });
    let mut children: Vec<_> = ids
        .chunks(5)
        .map(|ids| {
            let mut args = vec!["status", "--quota", "5/1s", "--set", "max_attempts=1"];
            args.extend(ids.iter().map(String::as_str));
            command_for(&server, &args).env("ACTIVITY_STATUS_LIMITER", &limiter).spawn().unwrap()
        })
        .collect();
    for child in children.drain(..) {
        finished(child.wait_with_output().unwrap());
    }
    let after = run(&server, &["metrics", "--quota", "5/1s", "--limiter", &limiter]);
    assert_eq!(after.code, 0, "{}", after.err);
    let book = server.book();
    assert_eq!((book.refused, book.status_calls + book.metrics_calls), (0, 11), "{book:?}");

    let other = run(&server, &["metrics", "--quota", "6/1s", "--limiter", &limiter]);
    assert_eq!(other.code, 2, "another quota on a file in use: {}", other.err);
}

#[test]
fn a_limiter_that_is_none_is_refused_and_a_password_is_no_argument() {
    let server = start(hasty());
    let unknown = run(&server, &["metrics", "--limiter", "ftp://host"]);
    assert_eq!(unknown.code, 2, "{}", unknown.err);
    assert!(unknown.err.contains("file:PATH"), "{}", unknown.err);
    let nowhere = run(&server, &["metrics", "--limiter", "file:/nowhere/at/all"]);
    assert_eq!(nowhere.code, 2, "{}", nowhere.err);
    assert!(nowhere.err.contains("/nowhere/at/all"), "{}", nowhere.err);
    let address = format!("redis://user:{}@127.0.0.1:9", SECRETS[3]);
    let setting = format!("limiter={address}");
    for args in [["metrics", "--limiter", &address], ["metrics", "--set", &setting]] {
        let secret = run(&server, &args);
        assert_eq!(secret.code, 2, "{}", secret.err);
        assert!(secret.err.contains("ACTIVITY_STATUS_LIMITER"), "{}", secret.err);
    }
    let away = command_for(&server, &["metrics"]).env("ACTIVITY_STATUS_LIMITER", &address).output().unwrap();
    let away = finished(away);
    assert_eq!(away.code, 4, "{}", away.err);
    assert!(away.err.contains("127.0.0.1:9"), "{}", away.err);
    assert_eq!(server.book().metrics_calls, 0, "nothing is sent without leave");
}

#[test]
fn refusals_by_somebody_elses_calls_are_waited_out_and_told() {
    let server = start(hasty());
    let id = jobs(&server, &["fine"]).remove(0);
    plan(&server, [Planned { times: 2, ..Planned::on(CallKind::Status, Fault::TooManyRequests) }]);
    let waited = run(&server, &["wait", "--quota", "100/0.1s", &id]);
    assert_eq!((waited.code, waited.lines().len()), (0, 1), "{}", waited.err);
    let told = "2 calls were refused for now and made again: nothing is lost. Another program uses this key";
    assert!(waited.err.contains(told), "{}", waited.err);

    plan(&server, [Planned::on(CallKind::Status, Fault::TooManyRequests)]);
    let waited = run(&server, &["wait", "--quota", "100/0.1s", &id]);
    assert!(waited.err.contains("1 call was refused for now and made again"), "{}", waited.err);

    // One that is not made again is no comfort to anybody.
    plan(&server, [Planned::on(CallKind::Status, Fault::TooManyRequests)]);
    let asked = run(&server, &["status", "--quota", "100/0.1s", "--set", "max_attempts=1", &id]);
    assert!(asked.code == 4 && !asked.err.contains("made again"), "{}", asked.err);
}

#[test]
fn keys_that_were_good_are_not_doubted_because_of_one_job() {
    let odd = Canned { http_status: 403, headers: vec![], body: vec![] };
    let server = start(Settings { answers: [("odd".to_owned(), odd)].into(), ..hasty() });
    let id = jobs(&server, &["fine"]).remove(0);
    let asked = run(&server, &["status", "--json", "--concurrency", "1", &id, "odd", &id]);
    assert_eq!((asked.code, asked.lines().len(), server.book().status_calls), (4, 3, 3));
}

#[test]
fn at_the_deadline_the_rest_is_listed() {
    let server = start(Settings { rate_per_minute: 1.0, ..hasty() });
    let ids = jobs(&server, &["1", "2", "3"]);
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let waited = run(&server, &[&["wait", "--unordered", "--deadline", "2s"], &all[..]].concat());
    assert_eq!((waited.code, waited.out.as_str()), (3, ""));
    for id in &ids {
        let expected = format!("{id}  pending    not settled by the deadline: its last state is In-Queue");
        assert!(waited.err.contains(&expected), "{}", waited.err);
    }
    assert!(waited.err.contains("3 jobs: 0 succeeded, 0 failed, 3 pending"), "{}", waited.err);
    let advice = "The jobs go on at the vendor's; run the same command again to go on waiting.";
    assert_eq!(waited.err.matches(advice).count(), 1, "{}", waited.err);
    // The same command might submit them again.
    let piped = run_with_stdin(&server, &["wait", "--deadline", "700ms", "-"], &ids.join("\n"));
    assert!(piped.err.contains("do not submit them again") && !piped.err.contains(advice), "{}", piped.err);
    let waited = run(&server, &[&["wait", "--json", "--deadline", "700ms"], &all[..]].concat());
    assert_eq!(waited.code, 3);
    let named: Vec<Value> = waited.json().iter().map(|line| line["request_id"].clone()).collect();
    assert_eq!(named, all);
    assert!(waited.json().iter().all(|line| line["error"]["kind"] == "deadline"));
}

const THREE: &str = "RelatedProspectId,ActivityEvent,ActivityNote,mx_Custom_1\n\
                     a,201,first,x\nb,201,sandbox:fail,\nc,201,\"third,\nand last\",y\n";

#[test]
fn what_submit_prints_is_what_wait_reads() {
    for form in [&[][..], &["--json"]] {
        let server = start(hasty());
        let file = File::new(&format!("three-{}.csv", form.len()), THREE);
        let sent = run(&server, &[&["submit", file.path()], form].concat());
        assert_eq!(sent.code, 0, "{}", sent.err);
        let waited = run_with_stdin(&server, &["wait", "-"], &sent.out);
        assert_eq!((waited.code, waited.lines().len()), (1, 3), "{}", waited.err);
        assert!(waited.err.contains("2 succeeded, 1 failed"));
        assert_eq!((server.book().accepted, server.book().duplicates), (3, 0));
        if !form.is_empty() {
            let mut lines: Vec<u64> = sent.json().iter().map(|line| line["line"].as_u64().unwrap()).collect();
            lines.sort_unstable();
            assert_eq!(lines, [2, 3, 4]);
            assert!(
                sent.json()
                    .iter()
                    .all(|line| line["operation"] == "activity.create" && line["request_id"].is_string())
            );
        }
    }
}

#[test]
fn the_line_of_a_job_is_told_with_its_outcome() {
    let server = start(hasty());
    let rows = File::new("lines.csv", THREE);
    let sent = run(&server, &["submit", "--json", rows.path()]);
    let ids = File::new("lines.jsonl", &sent.out);
    for command in ["wait", "status"] {
        let asked = run(&server, &[command, "--file", ids.path()]);
        assert_eq!((asked.code, asked.lines().len()), (1, 3), "{}", asked.err);
        for line in sent.json() {
            let id = line["request_id"].as_str().unwrap();
            let expected = format!("line {}  {id}  ", line["line"]);
            assert!(asked.lines().iter().any(|line| line.starts_with(&expected)), "{}", asked.out);
        }
        let failed = asked.lines().into_iter().find(|line| line.starts_with("line 3  ")).unwrap().to_owned();
        assert!(failed.contains("  failed     MXInvalidActivityException"), "{failed}");
        let asked = run(&server, &[command, "--json", "--file", ids.path()]);
        assert!(asked.json().iter().all(|line| line["line"].is_null()), "{}", asked.out);
    }
}

#[test]
fn ids_come_in_the_order_of_the_file() {
    let server = start(Settings {
        latency_in: (Duration::ZERO, Duration::from_millis(30)),
        latency_out: (Duration::ZERO, Duration::from_millis(30)),
        ..hasty()
    });
    let rows: Vec<String> =
        (0..40).map(|n| format!(r#"{{"RelatedProspectId":"lead-{n}","ActivityEvent":1}}"#)).collect();
    for text in [rows.join("\n"), format!("[{}]", rows.join(",\n"))] {
        let sent = run_with_stdin(&server, &["submit", "-", "--quota", "10000/5s"], &text);
        assert_eq!(sent.code, 0, "{}", sent.err);
        let ids = sent.lines();
        let asked = run_with_stdin(&server, &["status", "--json", "--quota", "10000/5s", "-"], &sent.out);
        assert_eq!(ids.len(), 40);
        for line in asked.json() {
            let place = ids.iter().position(|id| line["request_id"] == *id).unwrap();
            let body = line["raw"]["TaskStatus"]["RequestBody"].as_str().unwrap();
            assert_eq!(body, rows[place]);
        }
    }
}

#[test]
fn a_bad_row_is_refused_before_anything_is_sent() {
    let server = start(hasty());
    let good = r#"{"RelatedProspectId":"a","ActivityEvent":1}"#;
    for (text, words) in [
        (
            format!("{good}\n{good}\n{{\"RelatedProspectId\":\"s3cr3t-api-key\"}}\n"),
            "line 3 has no ActivityEvent",
        ),
        (format!("{good}\n{good}\n{{oops s3cr3t-api-key"), "line 3: what stands there is not JSON"),
        (format!("[{good},\n7]"), "line 2 holds something else"),
        (format!("{THREE}d,s3cr3t-api-key,,\n"), "line 6: ActivityEvent is not a number"),
        (THREE.replace("mx_Custom_1", "City"), "line 1: \"City\" is no column; there are RelatedProspectId,"),
        (THREE.replace("sandbox:fail", "\"left"), "line 3: a quote is opened here"),
        (format!("{THREE}d,1,\"x,\ne,2,y,\n"), "line 6: a quote is opened here and never closed"),
        (String::new(), "it is empty"),
        ("[]\n".into(), "there is no job in it"),
    ] {
        let sent = run_with_stdin(&server, &["submit", "-"], &text);
        assert_eq!((sent.code, sent.out.as_str()), (2, ""), "{text}");
        assert!(sent.err.contains(words) && sent.err.contains("Nothing was sent"), "{}", sent.err);
        assert!(sent.err.contains("standard input"), "{}", sent.err);
    }
    assert_eq!(server.book().calls(), 0);
    let as_is = run_with_stdin(&server, &["submit", "--as-is", "-"], "{\"ActivityEvent\":1}");
    assert_eq!((as_is.code, server.book().bad_requests), (4, 1), "{}", as_is.err);
}

#[test]
fn a_submit_in_doubt_is_reported_with_its_line_and_never_sent_again() {
    let server = start(hasty());
    let lost = [Fault::Pass.into(), Planned::on(CallKind::Submit, Fault::AnswerLost)];
    plan(&server, lost);
    let file = File::new("doubt.csv", THREE);
    let sent = run(&server, &["submit", "--concurrency", "1", file.path()]);
    assert_eq!((sent.code, sent.lines().len()), (4, 2));
    assert!(sent.err.contains("line 3: IN DOUBT, "), "{}", sent.err);
    assert!(sent.err.contains("2 of 3 jobs were accepted; in doubt: 1,"), "{}", sent.err);
    assert_eq!((server.book().submit_calls, server.book().accepted), (3, 3));

    plan(&server, [Planned::on(CallKind::Submit, Fault::AnswerLost)]);
    let sent = run(&server, &["submit", "--json", "--concurrency", "1", file.path()]);
    let line = &sent.json()[0];
    assert_eq!((sent.code, &line["line"], &line["request_id"]), (4, &Value::from(2), &Value::Null));
    assert_eq!(
        (&line["error"]["kind"], &line["error"]["resend"]),
        (&"in_doubt".into(), &"may_duplicate".into())
    );
    let waited = run_with_stdin(&server, &["wait", "-"], &sent.out);
    assert_eq!((waited.code, waited.lines().len()), (1, 2));
    assert!(
        waited.err.contains("a submit that brought no id is left out; lines of that kind: 1"),
        "{}",
        waited.err
    );
}

#[test]
fn submit_stops_when_one_after_the_other_fails() {
    let server = start(hasty());
    plan(&server, [Planned { times: 99, ..Planned::on(CallKind::Submit, Fault::ServerError) }]);
    let text = r#"{"RelatedProspectId":"a","ActivityEvent":1}"#.to_owned() + "\n";
    let sent = run_with_stdin(&server, &["submit", "--concurrency", "1", "-"], &text.repeat(9));
    assert_eq!((sent.code, server.book().submit_calls), (4, 5));
    let told = "several submits failed in a row; not sent: lines 6-9 (4 rows). Send only these again.";
    assert!(sent.err.contains(told), "{}", sent.err);
}

#[test]
fn after_the_deadline_nothing_more_is_sent() {
    let server =
        start(Settings { latency_in: (Duration::from_millis(400), Duration::from_millis(400)), ..hasty() });
    let sent = run_with_stdin(&server, &["submit", "--concurrency", "1", "--deadline", "200ms", "-"], THREE);
    assert_eq!((sent.code, sent.lines().len(), server.book().accepted), (3, 1, 1), "{}", sent.err);
    let told = "the deadline passed; not sent: lines 3-4 (2 rows). Send only these again.";
    assert!(sent.err.contains(told), "{}", sent.err);
}

#[test]
fn a_submit_without_its_keys_is_refused_at_once() {
    let server = start(hasty());
    let mut command = command_for(&server, &["submit", "/dev/null"]);
    let sent = finished(command.env_remove("ACTIVITY_STATUS_SECRET_KEY").output().unwrap());
    assert_eq!(sent.code, 2);
    let told = "ACTIVITY_STATUS_SECRET_KEY is missing: a submit needs it besides the access key";
    assert!(sent.err.contains(told), "{}", sent.err);
    command.env_remove("ACTIVITY_STATUS_ACCESS_KEY");
    let sent = finished(command.output().unwrap());
    let told = "ACTIVITY_STATUS_ACCESS_KEY and ACTIVITY_STATUS_SECRET_KEY are missing";
    assert!(sent.code == 2 && sent.err.contains(told), "{}", sent.err);
}

#[test]
fn what_two_operations_need_besides_is_asked_for() {
    let server = start(hasty());
    let change = r#"[{"Attribute":"City","Value":"Pune"}]"#;
    let lead = ["submit", "-", "--operation", "lead.update"];
    assert_eq!(run_with_stdin(&server, &lead, change).code, 2);
    let sent = run_with_stdin(&server, &[&lead[..], &["--query", "leadId=a"]].concat(), change);
    assert_eq!((sent.code, sent.lines().len()), (0, 1), "{}", sent.err);
    let asked = run(&server, &["wait", "--operation", "lead.update", sent.lines()[0]]);
    assert!(asked.out.contains("succeeded  Request was successfully completed"), "{}", asked.out);

    let call = ["submit", "-", "--operation", "telephony.logcall"];
    assert_eq!(run_with_stdin(&server, &call, "{}").code, 2);
    let tail = |variable| [&call[..], &["--path-tail-env", variable]].concat();
    assert_eq!(run_with_stdin(&server, &tail("NOTHING"), "{}").code, 2);
    let sent = run_with_stdin(&server, &tail("CONNECTOR"), "{}");
    assert_eq!((sent.code, sent.lines().len()), (0, 1), "{}", sent.err);
}

#[test]
fn another_operation_is_reached_by_its_paths() {
    let server = start(Settings { custom: vec![("/task/create".into(), "Task Create".into())], ..hasty() });
    let options = ["--operation", "task.create", "--operation-path", "/task/create"];
    let sent = run_with_stdin(&server, &[&["submit", "-"], &options[..]].concat(), "[1, 2]");
    assert_eq!((sent.code, sent.lines().len()), (0, 1), "{}", sent.err);
    let asked = run(&server, &[&["wait", "--json", sent.lines()[0]], &options[..]].concat());
    assert_eq!(asked.json()[0]["operation"], "task.create");
    let unknown = run(&server, &["metrics", "--operation", "task.create"]);
    assert!(unknown.code == 2 && unknown.err.contains("--operation-path"), "{}", unknown.err);
}

#[test]
fn wrong_keys_are_told_once_and_name_the_region() {
    let server = start(Settings { api_key: "another".into(), ..hasty() });
    let ids: Vec<String> = (0..60).map(|n| format!("id-{n}\n")).collect();
    let asked = run_with_stdin(&server, &["status", "-", "--concurrency", "2"], &ids.concat());
    assert_eq!(asked.code, 4);
    assert!(asked.err.contains("401") && asked.err.contains("region"), "{}", asked.err);
    assert!(server.book().calls() <= 4, "{:?}", server.book());
    let calls = server.book().calls();
    let asked = run_with_stdin(&server, &["wait", "-", "--json"], &ids.concat());
    assert_eq!(asked.json().len(), 60);
    assert!(server.book().calls() <= calls + 3, "{:?}", server.book());
    assert!(asked.json().iter().all(|line| line["error"]["kind"] == "unauthorized"));
    let sent = run_with_stdin(&server, &["submit", "-", "--concurrency", "1"], THREE);
    assert_eq!((sent.code, sent.out.as_str()), (4, ""));
    assert!(
        sent.err.contains("not sent: lines 3-4 (2 rows). Send these and what was refused again."),
        "{}",
        sent.err
    );

    // Several are under way when the first answer comes.
    let rows: String = (2..40).map(|line| format!("a,201,{line}\n")).collect();
    let rows = format!("RelatedProspectId,ActivityEvent,ActivityNote\n{rows}");
    let slow = (Duration::from_millis(100), Duration::from_millis(100));
    let server = start(Settings { api_key: "another".into(), latency_in: slow, ..hasty() });
    let sent = run_with_stdin(&server, &["submit", "-", "--concurrency", "8"], &rows);
    let told: Vec<&str> = sent.err.lines().collect();
    assert_eq!((sent.code, told.len()), (4, 3), "{}", sent.err);
    assert!(told[0].starts_with("line") && told[0].contains("401"), "{}", sent.err);
    assert!(told[1].starts_with("not sent: lines ") && told[1].contains("-39 ("), "{}", sent.err);
    assert_eq!(told[2], "0 of 38 jobs were accepted");
}

#[test]
fn nothing_is_asked_where_no_id_is_given() {
    let server = start(hasty());
    let file = File::new("empty.txt", "\n# of today\n");
    let told = format!("{} holds no request id; did the submit work? Nothing was asked.", file.path());
    let asked = run(&server, &["wait", "--file", file.path()]);
    assert!(asked.code == 2 && asked.err.contains(&told), "{}", asked.err);
    let told = "standard input holds no request id; did the submit work?";
    for input in ["", "{\"line\":2,\"request_id\":null,\"error\":{}}\n"] {
        let asked = run_with_stdin(&server, &["status", "-"], input);
        assert!(asked.code == 2 && asked.err.contains(told), "{}", asked.err);
    }
    let ids = File::new("ids.txt", "id-1\n");
    let asked = run(&server, &["wait", "id-2", ids.path()]);
    let told = format!("{0} is a file: give it as --file {0}", ids.path());
    assert!(asked.code == 2 && asked.err.contains(&told), "{}", asked.err);
    assert_eq!(server.book().calls(), 0);
}

#[test]
fn wrong_usage_is_exit_2_and_sends_nothing() {
    let server = start(hasty());
    for args in [
        &["status"][..],
        &["status", "not an id"],
        &["status", "--file", "/nonexistent/ids"],
        &["status", "-", "--file", "-"],
        &["status", "x", "--concurrency", "0"],
        &["status", "x", "--concurrency", "65"],
        &["status", "x", "--unordered"],
        &["wait", "x", "--concurrency", "8"],
        &["wait", "x", "--price", "little"],
        &["wait", "x", "--unordered", "--price", "1s"],
        &["status", "x", "--quota", "lots"],
        &["status", "x", "--deadline", "soon"],
        &["status", "x", "--region", "mars"],
        &["status", "x", "--base-url", "http://example.com"],
        &["status", "x", "--set", "qouta=1"],
        &["status", "x", "--set", "secret_key=s3cr3t"],
        &["status", "x", "--api-key", "s3cr3t"],
        &["status", "x", "--operation", "nothing"],
        &["submit"],
        &["submit", "/nonexistent/rows.csv"],
        &["submit", "-", "--query", "s3cr3t"],
        &["nothing"],
        &[],
    ] {
        let told = run(&server, args);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{args:?}: {}", told.err);
        assert!(told.err.len() > 20 && !told.err.contains("s3cr3t"), "{args:?}: {}", told.err);
    }
    assert_eq!(server.book().calls() + server.book().unknown_paths, 0);
    let bare = finished(command(&["metrics"]).output().unwrap());
    assert!(bare.code == 2 && bare.err.contains("ACTIVITY_STATUS_API_KEY"), "{}", bare.err);
    let ids = File::new("not-ids", "api_key = s3cr3t-api-key\n");
    let told = run(&server, &["wait", "--file", ids.path()]);
    assert!(told.code == 2 && told.err.contains("line 1 holds no request id"), "{}", told.err);
}

#[test]
fn help_and_version_are_data() {
    for args in
        [&["--help"][..], &["--version"], &["submit", "--help"], &["wait", "-h"], &["sandbox", "--help"]]
    {
        let told = finished(command(args).output().unwrap());
        assert_eq!((told.code, told.err.as_str()), (0, ""), "{args:?}");
        assert!(told.out.contains("activity-status"));
        assert!(told.out.lines().all(|line| line.chars().count() <= 100), "{}", told.out);
    }
}

#[test]
fn keys_may_stand_in_a_file() {
    let server = start(hasty());
    let text = format!("# ours\napi_key = {}\nbase_url = \"{}\"\n", SECRETS[0], server.url());
    let file = File::new("keys", text);
    let asked = |args: &[&str]| {
        finished(command(&[&["metrics", "--keys", file.path()], args].concat()).output().unwrap())
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            |mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let run = asked(&[]);
        assert!(run.code == 0 && run.err.contains("can be read by other users"), "{}", run.err);
        mode(0o600);
    }
    let run = asked(&[]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let wrong = File::new("wrong-keys", "region = in\ns3cr3t-api-key\n");
    let run = finished(command(&["metrics", "--keys", wrong.path()]).output().unwrap());
    assert!(run.code == 2 && run.err.contains("line 2 is not of the form"), "{}", run.err);
}

#[test]
fn metrics_are_told_in_words_or_json() {
    let server = start(Settings { rate_per_minute: 6.0, ..hasty() });
    jobs(&server, &["1", "2", "3"]);
    let told = run(&server, &["metrics"]);
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    assert!(
        told.out.contains("pending        3\nlongest delay  30 s\nrate           0 a minute"),
        "{}",
        told.out
    );
    let told = run(&server, &["metrics", "--json"]);
    let line = &told.json()[0];
    assert_eq!((line["operation"].as_str(), &line["pending"]), (Some("activity.create"), &Value::from(3)));
    assert_eq!(
        (&line["max_delay_seconds"], &line["rate_per_minute"]),
        (&Value::from(30.0), &Value::from(0.0))
    );
    assert_eq!(line["raw"]["PendingMessages"], 3);

    plan(&server, [Planned::on(CallKind::Metrics, Fault::HtmlError)]);
    let told = run(&server, &["metrics", "--json", "--set", "max_attempts=1"]);
    assert_eq!((told.code, told.json()[0]["error"]["kind"].as_str()), (4, Some("server")));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_wait_and_lists_what_is_open() {
    let server = start(Settings { rate_per_minute: 1.0, ..hasty() });
    let ids = jobs(&server, &["1", "2"]);
    for silence in [false, true] {
        if silence {
            plan(&server, [Planned { times: 99, ..Planned::on(CallKind::Status, Fault::Silence) }]);
        }
        let calls = server.book().status_calls;
        let child =
            command_for(&server, &["wait", "--json", "--unordered", &ids[0], &ids[1]]).spawn().unwrap();
        until("both asked about", || server.book().status_calls >= calls + 2);
        pause(100);
        let clock = SystemClock::new();
        interrupt(&child);
        let waited = finished(child.wait_with_output().unwrap());
        // Far below the 30 s that an answer may take.
        assert!(clock.now() < Duration::from_secs(15), "it took {:?}", clock.now());
        assert_eq!(waited.code, 130);
        let named: Vec<Value> = waited.json().iter().map(|line| line["request_id"].clone()).collect();
        assert_eq!(named, ids);
        assert!(waited.json().iter().all(|line| line["error"]["kind"] == "interrupted"));
        let advice = "The jobs go on at the vendor's; run the same command again to go on waiting.";
        assert_eq!(waited.err.matches(advice).count(), 1, "{}", waited.err);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_in_a_submit_tells_what_is_in_doubt_and_what_was_not_sent() {
    let server = start(hasty());
    plan(
        &server,
        [Fault::Pass.into(), Planned { times: 99, ..Planned::on(CallKind::Submit, Fault::Silence) }],
    );
    let file = File::new("interrupted.csv", THREE);
    let child = command_for(&server, &["submit", "--concurrency", "1", file.path()]).spawn().unwrap();
    until("the second was sent", || server.book().submit_calls >= 2);
    interrupt(&child);
    let sent = finished(child.wait_with_output().unwrap());
    assert_eq!((sent.code, sent.lines().len()), (130, 1));
    assert!(sent.err.contains("line 3: IN DOUBT"), "{}", sent.err);
    assert!(sent.err.contains("not sent: line 4. Send only these again."), "{}", sent.err);
}

#[cfg(unix)]
#[test]
fn rows_that_were_accepted_are_never_among_those_to_send_again() {
    let server = start(hasty());
    // Eight rows wait for four calls, and which of them get those is chance.
    let quota = ["--quota", "4/1s", "--concurrency", "8"];
    let rows: String = (2..=40).map(|line| format!("a,201,{line}\n")).collect();
    let file = File::new("many.csv", format!("RelatedProspectId,ActivityEvent,ActivityNote\n{rows}"));
    let child = command_for(&server, &[&["submit", file.path()], &quota[..]].concat()).spawn().unwrap();
    until("some were overtaken", || server.book().accepted >= 8);
    pause(200);
    interrupt(&child);
    let sent = finished(child.wait_with_output().unwrap());
    let told = sent.err.lines().find_map(|line| line.strip_prefix("not sent: lines ")).expect(&sent.err);
    let (lines, rest) = told.split_once(" (").unwrap();
    assert_eq!(rest, format!("{} rows). Send only these again.", 39 - sent.lines().len()));
    let number = |text: &str| text.parse::<u64>().unwrap();
    let range = |run| {
        let (first, last) = str::split_once(run, '-').unwrap_or((run, run));
        number(first)..=number(last)
    };
    let again: Vec<u64> = lines.split(", ").flat_map(range).collect();
    let mut accepted = Vec::new();
    for id in sent.lines() {
        let asked = run(&server, &["status", "--json", id]);
        let body = asked.json()[0]["raw"]["TaskStatus"]["RequestBody"].as_str().unwrap().to_owned();
        let body: Value = serde_json::from_str(&body).unwrap();
        accepted.push(number(body["ActivityNote"].as_str().unwrap()));
    }
    let mut all = [again, accepted].concat();
    all.sort_unstable();
    assert_eq!(all, (2..=40).collect::<Vec<u64>>());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_what_reads_standard_input() {
    let server = start(hasty());
    let mut child = command_for(&server, &["wait", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    pause(300);
    interrupt(&child);
    assert_eq!(finished(child.wait_with_output().unwrap()).code, 130);
    drop(stdin);
}

#[test]
fn nobody_reading_on_is_no_panic_and_loses_no_id() {
    let server = start(hasty());
    let ids = jobs(&server, &["1", "2", "3"]);
    let mut child = command_for(&server, &["status", &ids[0], &ids[1], &ids[2]]).spawn().unwrap();
    drop(child.stdout.take());
    let asked = finished(child.wait_with_output().unwrap());
    assert_eq!((asked.code, asked.err.as_str()), (0, ""));

    let file = File::new("pipe.csv", THREE);
    let mut child = command_for(&server, &["submit", "--concurrency", "1", file.path()]).spawn().unwrap();
    drop(child.stdout.take());
    let sent = finished(child.wait_with_output().unwrap());
    let sent_id = server.sandbox().lock().unwrap().ids().nth(3).unwrap();
    assert_eq!((sent.code, server.book().accepted), (4, 4));
    assert!(sent.err.contains(&format!("could not be printed: {sent_id}")), "{}", sent.err);
    assert!(sent.err.contains("not sent: lines 3-4 (2 rows). Send only these again."), "{}", sent.err);
}

#[test]
fn a_port_that_is_taken_is_explained() {
    let server = start(hasty());
    let port = server.url().rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let told = finished(command(&["sandbox", "--port", &port]).output().unwrap());
    assert!(told.code == 2 && told.err.contains("is a sandbox running already?"), "{}", told.err);
}

#[cfg(unix)]
#[test]
fn the_sandbox_runs_until_it_is_stopped() {
    let answers = File::new(
        "answers.json",
        r#"{"cases": [{"name": "x", "request_id": "odd", "http_status": 200, "content_type": "text/html",
            "body_hex": "3c68313e", "expect": null}]}"#,
    );
    let options =
        ["--port", "0", "--rate", "60000", "--spelling", "all", "--latency", "0ms..1ms", "--retry-ladder"];
    let mut child = command(
        &[&["sandbox"], &options[..], &["10ms,20ms", "--answers", answers.path(), "--json"]].concat(),
    )
    .spawn()
    .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let url = line();
    assert!(url.starts_with("http://127.0.0.1:") && url.len() > 17, "{url}");
    let exports: Vec<String> = (0..4).map(|_| line()).collect();
    assert_eq!(exports[0], format!("export ACTIVITY_STATUS_BASE_URL={url}"));
    let tried = |args: &[&str], stdin: &str| {
        let mut command = command(args);
        for export in &exports {
            let (name, value) = export.strip_prefix("export ").unwrap().split_once('=').unwrap();
            command.env(name, value);
        }
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        finished(child.wait_with_output().unwrap())
    };
    let sent = tried(&["submit", "-"], THREE);
    assert_eq!(sent.code, 0, "{}", sent.err);
    assert_eq!(tried(&["wait", "-"], &sent.out).code, 1);
    let odd = tried(&["status", "--json", "odd"], "");
    assert_eq!(odd.json()[0]["error"]["kind"], "malformed");
    interrupt(&child);
    let mut book = String::new();
    out.read_to_string(&mut book).unwrap();
    let book: Value = serde_json::from_str(&book).unwrap();
    assert_eq!((&book["accepted"], &book["succeeded"], &book["refused"]), (&3.into(), &2.into(), &0.into()));
    assert_eq!(finished(child.wait_with_output().unwrap()).code, 0);
}

#[test]
fn the_sandbox_stays_on_this_machine_unless_told() {
    for args in [
        &["--host", "0.0.0.0"][..],
        &["--quota", "many"],
        &["--rate", "0"],
        &["--latency", "2s..1s"],
        &["--retry-ladder", "1s,soon"],
        &["--answers", "/nonexistent.json"],
        &["--window", "round"],
    ] {
        let told = finished(command(&[&["sandbox", "--port", "0"], args].concat()).output().unwrap());
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{args:?}");
    }
}

#[test]
fn the_demo_tells_the_whole_story() {
    let told = finished(command(&["demo"]).output().unwrap());
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{}", told.out);
    let number = |what: &str| -> u64 {
        let line = told.out.lines().find(|line| line.starts_with(what)).unwrap();
        line[what.len()..].split_whitespace().next().unwrap().parse().unwrap()
    };
    assert_eq!((number("Sent"), number("Succeeded"), number("Failed")), (40, 36, 4));
    assert_eq!((number("Retried by the CRM"), number("Calls refused")), (1, 0));
    assert!((80..=90).contains(&number("Calls made")), "{}", told.out);
    let head = "The 5 of interest (the other 35 succeeded at once):\nCustomer ";
    assert!(told.out.contains(head), "{}", told.out);
    let table: Vec<&str> =
        told.out.lines().skip_while(|line| !line.starts_with("Customer")).skip(1).take(5).collect();
    assert_eq!(
        table
            .iter()
            .filter(|line| line.split(" failed  ").nth(1).is_some_and(|why| why.trim().len() > 10))
            .count(),
        4
    );
    assert_eq!(
        table.iter().filter(|line| line.contains(" succeeded ") && line.contains("tried again")).count(),
        1
    );
    assert!(told.out.contains("shortens") || told.out.contains("where the CRM waits half a minute"));
    assert!(told.out.contains("What to try next:") && told.out.contains("paste the export lines"));
    assert!(!told.out.contains("{program}"), "{}", told.out);
    assert!(!told.out.contains('\u{1b}'));
}

#[test]
fn answers_come_in_the_order_of_asking() {
    let server = start(hasty());
    let ids = jobs(&server, &["1", "2", "3", "4", "5", "6"]);
    // The first answer takes its time, and the others are there before it.
    plan(&server, [Planned::on(CallKind::Status, Fault::SlowBody)]);
    let mut asked: Vec<&str> =
        vec!["status", "--json", "--set", "max_attempts=1", "--set", "body_timeout=700ms"];
    asked.extend(ids.iter().map(String::as_str));
    let told = finished(command_for(&server, &asked).output().unwrap());
    let named: Vec<Value> = told.json().iter().map(|line| line["request_id"].clone()).collect();
    assert_eq!(named, ids, "{}", told.out);
    assert_eq!(told.json().iter().filter(|line| line["error"]["kind"] == "timed_out").count(), 1);
    assert_eq!(told.code, 4);
}
