//! Asks once how each job stands: `status ID...`
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::process::ExitCode;

use activity_status::{Error, Operation, Outcome, RequestId};
use activity_status_examples::{client_from_environment, exit_code};

fn main() -> ExitCode {
    let ids: Vec<String> = std::env::args().skip(1).collect();
    match ask(&ids) {
        Ok(failed) => ExitCode::from(u8::from(failed)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Did one of the jobs fail?
fn ask(ids: &[String]) -> Result<bool, Error> {
    let client = client_from_environment()?;
    let mut failed = false;
    for id in ids {
        let status = client.status(&Operation::ACTIVITY_CREATE, &RequestId::new(id)?)?;
        println!("{id}: {} ({}) {}", status.outcome(), status.state(), status.reason());
        failed |= status.outcome() == Outcome::Failed;
    }
    Ok(failed)
}
