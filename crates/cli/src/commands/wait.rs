use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error as _;
use std::time::Duration;

use activity_status::plugin::{Clock, Eta};
use activity_status::{
    Error, ErrorKind, Job, JobStatus, Operation, Order, Progress, RequestId, WaitAll, WaitOptions,
    parse_duration,
};

use crate::account::{self, Account, Refusals};
use crate::answers::{Answers, Rest, Seen};
use crate::args::WaitArgs;
use crate::ids;
use crate::shell::{Problem, Shell};

/// Asks about each job until it is settled.
pub(crate) fn wait(args: &WaitArgs, shell: &mut Shell<'_>) -> Result<u8, Problem> {
    let refusals = Refusals::default();
    let account = account::open(&args.account, Some(LONGEST), refusals.clone(), shell)?;
    let stop = shell.stop;
    let code = follow(args, account, stop, shell)?;
    refusals.tell(shell);
    Ok(code)
}

/// If no deadline is given.
const LONGEST: Duration = Duration::from_secs(3600);

/// How often it is told how far it is, and looked for what is overdue.
const PULSE: Duration = Duration::from_secs(1);

/// In the time of `clock`, which is the client's.
fn follow(
    args: &WaitArgs,
    account: Account,
    clock: &dyn Clock,
    shell: &mut Shell<'_>,
) -> Result<u8, Problem> {
    let order = if args.unordered { Order::Unknown } else { Order::Submitted };
    let options = WaitOptions::new().price(parse_duration(&args.price)?).order(order);
    let jobs = ids::read(shell, &args.which, &account.operation)?;
    let Account { client, operation, deadline, .. } = account;
    let left = deadline.map_or(LONGEST, |deadline| deadline.saturating_sub(clock.now()));
    let named = jobs.iter().map(|job| Job::new(operation.clone(), job.id.clone()));
    let waiting = client.wait_all(named, &options.deadline(left));
    let mut following = Following::new(args.account.json, &operation, &jobs);
    following.run(waiting, clock, shell);
    following.report(args.which.stdin_uses() > 0, shell)
}

/// Jobs on their way to their ends, and how they are told.
struct Following<'a> {
    answers: Answers<'a>,
    /// Where each job stands among those given: as often as it was given.
    open: HashMap<RequestId, Vec<usize>>,
    /// Jobs that ended without an answer, and are listed in the end.
    rest: BTreeMap<usize, Rest>,
    /// Some job's error was told in full.
    has_told_error: bool,
}

impl<'a> Following<'a> {
    fn new(json: bool, operation: &Operation, jobs: &'a [ids::Job]) -> Self {
        let mut open: HashMap<RequestId, Vec<usize>> = HashMap::new();
        for (item, job) in jobs.iter().enumerate() {
            open.entry(job.id.clone()).or_default().push(item);
        }
        let answers = Answers::new(json, operation, jobs, false);
        Following { answers, open, rest: BTreeMap::new(), has_told_error: false }
    }

    /// Tells each job as it ends; until all have, nobody reads any more, or the user wishes to stop.
    fn run(&mut self, mut waiting: WaitAll, clock: &dyn Clock, shell: &mut Shell<'_>) {
        let bar = shell.begin_bar_and_message(self.open.len());
        let mut overdue = HashSet::new();
        let mut pulse_at = clock.now();
        while !self.answers.is_cut_off() {
            let now = clock.now();
            if now >= pulse_at {
                pulse_at = now + PULSE;
                let progress = waiting.progress();
                bar.set_position(progress.total - progress.open());
                bar.set_message(words(&progress));
                let jobs = waiting.tracker().overdue().into_iter();
                for job in jobs.filter(|job| overdue.insert(job.request_id().clone())) {
                    self.overdue(&job, shell);
                }
            }
            match waiting.next_within(pulse_at - now) {
                Ok(Some((job, outcome))) => self.ended(&job, &outcome, shell),
                Ok(None) => break,
                Err(_not_yet) => {}
            }
        }
        shell.end_bar();
        self.interrupted(&waiting);
    }

    fn ended(&mut self, job: &Job, outcome: &Result<JobStatus, Error>, shell: &mut Shell<'_>) {
        for item in self.open.remove(job.request_id()).unwrap_or_default() {
            match outcome {
                Ok(status) => self.answers.status(shell, item, status),
                Err(error) if error.kind() == ErrorKind::Deadline => {
                    self.rest.insert(item, at_the_deadline(error));
                }
                // What ends all of them is told in full only once.
                Err(error) if error.attempts() == 0 && self.has_told_error => {
                    let why = format!("not asked: {}", error.message());
                    self.rest.insert(item, Rest { kind: error.kind(), why, seen: Seen::NoAnswer });
                }
                Err(error) => {
                    self.has_told_error = true;
                    self.answers.error(shell, item, error);
                }
            }
        }
    }

    /// What is open now will not be told by `waiting`.
    fn interrupted(&mut self, waiting: &WaitAll) {
        for job in waiting.open() {
            let (last, trouble) = (waiting.tracker().last_status(&job), waiting.tracker().last_trouble(&job));
            for item in self.open.remove(job.request_id()).unwrap_or_default() {
                let rest =
                    still_open(ErrorKind::Interrupted, "interrupted before it was settled", last, trouble);
                self.rest.insert(item, rest);
            }
        }
    }

    fn overdue(&self, job: &Job, shell: &mut Shell<'_>) {
        if let Some(items) = self.open.get(job.request_id()) {
            shell.note(format_args!(
                "{}  overdue    the vendor's own retries are over by now, and it is not settled: it may be lost. It is \
                 still asked about now and then.",
                self.answers.label(items[0])
            ));
        }
    }

    /// Lists what is still open, and sums up.
    fn report(mut self, from_stdin: bool, shell: &mut Shell<'_>) -> Result<u8, Problem> {
        if self.answers.is_cut_off() {
            return self.answers.finish(shell, None);
        }
        let goes_on = |rest: &Rest| [ErrorKind::Interrupted, ErrorKind::Deadline].contains(&rest.kind);
        let advice = self.rest.values().any(goes_on).then(|| how_to_go_on(from_stdin));
        self.answers.rest(shell, &self.rest);
        self.answers.finish(shell, advice)
    }
}

fn at_the_deadline(error: &Error) -> Rest {
    let trouble = error.source().and_then(|source| source.downcast_ref::<Error>());
    still_open(ErrorKind::Deadline, "not settled by the deadline", error.last_status(), trouble)
}

fn still_open(kind: ErrorKind, why: &str, last: Option<&JobStatus>, trouble: Option<&Error>) -> Rest {
    let state = last.map(|status| format!(": its last state is {}", status.state())).unwrap_or_default();
    let trouble =
        trouble.map(|it| format!("; the last question failed: {}", it.message())).unwrap_or_default();
    let seen = match last {
        Some(_) => Seen::Pending,
        None if trouble.is_empty() => Seen::NotAsked,
        None => Seen::NoAnswer,
    };
    Rest { kind, why: format!("{why}{state}{trouble}"), seen }
}

/// What fed standard input may have been a submit, which must not be run again.
fn how_to_go_on(from_stdin: bool) -> &'static str {
    if from_stdin {
        "The jobs go on at the vendor's; give their ids to `wait` again to go on waiting, and do not submit them again."
    } else {
        "The jobs go on at the vendor's; run the same command again to go on waiting."
    }
}

/// How far it is, such as `1,240/2,000 settled, 3 failed, 24/min, 31 min left (+-2)`.
fn words(progress: &Progress) -> String {
    let mut words = format!("{}/{} settled", grouped(progress.settled), grouped(progress.total));
    for (count, what) in [(progress.failed, "failed"), (progress.errors, "without an answer")] {
        if count > 0 {
            words += &format!(", {} {what}", grouped(count));
        }
    }
    let per_minute = progress.rate * 60.0;
    match per_minute {
        rate if rate >= 9.95 => words += &format!(", {}/min", grouped(rate.round() as u64)),
        rate if rate > 0.0 => words += &format!(", {rate:.1}/min"),
        _ => {}
    }
    match progress.eta {
        Some(eta) if progress.open() > 0 => words + ", " + &time_left(eta),
        _ => words,
    }
}

/// In the unit in which it is a number that a person can use.
fn time_left(Eta { remaining, uncertainty }: Eta) -> String {
    let (unit, length) = match remaining.as_secs() {
        0..120 => ("s", 1.0),
        120..7200 => ("min", 60.0),
        _ => ("h", 3600.0),
    };
    let units = |time: Duration| (time.as_secs_f64() / length).ceil();
    format!("{:.0} {unit} left (+-{:.0})", units(remaining), units(uncertainty))
}

/// With a comma after the thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use activity_status::builtin::VirtualClock;
    use activity_status::plugin::{Head, Interrupted, Request, Transport};
    use activity_status::{Client, Credentials, Endpoint};
    use activity_status_sandbox::{Book, Call, CallKind, Fault, Planned, Quota, SandboxTransport, Settings};
    use clap::Parser;
    use serde_json::Value;

    use super::*;
    use crate::Stop;
    use crate::args::{Cli, Command};

    const SECOND: Duration = Duration::from_secs(1);

    /// A sandbox in virtual time, with these jobs in its queue.
    struct World {
        clock: VirtualClock,
        vendor: SandboxTransport,
        ids: Vec<String>,
        /// When the user wishes to stop.
        stop_at: Duration,
    }

    /// It does 25 jobs a minute, and the quota is ours to keep.
    fn vendor() -> Settings {
        Settings { quota: Quota { calls: 10_000, ..Quota::default() }, ..Settings::default() }
    }

    struct Told {
        code: u8,
        out: String,
        err: String,
        /// The ids in the order of asking.
        asked: Vec<String>,
        book: Book,
        took: Duration,
    }

    impl Told {
        fn json(&self) -> Vec<Value> {
            self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }

        /// The first word of each line on standard output.
        fn ids(&self) -> Vec<&str> {
            self.out.lines().map(|line| line.split(' ').next().unwrap()).collect()
        }
    }

    /// A clock that is interrupted at a moment.
    struct Until(VirtualClock, Duration);

    impl Clock for Until {
        fn now(&self) -> Duration {
            self.0.now()
        }
        fn wall(&self) -> Duration {
            self.0.wall()
        }
        fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
            self.0.sleep(duration)
        }
        fn park(&self, duration: Duration) -> Result<(), Interrupted> {
            let left = self.1.checked_sub(self.now()).filter(|left| !left.is_zero()).ok_or(Interrupted)?;
            self.0.park(duration.min(left))
        }
        fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
            self.0.spawn(work)
        }
    }

    impl World {
        fn new(settings: Settings, notes: &[&str]) -> Self {
            let clock = VirtualClock::new();
            let vendor = SandboxTransport::new(settings, clock.clone());
            let mut sandbox = vendor.sandbox().lock().unwrap();
            for note in notes {
                let body =
                    format!(r#"{{"RelatedProspectId":"a","ActivityEvent":1,"ActivityNote":"{note}"}}"#);
                let call = Call::post("/activity/create", &body)
                    .header("x-api-key", "sandbox-api-key")
                    .header("x-lsq-accesskey", "sandbox-access-key")
                    .header("x-lsq-secretkey", "sandbox-secret-key");
                assert_eq!(sandbox.handle(&call, Duration::ZERO).status, 200);
            }
            let ids = sandbox.ids().collect();
            drop(sandbox);
            World { clock, vendor, ids, stop_at: Duration::MAX }
        }

        /// `wait` with these options, and these jobs of the world.
        fn wait(&self, options: &[&str], jobs: impl IntoIterator<Item = usize>) -> Told {
            let ids: Vec<&str> = jobs.into_iter().map(|job| self.ids[job].as_str()).collect();
            let wait = |_| {
                let mut out = Vec::new();
                let told = self.wait_into(&mut out, options, &ids);
                Told { out: String::from_utf8(out).unwrap(), ..told }
            };
            self.clock.run(1, wait).remove(0)
        }

        fn wait_into(&self, out: &mut dyn Write, options: &[&str], ids: &[&str]) -> Told {
            let command = [&["activity-status", "wait"], options, ids].concat();
            let Command::Wait(args) = Cli::try_parse_from(command).unwrap().command else { panic!() };
            let began = self.clock.now();
            let refusals = Refusals::default();
            let asked = Arc::new(Mutex::new(Vec::new()));
            let (asking, vendor) = (asked.clone(), self.vendor.clone());
            let transport = move |request: &Request<'_>, on_head: &mut dyn FnMut(&Head)| {
                let (_, id) = request.url.split_once("RequestID=").unwrap();
                asking.lock().unwrap().push(id.to_owned());
                vendor.send(request, on_head)
            };
            let clock = Arc::new(Until(self.clock.clone(), self.stop_at));
            let client = Client::builder(Endpoint::INDIA, Credentials::new("sandbox-api-key").unwrap())
                .clock(clock.clone())
                .transport(transport)
                .observer(refusals.clone())
                .build()
                .unwrap();
            let deadline = args.account.deadline.as_deref().map(|time| began + parse_duration(time).unwrap());
            let operation = Operation::ACTIVITY_CREATE;
            let account = Account { client, operation, may_submit: false, deadline };
            let mut err = Vec::new();
            let stop = Stop::new();
            let mut shell = Shell::new(out, &mut err, &|_| None, &stop);
            let code = follow(&args, account, &clock, &mut shell).unwrap();
            refusals.tell(&mut shell);
            Told {
                code,
                out: String::new(),
                err: String::from_utf8(err).unwrap(),
                asked: asked.lock().unwrap().clone(),
                book: self.vendor.book(),
                took: self.clock.now() - began,
            }
        }
    }

    /// Forty jobs.
    fn forty(options: &[&str]) -> (World, Told) {
        let world = World::new(vendor(), &["fine"; 40]);
        let told = world.wait(options, 0..40);
        assert_eq!((told.code, told.out.lines().count()), (0, 40), "{}", told.err);
        assert_eq!(told.err, "40 jobs: 40 succeeded, 0 failed, 0 pending\n");
        (world, told)
    }

    #[test]
    fn a_higher_price_is_fewer_calls() {
        let calls = |options: &[&str]| forty(options).1.book.status_calls;
        let usual = calls(&[]);
        assert_eq!(calls(&["--price", "5ms"]), usual);
        let dear = calls(&["--price", "500ms"]);
        assert!(dear * 3 < usual * 2, "{dear} and {usual}");
        assert!(usual < 400, "less than the quota has: {usual}");
    }

    #[test]
    fn only_the_order_of_submission_spares_questions() {
        let distinct = |asked: &[String]| asked.iter().collect::<HashSet<_>>().len();
        let (world, unordered) = forty(&["--unordered"]);
        assert_eq!(unordered.asked[..40], world.ids, "each in its turn");
        let (_, ordered) = forty(&[]);
        assert!(distinct(&ordered.asked[..40]) < 20, "{}", distinct(&ordered.asked[..40]));
        assert!(ordered.book.status_calls < unordered.book.status_calls);
    }

    #[test]
    fn each_is_told_as_it_settles() {
        let world = World::new(vendor(), &["sandbox:retry=1", "fine", "sandbox:fail"]);
        let told = world.wait(&[], 0..3);
        assert_eq!(told.ids(), [&world.ids[1], &world.ids[2], &world.ids[0]], "{}", told.out);
        assert_eq!(told.code, 1);
        assert_eq!(told.err, "3 jobs: 2 succeeded, 1 failed, 0 pending\n");
    }

    #[test]
    fn an_id_that_is_given_twice_is_asked_once_and_told_twice() {
        let world = World::new(vendor(), &["1", "2"]);
        let told = world.wait(&[], [0, 1, 0]);
        assert_eq!(told.ids(), [&world.ids[0], &world.ids[0], &world.ids[1]], "{}", told.out);
        assert_eq!(told.err, "3 jobs: 3 succeeded, 0 failed, 0 pending\n");
        let once = World::new(vendor(), &["1", "2"]).wait(&[], 0..2);
        assert_eq!(told.asked, once.asked);
    }

    #[test]
    fn an_interrupted_wait_tells_of_every_job() {
        let slow = || Settings { rate_per_minute: 1.0, ..vendor() };
        let world = World { stop_at: SECOND * 90, ..World::new(slow(), &["1", "2", "3"]) };
        let told = world.wait(&["--unordered"], [0, 2, 1, 2]);
        assert_eq!((told.code, told.took, told.ids()), (130, SECOND * 90, vec![world.ids[0].as_str()]));
        let open =
            |id| format!("{id}  pending    interrupted before it was settled: its last state is In-Queue\n");
        let [_, second, third] = &world.ids[..] else { panic!() };
        let advice = "The jobs go on at the vendor's; run the same command again to go on waiting.\n";
        let sum = "4 jobs: 1 succeeded, 0 failed, 3 pending\n";
        // In the order in which they were given.
        assert_eq!(told.err, [&open(third), &open(second), &open(third), advice, sum].concat());

        let world = World { stop_at: SECOND * 90, ..World::new(slow(), &["1", "2", "3"]) };
        let told = world.wait(&["--json"], 0..3);
        let lines: Vec<_> = told
            .json()
            .iter()
            .map(|line| (line["request_id"].clone(), line["error"]["kind"].clone()))
            .collect();
        let of = |job: usize, kind: Value| (Value::from(world.ids[job].as_str()), kind);
        assert_eq!(lines, [of(0, Value::Null), of(1, "interrupted".into()), of(2, "interrupted".into())]);
    }

    #[test]
    fn a_wait_ends_when_nobody_reads_on() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let world = World::new(vendor(), &["fine"; 9]);
        let told = world.clock.run(1, |_| world.wait_into(&mut Gone, &[], &[&world.ids[0], &world.ids[8]]));
        assert_eq!((told[0].code, told[0].err.as_str()), (0, ""));
        assert!(told[0].took < SECOND * 10, "the second job takes twice as long: {:?}", told[0].took);
    }

    #[test]
    fn at_the_deadline_the_rest_is_told() {
        let world = World::new(Settings { rate_per_minute: 1.0, ..vendor() }, &["fine"; 25]);
        let told = world.wait(&["--deadline", "90s"], 0..25);
        assert_eq!((told.code, told.took, told.ids()), (3, SECOND * 90, vec![world.ids[0].as_str()]));
        let open =
            format!("{}  pending    not settled by the deadline: its last state is In-Queue\n", world.ids[1]);
        assert!(told.err.starts_with(&open), "{}", told.err);
        assert!(
            told.err.contains("\nand 4 more; --json lists them all\nThe jobs go on at the vendor's; "),
            "{}",
            told.err
        );
        assert!(told.err.ends_with("25 jobs: 1 succeeded, 0 failed, 24 pending\n"), "{}", told.err);

        let world = World::new(Settings { rate_per_minute: 1.0, ..vendor() }, &["fine"; 60]);
        let told = world.wait(&["--deadline", "2s"], 0..60);
        assert!(told.err.contains("  not asked  not settled by the deadline\n"), "{}", told.err);
        assert!(told.err.ends_with(" not asked about yet\n") && !told.err.contains("answer"), "{}", told.err);

        let world = World::new(Settings { rate_per_minute: 1.0, ..vendor() }, &["fine"; 25]);
        let silent = Planned { times: 9999, ..Planned::on(CallKind::Status, Fault::ServerError) };
        world.vendor.sandbox().lock().unwrap().plan([silent]);
        let told = world.wait(&["--deadline", "90s", "--json"], 0..25);
        let ids: Vec<_> = told.json().iter().map(|line| line["request_id"].clone()).collect();
        assert_eq!((told.code, ids), (3, world.ids.iter().map(|id| id.as_str().into()).collect()));
        let first = told.json()[0]["error"]["message"].to_string();
        assert!(first.contains("not settled by the deadline; the last question failed: "), "{first}");
    }

    #[test]
    fn wrong_keys_are_told_once() {
        let settings = || Settings { api_key: "another".into(), ..vendor() };
        let mut world = World::new(vendor(), &["fine"; 60]);
        world.vendor = SandboxTransport::new(settings(), world.clock.clone());
        let told = world.wait(&[], 0..60);
        assert_eq!((told.code, told.out.as_str(), told.book.unauthorized), (4, "", 1));
        let lines: Vec<&str> = told.err.lines().collect();
        assert!(lines[0].contains("  no answer: ") && lines[0].contains("401"), "{}", told.err);
        assert!(lines[1].contains("  no answer  not asked: "), "{}", told.err);
        assert_eq!(
            lines[21..],
            [
                "and 39 more; --json lists them all",
                "60 jobs: 0 succeeded, 0 failed, 0 pending, 60 without an answer"
            ]
        );
        let told = world.wait(&["--json"], 0..60);
        assert!(told.json().iter().all(|line| line["error"]["kind"] == "unauthorized"), "{}", told.out);
        assert_eq!(told.json().len(), 60);
    }

    #[test]
    fn an_address_where_nobody_answers_ends_the_wait() {
        let world = World::new(vendor(), &["fine"; 4]);
        let nobody = Planned { times: 9999, ..Planned::on(CallKind::Status, Fault::Unreachable) };
        world.vendor.sandbox().lock().unwrap().plan([nobody]);
        let told = world.wait(&["--json"], 0..4);
        assert_eq!((told.code, told.json().len()), (4, 4), "{}", told.err);
        assert!((7..=9).contains(&told.asked.len()), "{:?}", told.asked);
        assert!(told.json().iter().all(|line| line["error"]["kind"] == "transport"), "{}", told.out);
        assert!(told.took < SECOND * 30, "not the deadline, an hour later: {:?}", told.took);
    }

    #[test]
    fn what_the_vendor_has_probably_lost_is_told_once_and_followed() {
        let hour = SECOND * 3600;
        let settings = Settings { ladder: vec![hour * 11], ..vendor() };
        let world = World::new(settings, &["sandbox:retry=1", "fine"]);
        let told = world.wait(&["--deadline", "20h"], [0, 1, 0]);
        assert_eq!((told.code, told.ids().len()), (0, 3), "{}", told.err);
        let overdue = format!("{}  overdue    the vendor's own retries are over by now", world.ids[0]);
        assert_eq!(told.err.matches(&overdue).count(), 1, "{}", told.err);
        assert!(told.took > hour * 11 && told.took < hour * 12, "{:?}", told.took);
    }

    #[test]
    fn it_is_told_how_far_it_is() {
        let world = World::new(vendor(), &["fine"]);
        world.clock.run(1, |_| {
            let client = Client::builder(Endpoint::INDIA, Credentials::new("a").unwrap()).build().unwrap();
            let mut progress = client.tracker(&WaitOptions::new()).progress();
            let eta = |remaining: u64, uncertainty: u64| {
                let [remaining, uncertainty] = [remaining, uncertainty].map(Duration::from_secs);
                Some(Eta { remaining, uncertainty })
            };
            assert_eq!(words(&progress), "0/0 settled");
            (progress.total, progress.settled, progress.failed) = (2000, 1240, 3);
            (progress.rate, progress.eta) = (0.4, eta(1830, 100));
            assert_eq!(words(&progress), "1,240/2,000 settled, 3 failed, 24/min, 31 min left (+-2)");
            (progress.failed, progress.errors) = (0, 1);
            (progress.rate, progress.eta) = (0.02, eta(119, 2));
            assert_eq!(
                words(&progress),
                "1,240/2,000 settled, 1 without an answer, 1.2/min, 119 s left (+-2)"
            );
            (progress.rate, progress.eta) = (20.0, eta(7200, 60));
            assert_eq!(
                words(&progress),
                "1,240/2,000 settled, 1 without an answer, 1,200/min, 2 h left (+-1)"
            );
            (progress.total, progress.settled, progress.errors) = (1_000_000, 1_000_000, 0);
            assert_eq!(words(&progress), "1,000,000/1,000,000 settled, 1,200/min");
        });
    }
}
