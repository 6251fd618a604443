//! The command line. All of it is in the library; here are the process and its signals.

use std::process::{ExitCode, exit};
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::Clock;
use activity_status_cli::Stop;

/// How long a command that was interrupted may take to print what is still open. It takes less, unless whoever reads
/// its output does not; a second Ctrl-C does not wait.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The exit code of a program that was interrupted.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let stop = Stop::new();
    let on_signal = stop.clone();
    let mut impatient = false;
    // In a thread of its own, so that this ends the program even while the command is blocked.
    let installed = ctrlc::set_handler(move || {
        if impatient {
            exit(INTERRUPTED.into());
        }
        impatient = true;
        on_signal.trigger();
        std::thread::spawn(|| {
            let _ = SystemClock::new().sleep(LAST_WORDS);
            exit(INTERRUPTED.into());
        });
    });
    // Without a handler, Ctrl-C ends the program all the same, without its last words.
    drop(installed);
    ExitCode::from(activity_status_cli::main(std::env::args_os(), &stop))
}
