use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use activity_status::builtin::{Frontier, Quota};
use activity_status::plugin::{CallClass, Clock, Event};
use activity_status::{
    Client, Credentials, Endpoint, Error, Job, JobStatus, KnownState, Operation, Outcome, RequestId, WaitAll,
    WaitOptions,
};
use activity_status_sandbox::{Book, Server, Settings};
use indicatif::ProgressBar;

use crate::each::{Ended, Left, Next, Plan, each};
use crate::rows::Activity;
use crate::shell::{Problem, Shell, exit, plain};

/// Tells the whole story on a sandbox of its own: forty activities are sent and followed inside the quota.
pub(crate) fn demo(shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let began = shell.stop.now();
    let settings = Settings { rate_per_minute: RATE, ladder: vec![RETRY_AFTER; 10], ..Settings::default() };
    let trouble = |what: String| Problem { code: exit::TROUBLE, text: what };
    let server = Server::start(settings.clone(), ([127, 0, 0, 1], 0))
        .map_err(|error| trouble(format!("the sandbox could not be started: {error}")))?;
    for line in INTRODUCTION {
        shell.line(line)?;
    }

    let keys =
        Credentials::new(&settings.api_key)?.with_submit_keys(&settings.access_key, &settings.secret_key)?;
    let calls = Arc::new(AtomicU64::new(0));
    let retried = Retried::default();
    let bar = shell.begin_bar(ACTIVITIES.len(), "Sent    ");
    let client = Client::builder(Endpoint::url(&server.url())?, keys)
        .clock(shell.stop.clone())
        .observer(progress(calls.clone(), retried.clone(), bar.clone()))
        .build()?;
    let deadline = began + LONGEST;

    let plan = Plan { threads: 8, deadline: Some(deadline), ahead: usize::MAX, patient: false };
    let (ids, left) = send(client.clone(), &plan, shell, &bar);
    let ids = sent(ids, &left)?;
    bar.set_position(0);
    bar.set_prefix("Finished");
    let ends = watch(&client, &ids, deadline.saturating_sub(shell.stop.now()), &retried, &bar)?;
    shell.end_bar();

    let took = shell.stop.now() - began;
    let book = server.book();
    for line in table(shell, &ends).iter().chain(&sums(&ends, &book, calls.load(Relaxed), took)) {
        shell.line(line)?;
    }
    let wrong = book.refused > 0 || book.duplicates > 0 || book.settled != ACTIVITIES.len() as u64;
    if wrong {
        return Err(trouble("something went wrong that should not have: see the numbers above".into()));
    }
    let program = std::env::current_exe().map_or(INSTALLED, |path| called(&path));
    for line in NEXT_STEPS {
        shell.line(&line.replace("{program}", program))?;
    }
    Ok(exit::FINE)
}

const OPERATION: Operation = Operation::ACTIVITY_CREATE;

/// Jobs a minute: hasty for the vendor, whose own example has 25, so that nobody has to wait.
const RATE: f64 = 240.0;

/// In place of the vendor's half minute.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// It takes about seventeen seconds; if it takes much longer, something is wrong.
const LONGEST: Duration = Duration::from_secs(28);

const INTRODUCTION: [&str; 6] = [
    "Forty notes about customer calls go to the CRM: to a sandbox on this machine, which behaves like it.",
    "The CRM puts each in a queue and answers with a number; what became of it has to be asked for later.",
    "It allows 25 calls in 5 seconds and refuses any more: sending and asking wait for their turn.",
    "To keep this short, the sandbox works faster than the CRM, and tries a note again after 5 seconds",
    "where the CRM waits half a minute. All of it takes under twenty seconds.",
    "",
];

const NEXT_STEPS: [&str; 11] = [
    "",
    "What to try next:",
    "  {program} sandbox",
    "keeps a sandbox running. In another terminal, paste the export lines that the sandbox prints first; then",
    r"  printf 'RelatedProspectId,ActivityEvent,ActivityNote\na,201,Called\n' > activities.csv",
    "  {program} submit activities.csv > ids.txt",
    "  {program} wait --file ids.txt",
    "send notes of your own to it, and tell what became of each.",
    "  {program} --help",
    "tells all there is. For your own account, put its keys into the environment in place of the sandbox's, and",
    "its region into ACTIVITY_STATUS_REGION (in, us or sg) in place of ACTIVITY_STATUS_BASE_URL.",
];

const INSTALLED: &str = "activity-status";

/// How to run this program again: in a clone it is not where a shell looks for it.
fn called(path: &Path) -> &'static str {
    let built_here = path.components().any(|part| part.as_os_str() == "target");
    if built_here { "cargo run --release --" } else { INSTALLED }
}

/// Counts calls, keeps in mind what the vendor tries again, and says on the bar what is being waited for.
fn progress(calls: Arc<AtomicU64>, retried: Retried, bar: ProgressBar) -> impl Fn(&Event<'_>) + Send + Sync {
    move |event| match event {
        Event::Sending { class, .. } => {
            calls.fetch_add(1, Relaxed);
            bar.set_message(if *class == CallClass::Submit { "sending" } else { "asking" });
        }
        Event::WaitingForPermit { wait, .. } => {
            bar.set_message(format!("25 calls made: the next in {:.0} s", wait.as_secs_f64().ceil()));
        }
        Event::Status { status, .. } => {
            let has_failed = matches!(status.state().known(), Some(KnownState::Failure | KnownState::Error));
            if has_failed && !status.outcome().is_settled() {
                let mut retried = retried.lock().unwrap_or_else(PoisonError::into_inner);
                retried.insert(status.request_id().clone());
            }
        }
        _ => {}
    }
}

fn send(
    client: Client,
    plan: &Plan,
    shell: &mut Shell<'_>,
    bar: &ProgressBar,
) -> (Vec<Option<Result<RequestId, Error>>>, Left) {
    let mut ids: Vec<_> = ACTIVITIES.iter().map(|_| None).collect();
    let submit = move |item: usize| client.submit(&OPERATION, body(item));
    let left = each(ACTIVITIES.len(), plan, shell.stop, submit, |item, answer| {
        ids[item] = Some(answer);
        bar.inc(1);
        Next::Done
    });
    (ids, left)
}

fn body(item: usize) -> String {
    let (_, _, note) = ACTIVITIES[item];
    // In the form of the vendor's ids, and nobody's.
    let lead = format!("00000000-0000-4000-8000-{:012}", item + 1);
    Activity { lead: &lead, event: 201, note, at: "", fields: Vec::new() }.body()
}

/// What became of an activity.
struct End {
    status: JobStatus,
    /// The vendor had a failure of its own with it, and tried again.
    retried: bool,
}

/// Jobs with which the vendor had a failure of its own.
type Retried = Arc<Mutex<HashSet<RequestId>>>;

fn watch(
    client: &Client,
    ids: &[RequestId],
    left: Duration,
    retried: &Retried,
    bar: &ProgressBar,
) -> Result<Vec<End>, Problem> {
    let retries = (1..=10).map(|step| RETRY_AFTER * step);
    let schedule = Frontier::new(Quota::default()).retries(retries);
    let mut waiting = WaitAll::from(client.tracker_by(schedule, &WaitOptions::new().deadline(left)));
    for id in ids {
        waiting.add(Job::new(OPERATION, id.clone()));
    }
    let mut ends = HashMap::new();
    for (job, outcome) in waiting {
        ends.insert(job.request_id().clone(), outcome?);
        bar.inc(1);
    }
    let retried = retried.lock().unwrap_or_else(PoisonError::into_inner);
    let end = |id| Some(End { status: ends.remove(id)?, retried: retried.contains(id) });
    // The clock was interrupted, or all have ended.
    ids.iter().map(end).collect::<Option<_>>().ok_or_else(Problem::interrupted)
}

/// Every id, or the first thing that went wrong.
fn sent(answers: Vec<Option<Result<RequestId, Error>>>, left: &Left) -> Result<Vec<RequestId>, Problem> {
    let all = answers.into_iter().map(|answer| match answer {
        _ if left.ended == Ended::Interrupted => Err(Problem::interrupted()),
        Some(answer) => answer.map_err(Problem::from),
        None => Err(left.problem()),
    });
    all.collect()
}

/// The activities of which there is something to tell.
fn table(shell: &Shell<'_>, ends: &[End]) -> Vec<String> {
    let mut lines = Vec::new();
    for (end, (name, about, _)) in ends.iter().zip(ACTIVITIES) {
        let (outcome, colour, why) = match end.status.outcome() {
            Outcome::Failed => ("failed", "31", plain(end.status.reason())),
            _ if end.retried => {
                ("succeeded", "32", "the CRM failed at first, and tried again by itself".into())
            }
            _ => continue,
        };
        let outcome = shell.coloured(&format!("{outcome:13}"), colour);
        lines.push(format!("{name:20} {about:24} {outcome} {why}"));
    }
    let others = ends.len() - lines.len();
    let head = [
        format!("The {} of interest (the other {others} succeeded at once):", lines.len()),
        format!("{:20} {:24} {:13} Why", "Customer", "About", "Outcome"),
    ];
    head.into_iter().chain(lines).collect()
}

/// The numbers.
fn sums(ends: &[End], book: &Book, calls: u64, took: Duration) -> Vec<String> {
    let succeeded = ends.iter().filter(|end| end.status.outcome() == Outcome::Succeeded).count();
    let retried = ends.iter().filter(|end| end.retried).count();
    let row =
        |what: &str, number: u64, remark: &str| format!("{what:20} {number:>5}   {remark}").trim_end().into();
    vec![
        String::new(),
        row("Sent", book.accepted, "each exactly once"),
        row("Succeeded", succeeded as u64, ""),
        row("Failed", (ends.len() - succeeded) as u64, "listed above, with the CRM's own words"),
        row("Retried by the CRM", retried as u64, "nothing had to be done about it"),
        row(
            "Calls made",
            calls,
            &format!("in {:.0} seconds, never over 25 in 5 seconds", took.as_secs_f64()),
        ),
        row("Calls refused", book.refused, ""),
    ]
}

/// Whom it is about, what it is about, and the note. What follows `sandbox:` tells the sandbox what shall become of it.
#[rustfmt::skip]
const ACTIVITIES: [(&str, &str, &str); 40] = [
    ("Asha Rao", "Home loan enquiry", "Asked for the rates of a 20 year loan."),
    ("Daniel Okafor", "Demo booked", "Wants to see the product on Thursday."),
    ("Mei Lin Chen", "Call back", "Prefers a call after 6 pm. sandbox:retry=1"),
    ("Priya Nair", "Course counselling", "Interested in the evening batch."),
    ("Tomás Herrera", "Quote sent", "Quote for 40 seats sent by e-mail."),
    ("Fatima Al-Sayed", "Site visit", "Visit to the show flat on Saturday."),
    ("Rahul Mehta", "Wrong event code", "Logged with an event that was deleted. sandbox:fail=There is no activity event 999"),
    ("Grace Kim", "Renewal", "Renews for another year."),
    ("Owen Hughes", "Invoice question", "Had a question about the March invoice."),
    ("Nisha Gupta", "Home loan enquiry", "Wants to compare fixed and floating rates."),
    ("Lucas Meyer", "Demo held", "Liked the reports, asked about roles."),
    ("Zanele Dube", "Call back", "Asked to be called next week."),
    ("Arjun Patel", "Document received", "Address proof received."),
    ("Ingrid Berg", "Quote accepted", "Accepted the quote, contract to follow."),
    ("Vikram Singh", "Course counselling", "Asked about weekend classes."),
    ("Amina Yusuf", "Lead was merged", "The lead was merged with another. sandbox:fail=The lead does not exist any more"),
    ("Pedro Alves", "Site visit", "Came with the family, liked the garden."),
    ("Kavya Reddy", "Renewal", "Wants a discount for two years."),
    ("Hannah Weiss", "Complaint", "Delivery was late; apologised."),
    ("Samuel Tan", "Demo booked", "Demo on Monday at 10."),
    ("Neha Joshi", "Home loan enquiry", "Salary slips to follow."),
    ("Olivia Brown", "Call back", "Was driving."),
    ("Manoj Kumar", "Document received", "Bank statement received."),
    ("Yuki Tanaka", "Quote sent", "Quote for the small package."),
    ("Ravi Shankar", "Course counselling", "Undecided between two courses."),
    ("Elena Popova", "Invoice question", "Needs the invoice in her company's name."),
    ("Karim Haddad", "Site visit", "Asked for parking for two cars."),
    ("Divya Menon", "CRM out of order", "Sent while the CRM had a fault. sandbox:error=The CRM could not reach its database"),
    ("Jack Murphy", "Renewal", "Renewed by phone."),
    ("Sunita Devi", "Home loan enquiry", "Asked about the papers needed."),
    ("Thandi Mokoena", "Demo held", "Will decide this month."),
    ("Anil Kapoor", "Call back", "Line was busy."),
    ("Sofia Rossi", "Quote accepted", "Starts in April."),
    ("Deepak Verma", "Document received", "Photo received."),
    ("Chloe Martin", "Complaint", "Was charged twice; refunded."),
    ("Imran Khan", "Required field empty", "The form was sent without a city. sandbox:fail=The field City must not be empty"),
    ("Lakshmi Iyer", "Course counselling", "Enrolled for the June batch."),
    ("Noah Schmidt", "Site visit", "Visit moved to Sunday."),
    ("Pooja Desai", "Renewal", "Thinks about it until Friday."),
    ("William Clarke", "Invoice question", "Paid by bank transfer."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forty_fit_their_columns_and_are_told_apart() {
        for (index, (name, about, _)) in ACTIVITIES.iter().enumerate() {
            assert!(name.chars().count() <= 20 && about.chars().count() <= 24, "{name}: {about}");
            assert!(ACTIVITIES[..index].iter().all(|(other, ..)| other != name), "{name}");
        }
        assert!(INTRODUCTION.iter().chain(&NEXT_STEPS).all(|line| line.chars().count() <= 110));
    }

    #[test]
    fn the_next_steps_run_this_program() {
        for (path, program) in [
            ("/home/me/activity-status/target/release/activity-status", "cargo run --release --"),
            ("/home/me/.cargo/bin/activity-status", "activity-status"),
            ("/usr/bin/python3", "activity-status"),
        ] {
            assert_eq!(called(Path::new(path)), program, "{path}");
        }
    }
}
