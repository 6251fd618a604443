use activity_status::plugin::Event;

use crate::account;
use crate::args::MetricsArgs;
use crate::each::{Next, Plan, each};
use crate::shell::{Problem, Shell, exit};

/// Asks how long the queue is.
pub(crate) fn metrics(args: &MetricsArgs, shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let account = account::open(&args.account, None, |_: &Event<'_>| {}, shell)?;
    let operation = account.operation.clone();
    let plan = Plan { threads: 1, deadline: account.deadline, ahead: usize::MAX, patient: false };
    let mut answer = None;
    let ask = move |_| account.client.metrics(&account.operation);
    let left = each(1, &plan, shell.stop, ask, |_, result| {
        answer = Some(result);
        Next::Done
    });
    let metrics = match answer {
        Some(Ok(metrics)) => metrics,
        Some(Err(error)) => {
            if args.account.json {
                shell.line(&error.to_json())?;
            }
            return Err(error.into());
        }
        None => return Err(left.problem()),
    };
    if args.account.json {
        shell.line(&metrics.to_json(operation.name()))?;
    } else {
        let unknown = || "not said".to_owned();
        let pending = metrics.pending().map_or_else(unknown, |count| count.to_string());
        let delay = metrics.max_delay().map_or_else(unknown, |delay| format!("{} s", delay.as_secs_f64()));
        let rate = metrics.rate_per_minute().map_or_else(unknown, |rate| format!("{rate} a minute"));
        shell.line(&format!("operation      {operation}"))?;
        shell.line(&format!("pending        {pending}"))?;
        shell.line(&format!("longest delay  {delay}"))?;
        shell.line(&format!("rate           {rate}"))?;
    }
    Ok(exit::FINE)
}
