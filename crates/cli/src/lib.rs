//! The command line of activity-status as a library: the binary and the Python package run the same function.
//!
//! [`main`] reads the arguments, the environment and the standard streams of the process, and answers the exit code.
//! It neither ends the process nor installs a signal handler: that is its caller's affair. A caller whose user
//! presses Ctrl-C triggers the [`Stop`] that it passed in, from whatever thread notices; `main` then prints what is
//! still open and answers 130 within about a quarter of a second, even while an answer of the vendor is outstanding.
//! The threads that wait for such an answer are left to end by themselves.
//!
//! ```
//! use activity_status_cli::Stop;
//!
//! let stop = Stop::new();
//! let code = activity_status_cli::main(["activity-status", "--version"], &stop);
//! assert_eq!(code, 0);
//! ```

mod account;
mod answers;
mod args;
mod commands;
mod each;
mod ids;
mod rows;
mod shell;
mod stop;

pub use stop::Stop;

use std::ffi::OsString;
use std::io;

use clap::Parser;
use clap::error::ErrorKind as Misuse;

use args::{Cli, Command};
use shell::{Shell, exit};

/// Runs one command. `args` begin with the name of the program, which is ignored.
///
/// Exit codes: 0 every question was answered and no job failed, 1 some job failed, 2 wrong usage or bad input,
/// 3 the deadline passed, 4 the vendor or the network, 130 interrupted; the highest that applies.
pub fn main<A: Into<OsString>>(args: impl IntoIterator<Item = A>, stop: &Stop) -> u8 {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let env = |name: &str| std::env::var(name).ok();
    let mut shell = Shell::new(&mut out, &mut err, &env, stop).with_colour_on_a_terminal();
    let cli = match Cli::try_parse_from(args.into_iter().map(Into::into)) {
        Ok(cli) => cli,
        Err(misuse) => return explain(&misuse, &mut shell),
    };
    let result = match &cli.command {
        Command::Demo => commands::demo(&mut shell),
        Command::Sandbox(args) => commands::sandbox(args, &mut shell),
        Command::Status(args) => commands::status(args, &mut shell),
        Command::Submit(args) => commands::submit(args, &mut shell),
        Command::Wait(args) => commands::wait(args, &mut shell),
        Command::Metrics(args) => commands::metrics(args, &mut shell),
    };
    shell.end_bar();
    result.unwrap_or_else(|problem| {
        if !problem.text.is_empty() {
            shell.note(format_args!("activity-status: {}", problem.text));
        }
        problem.code
    })
}

/// Help and the version are what was asked for; anything else is wrong usage.
fn explain(misuse: &clap::Error, shell: &mut Shell<'_>) -> u8 {
    let text = misuse.to_string();
    match misuse.kind() {
        Misuse::DisplayHelp | Misuse::DisplayVersion => {
            let _ = shell.line(text.trim_end());
            exit::FINE
        }
        _ => {
            shell.note(text.trim_end());
            if ["api-key", "access-key", "secret-key"].iter().any(|key| text.contains(key)) {
                shell.note("Keys are never arguments: use the environment or --keys FILE.");
            }
            exit::USAGE
        }
    }
}
