//! Posts an activity and waits for its outcome: `submit_and_wait [FILE]`, where FILE holds the activity as JSON.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::process::ExitCode;

use activity_status::{Client, Error, Operation, Outcome, Resend, WaitOptions};
use activity_status_examples::{client_from_environment, exit_code};
use serde_json::json;

fn main() -> ExitCode {
    let body = match std::env::args().nth(1) {
        Some(file) => match std::fs::read_to_string(&file) {
            Ok(body) => body,
            Err(error) => {
                eprintln!("{file}: {error}");
                return ExitCode::from(2);
            }
        },
        None => json!({
            "RelatedProspectId": "b8e49bf4-3b56-49e0-a339-4cc5832d0e34",
            "ActivityEvent": 201,
            "ActivityNote": "Visited the stand",
            "ActivityDateTime": "2026-01-31 12:13:44",
        })
        .to_string(),
    };
    match client_from_environment().and_then(|client| post(&client, &body)) {
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if error.resend() == Resend::MayDuplicate {
                eprintln!("it may have been created all the same");
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

fn post(client: &Client, body: &str) -> Result<Outcome, Error> {
    let id = client.submit(&Operation::ACTIVITY_CREATE, body)?;
    println!("submitted: {id}");
    let status = client.wait(&Operation::ACTIVITY_CREATE, &id, &WaitOptions::new())?;
    match status.created_id() {
        Some(created) => println!("{}: created {created}", status.outcome()),
        None => println!("{}: {}", status.outcome(), status.reason()),
    }
    Ok(status.outcome())
}
