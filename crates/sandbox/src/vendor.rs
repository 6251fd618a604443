use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::Value;

use crate::answers::{self, Told, vendor_error};
use crate::fate::{Ending, Fate};
use crate::fault::Faults;
use crate::queue::Queue;
use crate::rng::{Rng, Uuid};
use crate::{Book, Call, CallKind, Canned, Fault, Judge, Planned, Reply, Settings, Spelling, UnknownId};

/// The vendor: a state machine without clock, thread or socket. Calls and the time go in, replies come out.
#[derive(Debug)]
pub struct Sandbox {
    settings: Settings,
    operations: Vec<Operation>,
    now: Duration,
    judge: Judge,
    recent_calls: VecDeque<Duration>,
    faults: Faults,
    queue: Queue,
    jobs: Vec<Job>,
    job_of_id: BTreeMap<Uuid, usize>,
    seen: BTreeSet<u64>,
    /// Calls that are still under way although their senders have given up.
    under_way: BTreeMap<(Duration, u64), Call>,
    under_way_serial: u64,
    book: Book,
    id_draws: Rng,
    fate_draws: Rng,
    latency_draws: Rng,
}

impl Sandbox {
    /// A vendor without jobs.
    pub fn new(settings: Settings) -> Self {
        let known = OPERATIONS.iter().map(|(path, task_type, needs)| Operation {
            path: (*path).into(),
            task_type: (*task_type).into(),
            needs: *needs,
        });
        let custom = settings.custom.iter().map(|(path, task_type)| Operation {
            path: path.clone(),
            task_type: task_type.clone(),
            needs: Needs::Nothing,
        });
        Sandbox {
            operations: known.chain(custom).collect(),
            now: Duration::ZERO,
            judge: Judge::new(settings.quota.clone()),
            recent_calls: VecDeque::new(),
            faults: Faults::new(&settings),
            queue: Queue::new(&settings),
            jobs: Vec::new(),
            job_of_id: BTreeMap::new(),
            seen: BTreeSet::new(),
            under_way: BTreeMap::new(),
            under_way_serial: 0,
            book: Book::default(),
            id_draws: Rng::new(settings.seed, 5),
            fate_draws: Rng::new(settings.seed, 6),
            latency_draws: Rng::new(settings.seed, 7),
            settings,
        }
    }

    /// Answers a call that arrives at `now`, the time since any fixed moment. It does not go back: an earlier time
    /// than the last one is taken for the last one.
    pub fn handle(&mut self, call: &Call, now: Duration) -> Reply {
        self.advance(now);
        self.answer(call)
    }

    /// Has a call arrive later, at `at`, with nobody left to hear the answer.
    pub fn handle_later(&mut self, call: Call, at: Duration) {
        self.under_way_serial += 1;
        self.under_way.insert((at, self.under_way_serial), call);
    }

    /// Lets happen what happens by `now` without another call.
    pub fn advance(&mut self, now: Duration) {
        while let Some(first) = self.under_way.first_entry() {
            let at = first.key().0;
            if at > now {
                break;
            }
            let call = first.remove();
            self.advance_queue(at);
            self.answer(&call);
        }
        self.advance_queue(now);
    }

    /// How long the next call and its answer are under way; none if the vendor cannot be reached. To be asked once
    /// before each call by whoever carries it.
    pub fn travel(&mut self, call: &Call) -> Option<(Duration, Duration)> {
        let (there, back) = (self.settings.latency_in, self.settings.latency_out);
        let mut draw = |(least, most): (Duration, Duration)| {
            least + most.saturating_sub(least).mul_f64(self.latency_draws.unit())
        };
        let latency = (draw(there), draw(back));
        let unreachable =
            route(&self.operations, call).is_some_and(|(_, kind)| self.faults.take_unreachable(kind));
        if unreachable {
            self.book.faults += 1;
        }
        (!unreachable).then_some(latency)
    }

    /// Adds to the plan of faults, up to a thousand entries.
    pub fn plan(&mut self, faults: impl IntoIterator<Item = Planned>) {
        self.faults.plan(faults.into_iter().take(1000_usize.saturating_sub(self.faults.planned())));
    }

    /// Answers every later question about this id so, whether it is a job's or not.
    pub fn answer_with(&mut self, id: impl Into<String>, canned: Canned) {
        self.settings.answers.insert(id.into(), canned);
    }

    /// What has happened up to the last call or [`advance`](Sandbox::advance).
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// When a job settled; none if it has not, or is not known.
    pub fn settled_at(&self, id: &str) -> Option<Duration> {
        let job = self.job_of_id.get(&Uuid::parse(id)?)?;
        Some(self.queue.progress(*job).settled?.0)
    }

    /// The request ids of all jobs, in the order in which they were accepted.
    pub fn ids(&self) -> impl Iterator<Item = String> + '_ {
        self.jobs.iter().map(|job| job.id.to_string())
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn advance_queue(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let book = &mut self.book;
        self.queue.advance(&self.settings, self.now, |ending| {
            book.settled += 1;
            book.succeeded += u64::from(ending == Ending::Success);
        });
    }

    /// The order is the vendor's: the path, the quota, the keys, and only then what the call says.
    fn answer(&mut self, call: &Call) -> Reply {
        let Some((operation, kind)) = route(&self.operations, call) else {
            self.book.unknown_paths += 1;
            return vendor_error(
                404,
                "MXNotFoundException",
                "The API could not be found. Please check the API signature",
            );
        };
        match kind {
            CallKind::Submit => self.book.submit_calls += 1,
            CallKind::Status => self.book.status_calls += 1,
            CallKind::Metrics => self.book.metrics_calls += 1,
        }
        self.count_busiest_window();
        if !self.judge.admits(self.now) {
            self.book.refused += 1;
            return answers::refusal(&self.settings.quota);
        }
        if !has_keys(call, kind, &self.settings) {
            self.book.unauthorized += 1;
            return vendor_error(
                401,
                "MXUnauthorizedException",
                "Invalid access credentials. Check your keys",
            );
        }
        self.serve(call, operation, kind).unwrap_or_else(|early| early)
    }

    fn serve(&mut self, call: &Call, operation: usize, kind: CallKind) -> Result<Reply, Reply> {
        let wanted = match kind {
            CallKind::Submit => Wanted::Submit(self.check_submit(call, operation)?),
            CallKind::Status => self.look_up(call, operation)?,
            CallKind::Metrics => Wanted::Metrics,
        };
        let fault = self.faults.next(kind, &self.settings);
        self.book.faults += u64::from(fault.is_some());
        if let Some(instead) = fault.and_then(|fault| fault.instead(call, &self.settings)) {
            return Ok(instead);
        }
        let reply = match wanted {
            Wanted::Submit(text) => self.accept(call, operation, text),
            Wanted::Status(job) if fault == Some(Fault::AboutAnother) => {
                let other = self.id_draws.uuid();
                self.status(job, other)
            }
            Wanted::Status(job) => self.status(job, self.jobs[job].id),
            Wanted::Canned(reply) => reply,
            Wanted::Metrics => self.metrics(),
        };
        Ok(match fault {
            Some(fault) => fault.spoil(reply, &self.settings),
            None => reply,
        })
    }

    /// The text of a submission, if all is there that its operation needs.
    fn check_submit(&mut self, call: &Call, operation: usize) -> Result<String, Reply> {
        match well_formed(call, self.operations[operation].needs, self.settings.max_body) {
            Ok(_) if self.jobs.len() >= self.settings.max_jobs => Err(vendor_error(
                500,
                "MXSandboxFullException",
                "The sandbox holds as many jobs as its settings allow",
            )),
            Ok(text) => Ok(text.to_owned()),
            Err(why) => Err(self.bad_request(why)),
        }
    }

    fn look_up(&mut self, call: &Call, operation: usize) -> Result<Wanted, Reply> {
        let Some(id) = call.parameter("RequestID").filter(|id| !id.is_empty()) else {
            return Err(self.bad_request("RequestID is missing in the query string"));
        };
        if let Some(canned) = self.settings.answers.get(&id) {
            let mut reply = Reply::new(canned.http_status, "", canned.body.clone());
            reply.headers.clone_from(&canned.headers);
            return Ok(Wanted::Canned(reply));
        }
        let job = Uuid::parse(&id).and_then(|id| self.job_of_id.get(&id).copied());
        if let Some(job) = job.filter(|job| self.jobs[*job].operation == operation) {
            return Ok(Wanted::Status(job));
        }
        self.book.unknown_ids += 1;
        Err(match self.settings.unknown_id {
            UnknownId::NotFound => vendor_error(
                404,
                "MXRequestNotFoundException",
                &format!("No request with the id {id} was found"),
            ),
            UnknownId::EmptyStatus => answers::empty_status(&self.spelling(0), &id),
        })
    }

    fn accept(&mut self, call: &Call, operation: usize, text: String) -> Reply {
        let fate = Fate::of(&text, &self.settings, &mut self.fate_draws);
        let job = self.queue.add(&self.settings, fate);
        let id = self.id_draws.uuid();
        let spelling = self.spelling(job);
        self.book.accepted += 1;
        self.book.duplicates += u64::from(!self.seen.insert(fingerprint(call)));
        self.job_of_id.insert(id, job);
        let message = match self.operations[operation].needs {
            Needs::LeadId => answers::updated(),
            _ => answers::created(self.id_draws.uuid(), &text),
        };
        self.jobs.push(Job { id, operation, text: text.into(), message: message.into() });
        answers::accepted(&spelling, id)
    }

    fn status(&self, job: usize, shown_id: Uuid) -> Reply {
        let Job { operation, text, message, .. } = &self.jobs[job];
        let id = shown_id.to_string();
        let told = Told { id: &id, task_type: &self.operations[*operation].task_type, body: text, message };
        answers::status(&self.spelling(job), &told, self.queue.progress(job))
    }

    fn metrics(&self) -> Reply {
        let spelling = self.spelling(self.book.metrics_calls as usize);
        let pending = self.queue.pending(&self.settings);
        answers::metrics(&spelling, pending, self.settings.rate_per_minute, self.queue.rate_per_minute())
    }

    fn bad_request(&mut self, why: &str) -> Reply {
        self.book.bad_requests += 1;
        vendor_error(400, "MXInvalidInputDataException", why)
    }

    fn spelling(&self, number: usize) -> Spelling {
        let spellings = &self.settings.spellings;
        spellings.get(number % spellings.len().max(1)).copied().unwrap_or(Spelling::DOCUMENTED)
    }

    fn count_busiest_window(&mut self) {
        self.recent_calls.push_back(self.now);
        let window = self.settings.quota.window;
        while self.recent_calls.front().is_some_and(|at| self.now - *at > window) {
            self.recent_calls.pop_front();
        }
        self.book.busiest_window = self.book.busiest_window.max(self.recent_calls.len() as u64);
    }
}

#[derive(Debug)]
struct Job {
    id: Uuid,
    operation: usize,
    text: Box<str>,
    /// What its status will say if it succeeds.
    message: Box<str>,
}

/// What a call that passed every check wants.
enum Wanted {
    Submit(String),
    Status(usize),
    Canned(Reply),
    Metrics,
}

#[derive(Debug)]
struct Operation {
    path: String,
    task_type: String,
    needs: Needs,
}

/// What a submit must have besides JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A lead and the number of an event.
    Activity,
    /// `leadId` in the query.
    LeadId,
    /// Something after the path.
    PathTail,
}

const OPERATIONS: [(&str, &str, Needs); 7] = [
    ("/activity/create", "Activity Create", Needs::Activity),
    ("/activity/createcustom", "Activity Create Custom", Needs::Nothing),
    ("/lead/capture", "Lead Capture", Needs::Nothing),
    ("/lead/update", "Lead Update", Needs::LeadId),
    ("/opportunity/capture", "Opportunity Capture", Needs::Nothing),
    ("/opportunity/update", "Opportunity Update", Needs::Nothing),
    ("/1/api/telephony/logcallcomplete", "Telephony-LogCall", Needs::PathTail),
];

/// Which operation a call is about, and what it asks for.
fn route(operations: &[Operation], call: &Call) -> Option<(usize, CallKind)> {
    operations.iter().enumerate().find_map(|(index, operation)| {
        let tail = call.path.strip_prefix(&operation.path)?;
        let kind = match (call.method.as_str(), tail) {
            ("GET", "/status") => CallKind::Status,
            ("GET", "/metrics") => CallKind::Metrics,
            ("POST", "") if operation.needs != Needs::PathTail => CallKind::Submit,
            ("POST", _) if operation.needs == Needs::PathTail && tail.len() > 1 && tail.starts_with('/') => {
                CallKind::Submit
            }
            _ => return None,
        };
        Some((index, kind))
    })
}

/// Status and metrics need the API key alone, a submit the other two as well: as headers or in the query.
fn has_keys(call: &Call, kind: CallKind, settings: &Settings) -> bool {
    let either = |header: &str, parameter: &str, key: &str| {
        call.header_value(header)
            .map(str::to_owned)
            .or_else(|| call.parameter(parameter))
            .is_some_and(|it| it == key)
    };
    let api_key = call.header_value("x-api-key") == Some(&settings.api_key);
    api_key
        && (kind != CallKind::Submit
            || either("x-lsq-accesskey", "accessKey", &settings.access_key)
                && either("x-lsq-secretkey", "secretKey", &settings.secret_key))
}

/// The text of a submit that is as specified; otherwise what is wrong with it.
fn well_formed(call: &Call, needs: Needs, max_body: usize) -> Result<&str, &'static str> {
    let content_type = call.header_value("content-type").unwrap_or_default();
    if !content_type.to_ascii_lowercase().starts_with("application/json") {
        return Err("The content type is not application/json");
    }
    if call.body.len() > max_body {
        return Err("The message body is too large");
    }
    let text = std::str::from_utf8(&call.body).map_err(|_| "The message body is not UTF-8")?;
    let body: Value = serde_json::from_str(text).map_err(|_| "The message body is not JSON")?;
    if !body.is_object() && !body.is_array() {
        return Err("The message body is neither an object nor an array");
    }
    if needs == Needs::LeadId && call.parameter("leadId").is_none_or(|id| id.is_empty()) {
        return Err("leadId is missing in the query string");
    }
    if needs == Needs::Activity {
        let lead = body.get("RelatedProspectId").and_then(Value::as_str);
        if lead.is_none_or(str::is_empty) {
            return Err("RelatedProspectId is missing");
        }
        if !body.get("ActivityEvent").is_some_and(Value::is_number) {
            return Err("ActivityEvent is missing or not a number");
        }
    }
    Ok(text)
}

/// The same for two calls that would do the same thing twice, wherever their keys stand.
fn fingerprint(call: &Call) -> u64 {
    let mut hasher = DefaultHasher::new();
    let is_key =
        |name: &str| name.eq_ignore_ascii_case("accessKey") || name.eq_ignore_ascii_case("secretKey");
    let query: BTreeSet<_> = call.parameters().filter(|(name, _)| !is_key(name)).collect();
    (&call.path, query, &call.body).hash(&mut hasher);
    hasher.finish()
}
