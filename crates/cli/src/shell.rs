use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use activity_status::{Error, ErrorKind, Outcome};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::Stop;

/// What a command works with: the streams, the environment and the wish to stop.
pub(crate) struct Shell<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    env: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) stop: &'a Stop,
    colour: bool,
    bar: ProgressBar,
}

impl<'a> Shell<'a> {
    pub(crate) fn new(
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
        env: &'a dyn Fn(&str) -> Option<String>,
        stop: &'a Stop,
    ) -> Self {
        Shell { out, err, env, stop, colour: false, bar: ProgressBar::hidden() }
    }

    /// Colours outcomes if standard output is a terminal that shows colours.
    pub(crate) fn with_colour_on_a_terminal(mut self) -> Self {
        let plain = self.env("NO_COLOR").is_some() || self.env("TERM").as_deref() == Some("dumb");
        self.colour = io::stdout().is_terminal() && !plain;
        self
    }

    /// A variable of the environment; none if it is empty.
    pub(crate) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    /// Prints one line of data, at once: whoever reads it has it even if this program ends badly.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        let Shell { out, bar, .. } = self;
        bar.suspend(|| writeln!(out, "{text}").and_then(|()| out.flush()))
    }

    /// Tells the user something that is not data. If nobody can hear it, that is no reason to stop.
    pub(crate) fn note(&mut self, text: impl Display) {
        let Shell { err, bar, .. } = self;
        let _ = bar.suspend(|| writeln!(err, "{text}").and_then(|()| err.flush()));
    }

    /// Shows a progress bar, on a terminal alone, until [`end_bar`](Shell::end_bar). It tells `what` is counted, and its pace.
    pub(crate) fn begin_bar(&mut self, len: usize, what: &str) -> ProgressBar {
        let bar = self.begin_bar_as("{prefix} {bar:30} {pos}/{len}  {pace}  {msg}", len);
        bar.set_prefix(what.to_owned());
        bar
    }

    /// The same, and all that stands beside it is its message.
    pub(crate) fn begin_bar_and_message(&mut self, len: usize) -> ProgressBar {
        self.begin_bar_as("{bar:20} {wide_msg}", len)
    }

    fn begin_bar_as(&mut self, template: &str, len: usize) -> ProgressBar {
        // Without a style of ours the bar has another one; it is not worth an error.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let pace = |state: &ProgressState, text: &mut dyn fmt::Write| {
            // Before the first one is through, nobody knows.
            if state.pos() > 0 {
                let _ = write!(text, "{:.1}/s  {} s left", state.per_sec(), state.eta().as_secs());
            }
        };
        let style = style.with_key("pace", pace);
        let bar = ProgressBar::with_draw_target(Some(len as u64), ProgressDrawTarget::stderr());
        bar.set_style(style.progress_chars("━━╌"));
        bar.tick();
        self.bar = bar.clone();
        bar
    }

    pub(crate) fn end_bar(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }

    /// The word for an outcome, in nine columns.
    pub(crate) fn outcome(&self, outcome: Outcome) -> String {
        let colour = match outcome {
            Outcome::Succeeded => "32",
            Outcome::Failed => "31",
            _ => "33",
        };
        self.coloured(&format!("{:9}", outcome.as_str()), colour)
    }

    pub(crate) fn coloured(&self, text: &str, colour: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// All of a file, or of standard input if it is called `-`. Reading ends when the user wishes to stop.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, Problem> {
        let (result, arrives) = mpsc::channel();
        let name = path.to_owned();
        // In a thread of its own, because a read cannot be interrupted.
        std::thread::spawn(move || {
            let read = match name.as_str() {
                "-" => {
                    let mut bytes = Vec::new();
                    io::Read::read_to_end(&mut io::stdin(), &mut bytes).map(|_| bytes)
                }
                path => std::fs::read(path),
            };
            result.send(read)
        });
        loop {
            match arrives.recv_timeout(TICK) {
                Ok(Ok(bytes)) => return Ok(bytes),
                Ok(Err(error)) => return Err(Problem::usage(format!("{}: {error}", named(path)))),
                Err(RecvTimeoutError::Timeout) if self.stop.is_triggered() => {
                    return Err(Problem::interrupted());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Problem::usage(format!("{} cannot be read", named(path))));
                }
            }
        }
    }
}

/// How soon a wish to stop is noticed where nothing can wake us.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// What to call an input in a message.
pub(crate) fn named(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}

/// Text of somebody else's on one line, without anything that a terminal would act on.
pub(crate) fn plain(text: &str) -> String {
    let spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
    spaced.chars().filter(|c| !c.is_control()).collect()
}

/// Why a command ended without doing all that it should: an exit code and a sentence.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Problem {
    /// Wrong usage or bad input.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Problem { code: exit::USAGE, text: text.into() }
    }

    pub(crate) fn interrupted() -> Self {
        Problem { code: exit::INTERRUPTED, text: "interrupted".into() }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Problem { code: exit::of(error.kind()), text: error.to_string() }
    }
}

impl From<io::Error> for Problem {
    /// Of what we print: a reader that has gone away has all that it wants.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Problem { code: exit::FINE, text: String::new() },
            _ => Problem { code: exit::TROUBLE, text: format!("standard output: {error}") },
        }
    }
}

/// The exit codes: of several, the highest counts.
pub(crate) mod exit {
    use super::ErrorKind;

    pub(crate) const FINE: u8 = 0;
    pub(crate) const JOB_FAILED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const DEADLINE: u8 = 3;
    pub(crate) const TROUBLE: u8 = 4;
    pub(crate) const INTERRUPTED: u8 = 130;

    pub(crate) fn of(kind: ErrorKind) -> u8 {
        match kind {
            ErrorKind::Config => USAGE,
            ErrorKind::Deadline => DEADLINE,
            ErrorKind::Interrupted => INTERRUPTED,
            _ => TROUBLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_exit_code() {
        for kind in ErrorKind::ALL {
            let expected = match kind.as_str() {
                "config" => 2,
                "deadline" => 3,
                "interrupted" => 130,
                _ => 4,
            };
            assert_eq!(exit::of(*kind), expected, "{kind}");
        }
    }

    #[test]
    fn foreign_text_stays_on_its_line() {
        assert_eq!(plain("a\r\n\tb \u{1b}[31mred\u{7}"), "a b [31mred");
    }
}
