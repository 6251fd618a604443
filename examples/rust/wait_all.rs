//! Posts five activities and follows them all, each told of as soon as its end is known: `wait_all`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::process::ExitCode;

use activity_status::{Client, Error, Job, Operation, Outcome, WaitOptions};
use activity_status_examples::{client_from_environment, exit_code};
use serde_json::json;

fn main() -> ExitCode {
    match client_from_environment().and_then(|client| follow(&client, submit(&client)?)) {
        Ok(worst) => ExitCode::from(worst),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn submit(client: &Client) -> Result<Vec<Job>, Error> {
    let submit = |visit| {
        let body = json!({
            "RelatedProspectId": "b8e49bf4-3b56-49e0-a339-4cc5832d0e34",
            "ActivityEvent": 201,
            "ActivityNote": format!("Visit {visit}"),
        });
        let id = client.submit(&Operation::ACTIVITY_CREATE, &body)?;
        Ok(Job::new(Operation::ACTIVITY_CREATE, id))
    };
    (1..=5).map(submit).collect()
}

fn follow(client: &Client, jobs: Vec<Job>) -> Result<u8, Error> {
    let mut worst = 0;
    let mut waiting = client.wait_all(jobs, &WaitOptions::new());
    while let Some((job, outcome)) = waiting.next() {
        match outcome {
            Ok(status) => {
                println!("{}  {}  {}", job.request_id(), status.outcome(), status.reason());
                worst = worst.max(u8::from(status.outcome() == Outcome::Failed));
            }
            Err(error) => {
                eprintln!("{error}");
                worst = worst.max(exit_code(&error));
            }
        }
        let progress = waiting.progress();
        if let Some(eta) = progress.eta.filter(|_| progress.open() > 0) {
            let seconds = eta.remaining.as_secs_f64();
            println!("{} of {}, {seconds:.0} s to go", progress.settled, progress.total);
        }
    }
    Ok(worst)
}
