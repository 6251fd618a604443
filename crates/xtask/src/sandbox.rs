//! The sandbox as a process of its own, for programs that are tested from outside.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::run::{Run, Step, target, workshop};

/// Where a sandbox listens, and how programs are told.
pub(crate) struct Address {
    pub(crate) url: String,
    /// A job that it knows.
    id: String,
}

impl Address {
    /// The arguments that an example needs to find something to do.
    pub(crate) fn arguments(&self, example: &str) -> Vec<String> {
        if ["submit_and_wait", "wait_all", "async_wait_all"].contains(&example) {
            Vec::new()
        } else {
            vec![self.id.clone()]
        }
    }

    /// The environment in which every program of ours finds the sandbox.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        [
            ("BASE_URL", self.url.as_str()),
            ("API_KEY", "sandbox-api-key"),
            ("ACCESS_KEY", "sandbox-access-key"),
            ("SECRET_KEY", "sandbox-secret-key"),
        ]
        .map(|(name, value)| (format!("ACTIVITY_STATUS_{name}"), value.to_owned()))
        .into()
    }
}

/// Does `work` while a sandbox runs. Its quota is wide: the programs come one after another, each with a quota of its own.
pub(crate) fn during(run: &mut Run, work: impl FnOnce(&mut Run, &Address)) {
    let build = run.cargo(["build", "--quiet", "--package", "activity-status-cli"]);
    if !run.step("build the command line", build) {
        return;
    }
    let arguments = ["sandbox", "--port", "0", "--rate", "1200", "--quota", "1000/5s"];
    let mut command = Step::new(target().join("debug/activity-status")).args(arguments).into_command();
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    match started
        .map_err(|error| error.to_string())
        .and_then(|mut child| Ok((first_line(&mut child)?, child)))
    {
        Ok((url, child)) => {
            let _ends = Ends(child);
            let mut address = Address { url, id: String::new() };
            match submit_one(&address) {
                Ok(id) => {
                    address.id = id;
                    work(run, &address);
                }
                Err(error) => {
                    run.check("submit a job to the sandbox", Err(error));
                }
            }
        }
        Err(error) => {
            run.check("start the sandbox", Err(error));
        }
    }
}

fn first_line(child: &mut Child) -> Result<String, String> {
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().ok_or("it has no output")?);
    output.read_line(&mut line).map_err(|error| error.to_string())?;
    // Its later lines must go somewhere, or it stops when the pipe is full.
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let url = line.trim().to_owned();
    if url.starts_with("http://") { Ok(url) } else { Err(format!("its first line is no address: {line:?}")) }
}

fn submit_one(address: &Address) -> Result<String, String> {
    let file = workshop().join("activity.json");
    fs::write(&file, r#"{"RelatedProspectId":"a-lead","ActivityEvent":201}"#)
        .map_err(|error| error.to_string())?;
    let submit =
        Step::new(target().join("debug/activity-status")).args(["submit".as_ref(), file.as_os_str()]);
    let output =
        submit.envs(&address.environment()).into_command().output().map_err(|error| error.to_string())?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "" => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        id => Ok(id.to_owned()),
    }
}

struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
