use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use activity_status::{Error, ErrorKind, Operation, RequestId, Resend, Submission};
use serde::Serialize;

use crate::account::{self, Account};
use crate::args::SubmitArgs;
use crate::follow::{Ended, Left, Next, Plan, follow};
use crate::rows::{self, Row};
use crate::shell::{Problem, Shell, exit, named, plain};

/// After so many submits in a row that the vendor or the network failed, no more are sent: each may be in doubt, and
/// somebody will have to look each of those up.
const FAILURES: usize = 5;

/// So many bad lines are named.
const NAMED: usize = 20;

/// Sends the jobs of a file.
pub(crate) fn submit(args: &SubmitArgs, shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let Account { client, operation, may_submit, threads, deadline, refusals } =
        account::open(&args.account, None, shell)?;
    if !may_submit {
        return Err(Problem::usage(
            "a submit needs two more keys: set ACTIVITY_STATUS_ACCESS_KEY and ACTIVITY_STATUS_SECRET_KEY, or put \
             access_key and secret_key into the file that --keys names",
        ));
    }
    let additions = additions(args, &operation, shell)?;
    let bytes = shell.read(&args.file)?;
    let rows = rows::parse(&bytes, &operation, args.as_is).map_err(|wrong| refusal(&args.file, &wrong))?;
    let rows: Arc<[Row]> = rows.into();

    let json = args.account.json;
    // Ids that come early wait for those before them; so that few do, no row goes far ahead.
    let ahead = if json { usize::MAX } else { threads };
    let plan = Plan { threads, deadline, ahead, patient: true };
    let bar = shell.begin_bar(rows.len(), "sent");
    let mut report = Report {
        json,
        operation: operation.clone(),
        rows: rows.clone(),
        held: BTreeMap::new(),
        next: 0,
        code: exit::FINE,
        sent: 0,
        in_doubt: 0,
        failures: 0,
        output: Ok(()),
    };
    let stop = shell.stop.clone();
    let bodies = rows.clone();
    let send = move |item: usize| {
        let submission = additions.add_to(Submission::from(bodies[item].body.as_str()));
        client.submit(&operation, submission)
    };
    let left = follow(rows.len(), &plan, &stop, send, |item, answer| {
        if answer.as_ref().is_err_and(never_sent) {
            return Next::Again(Duration::ZERO);
        }
        bar.inc(1);
        let halt = report.answer(shell, item, answer);
        if halt || report.output.is_err() { Next::Halt } else { Next::Done }
    });
    shell.end_bar();
    report.finish(shell, &left);
    refusals.tell(shell);
    match report.output {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(report.code),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(report.code),
    }
}

/// The user's wish to stop came while it waited for the quota.
fn never_sent(error: &Error) -> bool {
    error.kind() == ErrorKind::Interrupted && error.resend() == Resend::Safe
}

fn refusal(file: &str, wrong: &[String]) -> Problem {
    let mut lines: Vec<String> =
        wrong.iter().take(NAMED).map(|what| format!("{}: {what}", named(file))).collect();
    if wrong.len() > NAMED {
        lines.push(format!("and {} more", wrong.len() - NAMED));
    }
    lines.push("Nothing was sent.".into());
    Problem::usage(lines.join("\n"))
}

/// What each submit carries besides its body.
struct Additions {
    query: Vec<(String, String)>,
    path_tail: Option<String>,
}

impl Additions {
    fn add_to<'a>(&self, submission: Submission<'a>) -> Submission<'a> {
        let submission = self.query.iter().fold(submission, |it, (name, value)| it.query(name, value));
        match &self.path_tail {
            Some(tail) => submission.path_tail(tail),
            None => submission,
        }
    }
}

fn additions(args: &SubmitArgs, operation: &Operation, shell: &Shell<'_>) -> Result<Additions, Problem> {
    let pair = |it: &String| {
        let (name, value) = it.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let query: Option<Vec<_>> = args.query.iter().map(pair).collect();
    let query = query.ok_or_else(|| Problem::usage("--query takes NAME=VALUE, such as leadId=…"))?;
    if *operation == Operation::LEAD_UPDATE && !query.iter().any(|(name, _)| name == "leadId") {
        return Err(Problem::usage("lead.update needs the lead: --query leadId=…"));
    }
    let path_tail = match &args.path_tail_env {
        Some(name) => Some(shell.env(name).ok_or_else(|| {
            Problem::usage(format!("the environment has no {name}, which --path-tail-env names"))
        })?),
        None if *operation == Operation::TELEPHONY_LOG_CALL => {
            return Err(Problem::usage(
                "telephony.logcall needs the key of the connector: put it in an environment variable and name that \
                 with --path-tail-env",
            ));
        }
        None => None,
    };
    Ok(Additions { query, path_tail })
}

/// Prints ids, in the order of the file, and what went wrong.
struct Report {
    json: bool,
    operation: Operation,
    rows: Arc<[Row]>,
    /// Answers that wait for those before them. None: there is no id to print.
    held: BTreeMap<usize, Option<RequestId>>,
    next: usize,
    code: u8,
    sent: usize,
    in_doubt: usize,
    /// How many failed in a row.
    failures: usize,
    output: io::Result<()>,
}

impl Report {
    /// Answers whether nothing more is to be sent.
    fn answer(&mut self, shell: &mut Shell<'_>, item: usize, answer: Result<RequestId, Error>) -> bool {
        match answer {
            Ok(id) => {
                self.failures = 0;
                self.sent += 1;
                if self.json {
                    let line = Line { request_id: Some(id.as_str()), ..self.line(item) };
                    self.print(shell, &line.to_string(), id.as_str());
                } else {
                    self.held.insert(item, Some(id));
                    self.release(shell);
                }
                false
            }
            Err(error) => {
                let kind = error.kind();
                self.failures += usize::from(matches!(
                    kind,
                    ErrorKind::InDoubt
                        | ErrorKind::Transport
                        | ErrorKind::TimedOut
                        | ErrorKind::Server
                        | ErrorKind::Malformed
                ));
                let problem = Said {
                    kind,
                    message: error.to_string(),
                    resend: error.resend(),
                    http_status: error.http_status(),
                };
                self.problem(shell, item, &problem);
                self.release(shell);
                kind == ErrorKind::Unauthorized || self.failures >= FAILURES
            }
        }
    }

    fn problem(&mut self, shell: &mut Shell<'_>, item: usize, said: &Said) {
        self.code = self.code.max(exit::of(said.kind));
        self.in_doubt += usize::from(said.resend == Resend::MayDuplicate);
        if self.json {
            let body = ErrorBody {
                kind: said.kind.as_str(),
                message: &said.message,
                resend: said.resend.as_str(),
                http_status: said.http_status,
            };
            let line = Line { error: Some(body), ..self.line(item) }.to_string();
            self.print(shell, &line, &line);
        } else {
            self.held.insert(item, None);
            let doubt = if said.resend == Resend::MayDuplicate { "IN DOUBT, " } else { "" };
            shell.note(format_args!("line {}: {doubt}{}", self.rows[item].line, plain(&said.message)));
        }
    }

    /// Prints the ids that wait for nothing.
    fn release(&mut self, shell: &mut Shell<'_>) {
        while let Some(answer) = self.held.remove(&self.next) {
            self.next += 1;
            if let Some(id) = answer {
                self.print(shell, id.as_str(), id.as_str());
            }
        }
    }

    /// What cannot be printed where it belongs is told to the user: an id must not be lost.
    fn print(&mut self, shell: &mut Shell<'_>, line: &str, otherwise: &str) {
        if self.output.is_ok() {
            self.output = shell.line(line);
        }
        if self.output.is_err() {
            shell.note(format_args!("could not be printed: {otherwise}"));
            self.code = self.code.max(exit::TROUBLE);
        }
    }

    fn finish(&mut self, shell: &mut Shell<'_>, left: &Left) {
        let why = match left.ended {
            Ended::Interrupted => ErrorKind::Interrupted,
            Ended::Deadline => ErrorKind::Deadline,
            _ => ErrorKind::Transport,
        };
        for item in &left.outstanding {
            let message =
                format!("it was sent, and the end came before its answer. {}", ErrorKind::InDoubt.advice());
            let said =
                Said { kind: ErrorKind::InDoubt, message, resend: Resend::MayDuplicate, http_status: None };
            self.problem(shell, *item, &said);
        }
        if left.ended == Ended::Interrupted {
            self.code = exit::INTERRUPTED;
        }
        self.unsent(shell, left, why);
        for (_, id) in std::mem::take(&mut self.held) {
            if let Some(id) = id {
                self.print(shell, id.as_str(), id.as_str());
            }
        }
        let total = self.rows.len();
        if total > 1 || self.sent < total {
            let mut text = format!("{} of {total} jobs were accepted", self.sent);
            if self.in_doubt > 0 {
                text +=
                    &format!("; in doubt: {}, look in the CRM before you send those again", self.in_doubt);
            }
            shell.note(text);
        }
    }

    /// Rows that were never begun.
    fn unsent(&mut self, shell: &mut Shell<'_>, left: &Left, kind: ErrorKind) {
        let lines: Vec<u64> = left.waiting.iter().map(|item| self.rows[*item].line).collect();
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return };
        self.code = self.code.max(exit::of(kind));
        let why = match left.ended {
            Ended::Interrupted => "interrupted before it was sent",
            Ended::Deadline => "not sent: the deadline passed",
            _ if self.failures >= FAILURES => "not sent, because several submits before it failed in a row",
            _ => "not sent, because of what went wrong before it",
        };
        if self.json {
            for item in &left.waiting {
                let said = Said { kind, message: why.to_owned(), resend: Resend::Safe, http_status: None };
                self.problem(shell, *item, &said);
            }
        } else if lines.len() == 1 {
            shell.note(format_args!("line {first}: {why}"));
        } else {
            shell.note(format_args!("{} rows, of lines {first} to {last}: {why}", lines.len()));
        }
    }

    fn line(&self, item: usize) -> Line<'_> {
        Line { line: self.rows[item].line, request_id: None, operation: self.operation.name(), error: None }
    }
}

/// What is said of a row that brought no id.
struct Said {
    kind: ErrorKind,
    message: String,
    resend: Resend,
    http_status: Option<u16>,
}

/// A submit as one line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    line: u64,
    request_id: Option<&'a str>,
    operation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody<'a>>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    kind: &'a str,
    message: &'a str,
    resend: &'a str,
    http_status: Option<u16>,
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).expect("texts and numbers always serialise"))
    }
}
