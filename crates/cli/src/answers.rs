//! What was learned of the jobs that were asked about, in print.

use std::collections::BTreeMap;
use std::io;

use activity_status::{Error, ErrorKind, JobStatus, Operation, Outcome, Resend};
use serde::Serialize;

use crate::ids::Job;
use crate::shell::{Problem, Shell, exit, plain};

/// Prints what is learned, and keeps count.
pub(crate) struct Answers<'a> {
    json: bool,
    operation: Operation,
    jobs: &'a [Job],
    /// What each job is called in text, in columns.
    labels: Vec<String>,
    code: u8,
    /// Succeeded, failed, pending, without an answer, not asked about.
    counts: [usize; 5],
    /// One question each comes out in the order of asking, whatever is answered first.
    in_order: bool,
    /// What waits for those before it. Some have no line on standard output.
    lines: BTreeMap<usize, Option<String>>,
    /// How many came out in their order.
    printed: usize,
    output: io::Result<()>,
}

/// A job that is still open when asking ends.
pub(crate) struct Rest {
    pub(crate) kind: ErrorKind,
    pub(crate) why: String,
    pub(crate) seen: Seen,
}

/// What was seen of a job that is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Pending,
    NoAnswer,
    /// Its turn to be asked about had not come.
    NotAsked,
}

/// So many open jobs are listed one by one for a reader; a program has them all with `--json`.
const LISTED: usize = 20;

impl<'a> Answers<'a> {
    pub(crate) fn new(json: bool, operation: &Operation, jobs: &'a [Job], in_order: bool) -> Self {
        Answers {
            json,
            operation: operation.clone(),
            jobs,
            labels: labels(jobs),
            code: exit::FINE,
            counts: [0; 5],
            in_order,
            lines: BTreeMap::new(),
            printed: 0,
            output: Ok(()),
        }
    }

    /// What a job is called in text.
    pub(crate) fn label(&self, item: usize) -> &str {
        &self.labels[item]
    }

    /// Does nobody read any more?
    pub(crate) fn is_cut_off(&self) -> bool {
        self.output.is_err()
    }

    pub(crate) fn status(&mut self, shell: &mut Shell<'_>, item: usize, status: &JobStatus) {
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
            status.to_json(self.operation.name())
        } else {
            format!("{}  {}  {}", self.labels[item], shell.outcome(status.outcome()), detail(status))
        };
        self.put(shell, item, Some(line.trim_end().to_owned()));
    }

    pub(crate) fn error(&mut self, shell: &mut Shell<'_>, item: usize, error: &Error) {
        self.counts[3] += 1;
        self.code = self.code.max(exit::of(error.kind()));
        if !self.json {
            shell.note(format_args!("{}  no answer: {}", self.labels[item], plain(&error.to_string())));
        }
        self.put(shell, item, self.json.then(|| error.to_json()));
    }

    /// The jobs that are still open when asking ends.
    pub(crate) fn rest(&mut self, shell: &mut Shell<'_>, rest: &BTreeMap<usize, Rest>) {
        for (count, (item, Rest { kind, why, seen })) in rest.iter().enumerate() {
            if self.output.is_err() {
                return;
            }
            self.code = self.code.max(exit::of(*kind));
            let (place, word) = match seen {
                Seen::Pending => (2, "pending  "),
                Seen::NoAnswer => (3, "no answer"),
                Seen::NotAsked => (4, "not asked"),
            };
            self.counts[place] += 1;
            if self.json {
                let line = unanswered(&self.operation, self.jobs[*item].id.as_str(), *kind, why);
                self.put(shell, *item, Some(line));
            } else if count < LISTED {
                shell.note(format_args!("{}  {word}  {}", self.labels[*item], plain(why)));
            } else if count == LISTED {
                shell.note(format_args!("and {} more; --json lists them all", rest.len() - LISTED));
            }
        }
    }

    /// Everything has been told: the numbers of it, `advice` before them, and the exit code.
    pub(crate) fn finish(mut self, shell: &mut Shell<'_>, advice: Option<&str>) -> Result<u8, Problem> {
        self.flush(shell);
        if shell.stop.is_triggered() {
            self.code = exit::INTERRUPTED;
        }
        if let Some(advice) = advice {
            shell.note(advice);
        }
        match self.output {
            // Whoever reads has all that was wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(self.code),
            Err(error) => return Err(error.into()),
            Ok(()) => {}
        }
        if self.jobs.len() > 1 {
            let [succeeded, failed, pending, unanswered, not_asked] = self.counts;
            let mut text = format!(
                "{} jobs: {succeeded} succeeded, {failed} failed, {pending} pending",
                self.jobs.len()
            );
            for (count, what) in [(unanswered, "without an answer"), (not_asked, "not asked about yet")] {
                if count > 0 {
                    text += &format!(", {count} {what}");
                }
            }
            shell.note(text);
        }
        Ok(self.code)
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
    use crate::Stop;

    #[test]
    fn a_wish_to_stop_is_in_the_exit_code_even_if_nothing_is_open() {
        let (mut out, mut err, stop) = (Vec::new(), Vec::new(), Stop::new());
        let mut shell = Shell::new(&mut out, &mut err, &|_| None, &stop);
        let answers = || Answers::new(false, &Operation::LEAD_UPDATE, &[], true);
        assert_eq!(answers().finish(&mut shell, None).unwrap(), 0);
        stop.trigger();
        assert_eq!(answers().finish(&mut shell, None).unwrap(), 130);
    }

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
}
