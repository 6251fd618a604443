use activity_status::ErrorKind;

use crate::account::{self, Account, Refusals};
use crate::answers::{Answers, Rest, Seen};
use crate::args::StatusArgs;
use crate::each::{Ended, Next, Plan, each};
use crate::ids;
use crate::shell::{Problem, Shell};

/// Asks once about each job.
pub(crate) fn status(args: &StatusArgs, shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let refusals = Refusals::default();
    let Account { client, operation, deadline, .. } =
        account::open(&args.account, None, refusals.clone(), shell)?;
    let jobs = ids::read(shell, &args.which, &operation)?;
    let mut answers = Answers::new(args.account.json, &operation, &jobs, true);
    let plan = Plan { threads: args.abreast.concurrency.into(), deadline, ahead: usize::MAX, patient: false };

    let bar = shell.begin_bar(jobs.len(), "asked");
    let mut known_keys = false;
    let asked: Vec<_> = jobs.iter().map(|job| job.id.clone()).collect();
    let question = move |item: usize| client.status(&operation, &asked[item]);
    let left = each(jobs.len(), &plan, shell.stop, question, |item, answer| {
        known_keys |= answer.is_ok();
        // Where the keys were good a moment ago, it is about this one job.
        let halt = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unauthorized && !known_keys);
        match answer {
            Ok(status) => answers.status(shell, item, &status),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Next::Stopped,
            Err(error) => answers.error(shell, item, &error),
        }
        bar.inc(1);
        if halt || answers.is_cut_off() { Next::Halt } else { Next::Done }
    });
    shell.end_bar();

    let (kind, why) = match left.ended {
        Ended::Interrupted => (ErrorKind::Interrupted, "interrupted before it was settled"),
        Ended::Deadline => (ErrorKind::Deadline, "not settled by the deadline"),
        Ended::Halted => (ErrorKind::Unauthorized, "not asked, because the keys were not accepted"),
        Ended::Complete => (ErrorKind::Transport, "the question ended without an answer"),
    };
    let rest = || Rest { kind, why: why.to_owned(), seen: Seen::NoAnswer };
    let rest = left.waiting.union(&left.outstanding).map(|item| (*item, rest())).collect();
    answers.rest(shell, &rest);
    let code = answers.finish(shell, None)?;
    refusals.tell(shell);
    Ok(code)
}
