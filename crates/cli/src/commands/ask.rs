use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use activity_status::plugin::Clock;
use activity_status::{Error, ErrorKind, JobStatus, Operation, Outcome, Resend};
use serde::Serialize;

use crate::account::{self, Account};
use crate::args::AskArgs;
use crate::follow::{Ended, Left, Next, Plan, follow};
use crate::ids::{self, Job};
use crate::shell::{Problem, Shell, exit, plain};

/// Asks once about each job.
pub(crate) fn status(args: &AskArgs, shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let account = account::open(&args.account, None, shell)?;
    ask(args, account, shell, |_| true)
}

/// Asks about each job until it is settled.
pub(crate) fn wait(args: &AskArgs, shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let account = account::open(&args.account, Some(Duration::from_secs(3600)), shell)?;
    ask(args, account, shell, |outcome| outcome.is_settled())
}

/// The pauses between two questions about one job: the first one, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// The last question is asked this long before the deadline, so that its answer still comes in time.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// So many open jobs are listed one by one for a reader; a program has them all with `--json`.
const LISTED: usize = 20;

fn ask(
    args: &AskArgs,
    account: Account,
    shell: &mut Shell<'_>,
    enough: fn(Outcome) -> bool,
) -> Result<u8, Problem> {
    let jobs: Arc<[Job]> = ids::read(shell, &args.ids, args.file.as_deref())?.into();
    let Account { client, operation, threads, deadline, refusals, .. } = account;
    let plan = Plan { threads, deadline, ahead: usize::MAX, patient: false };
    let once = enough(Outcome::Pending);
    let bar = shell.begin_bar(jobs.len(), if once { "asked" } else { "settled" });
    let mut report = Report {
        json: args.account.json,
        operation: operation.clone(),
        labels: labels(&jobs),
        jobs: jobs.clone(),
        code: exit::FINE,
        counts: [0; 4],
        in_order: once,
        lines: BTreeMap::new(),
        printed: 0,
        output: Ok(()),
    };
    let mut open = vec![Open { pause: PAUSES.0, last: None, trouble: None, unheard: 0 }; jobs.len()];

    let mut known_keys = false;
    let stop = shell.stop.clone();
    let asked = jobs.clone();
    let question = move |item: usize| client.status(&operation, &asked[item].id);
    let left = follow(jobs.len(), &plan, &stop, question, |item, answer| {
        let open = &mut open[item];
        let mut halt = false;
        known_keys |= answer.is_ok();
        match answer {
            Ok(status) if enough(status.outcome()) => report.status(shell, item, &status),
            Ok(status) => {
                if jobs.len() == 1 {
                    bar.set_message(plain(status.state().as_str()));
                }
                (open.last, open.trouble) = (Some(status), None);
                return again(open, &plan, stop.now());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Next::Again(PAUSES.0),
            Err(error) if !once && passes(&error) && open.may_be_heard(&error) => {
                open.trouble = Some(error.message().to_owned());
                bar.set_message("no answer for now, going on");
                return again(open, &plan, stop.now());
            }
            Err(error) => {
                // Where the keys were good a moment ago, it is about this one job.
                halt = error.kind() == ErrorKind::Unauthorized && !known_keys;
                report.error(shell, item, &error);
            }
        }
        bar.inc(1);
        if halt || report.output.is_err() { Next::Halt } else { Next::Done }
    });
    shell.end_bar();
    report.open(shell, &left, &open);
    report.flush(shell);
    let rest = left.waiting.len() + left.outstanding.len();
    if !once && rest > 0 && [Ended::Interrupted, Ended::Deadline].contains(&left.ended) {
        let from_stdin = args.ids.iter().chain(&args.file).any(|name| name == "-");
        shell.note(format_args!("The jobs go on at the vendor's; {}.", how_to_go_on(from_stdin)));
    }
    match report.output {
        // Whoever reads has all that was wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(report.code),
        Err(error) => return Err(error.into()),
        Ok(()) => {}
    }
    report.summary(shell);
    refusals.tell(shell);
    Ok(report.code)
}

/// What fed standard input may have been a submit, which must not be run again.
fn how_to_go_on(from_stdin: bool) -> &'static str {
    if from_stdin {
        "give their ids to `wait` again to go on waiting, and do not submit them again"
    } else {
        "run the same command again to go on waiting"
    }
}

/// What is known of a job that is not settled.
#[derive(Clone)]
struct Open {
    pause: Duration,
    last: Option<JobStatus>,
    /// Why the last question brought no answer.
    trouble: Option<String>,
    /// How many questions in a row never reached the vendor.
    unheard: u32,
}

impl Open {
    /// Is the vendor there? As in the core's `wait`: three questions in a row that never reached it, and no answer
    /// before, and the address is wrong.
    fn may_be_heard(&mut self, error: &Error) -> bool {
        let elsewhere = matches!(error.kind(), ErrorKind::Transport | ErrorKind::Malformed);
        self.unheard = if elsewhere { self.unheard.saturating_add(1) } else { 0 };
        self.last.is_some() || self.unheard < 3
    }
}

/// Pauses grow by half; the last one ends in time for a last look.
fn again(open: &mut Open, plan: &Plan, now: Duration) -> Next {
    let pause = open.pause;
    open.pause = (pause + pause / 2).min(PAUSES.1);
    let last_look = plan.deadline.map(|deadline| deadline.saturating_sub(LAST_LOOK));
    match last_look {
        Some(last_look) if now < last_look => Next::Again(pause.min(last_look - now)),
        _ => Next::Again(pause),
    }
}

/// Is it worth asking again after this? A job is not lost because one question failed.
fn passes(error: &Error) -> bool {
    error.resend() == Resend::Safe && error.kind() != ErrorKind::Limiter
}

/// Prints what is learned, and keeps count.
struct Report {
    json: bool,
    operation: Operation,
    jobs: Arc<[Job]>,
    /// What each job is called in text, in columns.
    labels: Vec<String>,
    code: u8,
    /// Succeeded, failed, pending, without an answer.
    counts: [usize; 4],
    /// One question each comes out in the order of asking, whatever is answered first.
    in_order: bool,
    /// What waits for those before it. Some have no line on standard output.
    lines: BTreeMap<usize, Option<String>>,
    /// How many came out in their order.
    printed: usize,
    output: io::Result<()>,
}

impl Report {
    fn status(&mut self, shell: &mut Shell<'_>, item: usize, status: &JobStatus) {
        let place = match status.outcome() {
            Outcome::Succeeded => 0,
            Outcome::Failed => 1,
            _ => 2,
        };
        self.counts[place] += 1;
        if status.outcome() == Outcome::Failed {
            self.code = self.code.max(exit::JOB_FAILED);
        }
        let line = if self.json {
            status.to_json(&self.operation)
        } else {
            format!("{}  {}  {}", self.labels[item], shell.outcome(status.outcome()), detail(status))
        };
        self.put(shell, item, Some(line.trim_end().to_owned()));
    }

    /// One job's line, at once or when those before it are out.
    fn put(&mut self, shell: &mut Shell<'_>, item: usize, line: Option<String>) {
        self.lines.insert(item, line);
        if !self.in_order {
            return self.flush(shell);
        }
        while let Some(line) = self.lines.remove(&self.printed) {
            self.printed += 1;
            self.print(shell, line);
        }
    }

    /// Everything that still waits, in its order.
    fn flush(&mut self, shell: &mut Shell<'_>) {
        for (_, line) in std::mem::take(&mut self.lines) {
            self.print(shell, line);
        }
    }

    fn print(&mut self, shell: &mut Shell<'_>, line: Option<String>) {
        if let (Ok(()), Some(line)) = (&self.output, line) {
            self.output = shell.line(&line);
        }
    }

    fn error(&mut self, shell: &mut Shell<'_>, item: usize, error: &Error) {
        self.counts[3] += 1;
        self.code = self.code.max(exit::of(error.kind()));
        if !self.json {
            shell.note(format_args!("{}  no answer: {}", self.labels[item], plain(&error.to_string())));
        }
        self.put(shell, item, self.json.then(|| error.to_json()));
    }

    /// Jobs that are still open when asking ends.
    fn open(&mut self, shell: &mut Shell<'_>, left: &Left, open: &[Open]) {
        if self.output.is_err() {
            return;
        }
        let items: Vec<usize> = left.waiting.union(&left.outstanding).copied().collect();
        let (kind, why) = match left.ended {
            Ended::Interrupted => (ErrorKind::Interrupted, "interrupted before it was settled"),
            Ended::Deadline => (ErrorKind::Deadline, "not settled by the deadline"),
            Ended::Halted => (ErrorKind::Unauthorized, "not asked, because the keys were not accepted"),
            Ended::Complete => (ErrorKind::Transport, "the question ended without an answer"),
        };
        if !items.is_empty() || left.ended == Ended::Interrupted {
            self.code = self.code.max(exit::of(kind));
        }
        for (count, item) in items.iter().enumerate() {
            if self.output.is_err() {
                return;
            }
            let Open { last, trouble, .. } = &open[*item];
            let (place, word) = if last.is_some() { (2, "pending  ") } else { (3, "no answer") };
            self.counts[place] += 1;
            let state = last.as_ref().map(|status| format!(": its last state is {}", status.state()));
            let trouble = trouble.as_ref().map(|what| format!("; the last question failed: {what}"));
            let text = format!("{why}{}{}", state.unwrap_or_default(), trouble.unwrap_or_default());
            if self.json {
                let id = self.jobs[*item].id.as_str();
                let line = unanswered(&self.operation, id, kind, &text);
                self.put(shell, *item, Some(line));
            } else if count < LISTED {
                shell.note(format_args!("{}  {word}  {}", self.labels[*item], plain(&text)));
            } else if count == LISTED {
                shell.note(format_args!("and {} more; --json lists them all", items.len() - LISTED));
            }
        }
    }

    fn summary(&self, shell: &mut Shell<'_>) {
        if self.jobs.len() < 2 {
            return;
        }
        let [succeeded, failed, pending, unanswered] = self.counts;
        let mut text =
            format!("{} jobs: {succeeded} succeeded, {failed} failed, {pending} pending", self.jobs.len());
        if unanswered > 0 {
            text += &format!(", {unanswered} without an answer");
        }
        shell.note(text);
    }
}

/// The id of each job, after its line where one is known.
fn labels(jobs: &[Job]) -> Vec<String> {
    let line = |job: &Job| job.line.map(|line| format!("line {line}  ")).unwrap_or_default();
    let before = jobs.iter().map(|job| line(job).len()).max().unwrap_or(0);
    let width = jobs.iter().map(|job| job.id.as_str().len()).max().unwrap_or(0);
    jobs.iter().map(|job| format!("{:before$}{:width$}", line(job), job.id.as_str())).collect()
}

/// What a reader wants to know besides the outcome.
fn detail(status: &JobStatus) -> String {
    match (status.outcome(), status.created_id()) {
        (Outcome::Succeeded, Some(id)) => format!("created {}", plain(id)),
        (Outcome::Pending, _) if !status.reason().is_empty() => {
            plain(&format!("{} ({})", status.state(), status.reason()))
        }
        (Outcome::Pending, _) => plain(status.state().as_str()),
        _ => plain(status.reason()),
    }
}

/// A job without an answer as one line of JSON, in the form that the core gives errors.
fn unanswered(operation: &Operation, id: &str, kind: ErrorKind, text: &str) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        request_id: &'a str,
        operation: &'a str,
        error: Body<'a>,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        kind: &'a str,
        message: String,
        resend: &'a str,
        http_status: Option<u16>,
    }
    let message = format!("{text} ({operation}, request {id}). {}", kind.advice());
    let error = Body { kind: kind.as_str(), message, resend: Resend::Safe.as_str(), http_status: None };
    let line = Line { request_id: id, operation: operation.name(), error };
    serde_json::to_string(&line).expect("texts and numbers always serialise")
}

#[cfg(test)]
mod tests {
    use activity_status::RequestId;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_job_without_an_answer_has_the_form_of_an_error() {
        let keys = |json: &str| -> Vec<String> {
            let value: Value = serde_json::from_str(json).unwrap();
            let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            [names(&value), names(&value["error"])].concat()
        };
        let ours = unanswered(&Operation::LEAD_UPDATE, "1", ErrorKind::Deadline, "not settled");
        assert_eq!(keys(&ours), keys(&RequestId::new("").unwrap_err().to_json()));
        assert!(ours.starts_with(
            r#"{"request_id":"1","operation":"lead.update","error":{"kind":"deadline","message":"not"#
        ));
    }

    #[test]
    fn a_job_is_called_by_its_line_where_that_is_known() {
        let job = |id: &str, line| Job { id: RequestId::new(id).unwrap(), line };
        assert_eq!(labels(&[job("a", None), job("bcd", None)]), ["a  ", "bcd"]);
        assert_eq!(
            labels(&[job("a", Some(4)), job("b", Some(12)), job("c", None)]),
            ["line 4   a", "line 12  b", "         c"]
        );
    }

    #[test]
    fn the_last_pause_ends_before_the_deadline() {
        let plan = |deadline| Plan {
            threads: 1,
            deadline: Some(Duration::from_secs(deadline)),
            ahead: 1,
            patient: false,
        };
        let mut open = Open { pause: PAUSES.0, last: None, trouble: None, unheard: 0 };
        let mut pauses = |deadline, now| match again(&mut open, &plan(deadline), Duration::from_secs(now)) {
            Next::Again(pause) => pause.as_secs_f64(),
            _ => panic!(),
        };
        assert_eq!([pauses(99, 0), pauses(99, 1), pauses(99, 2)], [1.0, 1.5, 2.25]);
        assert_eq!(pauses(10, 8), 1.0);
        assert!(pauses(10, 9) > 1.0);
        for _ in 0..9 {
            assert!(pauses(999, 0) <= 15.0);
        }
    }
}
