use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use activity_status::{Error, ErrorKind, Operation, RequestId, Resend, Submission};
use serde::Serialize;

use crate::account::{self, Account, Refusals};
use crate::args::SubmitArgs;
use crate::each::{Ended, Left, Next, Plan, each};
use crate::rows::{self, Row};
use crate::shell::{Problem, Shell, exit, named, plain};

/// After so many submits in a row that the vendor or the network failed, no more are sent: each may be in doubt, and
/// somebody will have to look each of those up.
const FAILURES: usize = 5;

/// So many bad lines are named.
const NAMED: usize = 20;

/// Sends the jobs of a file.
pub(crate) fn submit(args: &SubmitArgs, shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let refusals = Refusals::default();
    let Account { client, operation, may_submit, deadline } =
        account::open(&args.account, None, refusals.clone(), shell)?;
    if !may_submit {
        return Err(Problem::usage(
            "ACTIVITY_STATUS_ACCESS_KEY and ACTIVITY_STATUS_SECRET_KEY are missing: a submit needs both besides the \
             API key; set them, or put access_key and secret_key into the file that --keys names",
        ));
    }
    let additions = additions(args, &operation, shell)?;
    let bytes = shell.read(&args.file)?;
    let rows = rows::parse(&bytes, &operation, args.as_is).map_err(|wrong| refusal(&args.file, &wrong))?;
    let rows: Arc<[Row]> = rows.into();

    let json = args.account.json;
    let threads = args.abreast.concurrency.into();
    // Ids that come early wait for those before them; so that few do, no row goes far ahead.
    let ahead = if json { usize::MAX } else { threads };
    let plan = Plan { threads, deadline, ahead, patient: true };
    let bar = shell.begin_bar(rows.len(), "sent");
    let mut report = Report {
        json,
        operation: operation.clone(),
        places: Places::of(&rows),
        rows: rows.clone(),
        held: BTreeMap::new(),
        next: 0,
        unauthorized: BTreeMap::new(),
        code: exit::FINE,
        sent: 0,
        in_doubt: 0,
        refused: 0,
        failures: 0,
        output: Ok(()),
    };
    let stop = shell.stop.clone();
    let bodies = rows.clone();
    let send = move |item: usize| {
        let submission = additions.add_to(Submission::from(bodies[item].body.as_str()));
        client.submit(&operation, submission)
    };
    let left = each(rows.len(), &plan, &stop, send, |item, answer| {
        if answer.as_ref().is_err_and(never_sent) {
            return Next::Stopped;
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
    places: Places,
    /// Answers that wait for those before them. None: there is no id to print.
    held: BTreeMap<usize, Option<RequestId>>,
    next: usize,
    /// What was said of wrong keys, and of which rows: all that are under way hear the same.
    unauthorized: BTreeMap<String, BTreeSet<usize>>,
    code: u8,
    sent: usize,
    in_doubt: usize,
    /// Sent, and certainly not accepted.
    refused: usize,
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
                self.refused += usize::from(problem.resend != Resend::MayDuplicate);
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
            let message = plain(&said.message);
            if said.kind == ErrorKind::Unauthorized {
                self.unauthorized.entry(message).or_default().insert(item);
                return;
            }
            let doubt = if said.resend == Resend::MayDuplicate { "IN DOUBT, " } else { "" };
            shell.note(format_args!("{}: {doubt}{message}", self.places.named(&BTreeSet::from([item]))));
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
        for (message, items) in &self.unauthorized {
            shell.note(format_args!("{}: {message}", self.places.named(items)));
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
        if left.waiting.is_empty() {
            return;
        }
        self.code = self.code.max(exit::of(kind));
        let failing = self.failures >= FAILURES;
        if self.json {
            let why = match left.ended {
                Ended::Interrupted => "interrupted before it was sent",
                Ended::Deadline => "not sent: the deadline passed",
                _ if failing => "not sent, because several submits before it failed in a row",
                _ => "not sent, because of what went wrong before it",
            };
            for item in &left.waiting {
                let said = Said { kind, message: why.to_owned(), resend: Resend::Safe, http_status: None };
                self.problem(shell, *item, &said);
            }
        } else {
            let why = match left.ended {
                Ended::Deadline => "the deadline passed; ",
                Ended::Halted if failing => "several submits failed in a row; ",
                _ => "",
            };
            let count = match left.waiting.len() {
                1 => String::new(),
                count => format!(" ({count} rows)"),
            };
            let again = if self.refused > 0 { "these and what was refused" } else { "only these" };
            let places = self.places.named(&left.waiting);
            shell.note(format_args!("{why}not sent: {places}{count}. Send {again} again."));
        }
    }

    fn line(&self, item: usize) -> Line<'_> {
        Line { line: self.rows[item].line, request_id: None, operation: self.operation.name(), error: None }
    }
}

/// What to call the rows of a file.
struct Places {
    what: &'static str,
    numbers: Vec<u64>,
}

impl Places {
    /// Lines; but where several jobs stand on one line, that would not tell which, and they are counted from 1.
    fn of(rows: &[Row]) -> Self {
        if rows.windows(2).all(|pair| pair[0].line < pair[1].line) {
            Places { what: "line", numbers: rows.iter().map(|row| row.line).collect() }
        } else {
            Places { what: "job", numbers: (1..=rows.len() as u64).collect() }
        }
    }

    /// `lines 7, 9, 13-40`: somebody will send these again, so no range covers a row that is not meant.
    fn named(&self, items: &BTreeSet<usize>) -> String {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for item in items.iter().copied() {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == item => *last = item,
                _ => runs.push((item, item)),
            }
        }
        let run = |(first, last): &(usize, usize)| match (self.numbers[*first], self.numbers[*last]) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        let plural = if items.len() == 1 { "" } else { "s" };
        format!("{}{plural} {}", self.what, runs.iter().map(run).collect::<Vec<_>>().join(", "))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn places(lines: &[u64]) -> Places {
        let rows: Vec<Row> = lines.iter().map(|line| Row { line: *line, body: String::new() }).collect();
        Places::of(&rows)
    }

    #[test]
    fn a_range_has_no_holes() {
        let csv = places(&(2..=40).collect::<Vec<u64>>());
        let named = |lines: &[usize]| csv.named(&lines.iter().map(|line| line - 2).collect());
        assert_eq!(named(&[7]), "line 7");
        assert_eq!(named(&[7, 8]), "lines 7-8");
        assert_eq!(named(&[7, 9, 11]), "lines 7, 9, 11");
        let open: Vec<usize> = [7, 9, 11].into_iter().chain(13..=40).collect();
        assert_eq!(named(&open), "lines 7, 9, 11, 13-40");
        assert_eq!(named(&(2..=40).collect::<Vec<usize>>()), "lines 2-40");
        // Rows that follow each other have no hole between them, however many lines each takes.
        assert_eq!(places(&[2, 3, 7, 8]).named(&BTreeSet::from([1, 2])), "lines 3-7");
    }

    #[test]
    fn jobs_on_one_line_are_told_apart() {
        assert_eq!(places(&[1, 1, 1, 2]).named(&BTreeSet::from([0, 2, 3])), "jobs 1, 3-4");
        assert_eq!(places(&[1]).named(&BTreeSet::from([0])), "line 1");
    }
}
