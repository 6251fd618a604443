use clap::{Args, Parser, Subcommand, ValueEnum};

/// Ask LeadSquared's Async API how each job went, inside the account's quota.
#[derive(Debug, Parser)]
#[command(name = "activity-status", bin_name = "activity-status", version, max_term_width = 100)]
#[command(disable_help_subcommand = true, after_help = OVERVIEW)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const OVERVIEW: &str = "\
Keys are never arguments, because other users can see those. They come from the environment
(ACTIVITY_STATUS_API_KEY, and for a submit _ACCESS_KEY and _SECRET_KEY) or from a file (--keys).
The account's region comes from ACTIVITY_STATUS_REGION or _BASE_URL, or from an option.
A proxy in HTTPS_PROXY or ALL_PROXY is used, unless NO_PROXY names the vendor's host.

Exit codes: 0 every question was answered and no job failed, 1 some job failed, 2 wrong usage or
bad input, 3 the deadline passed, 4 the vendor or the network, 130 interrupted; the highest that
applies. Data goes to standard output, everything else to standard error.

Examples:
  activity-status demo
  activity-status submit activities.csv > ids.txt
  activity-status wait --file ids.txt
  activity-status status --json 72003d66-aa5d-4533-9e13-73da598dedf4";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The whole story on a built-in sandbox, in under half a minute. No account needed
    Demo,
    /// Run a model of the vendor on this machine, to try things on
    Sandbox(Box<SandboxArgs>),
    /// Ask once how each job stands
    Status(Box<StatusArgs>),
    /// Send jobs from a file, and print their request ids
    Submit(Box<SubmitArgs>),
    /// Ask until each job has succeeded or failed
    Wait(Box<WaitArgs>),
    /// Ask how long the vendor's queue is
    Metrics(Box<MetricsArgs>),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  activity-status status 72003d66-aa5d-4533-9e13-73da598dedf4
  activity-status status --file ids.txt --json > states.jsonl")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) abreast: AbreastArgs,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  activity-status submit activities.csv | activity-status wait -
  activity-status wait --file ids.txt --deadline 12h --json > outcomes.jsonl
  activity-status wait --file ids.txt --price 100ms

The order of the ids is taken for the order of submission, as in a file that `submit` wrote: then
only the few jobs are asked about that can have settled by now. In any other order all is found out
too, but later: say --unordered then. How many calls are under way at a time follows from that.

The vendor's own retries of a job last over nine hours: give `wait` a longer deadline where that
matters.")]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// How much waiting one call must be expected to end: more is fewer calls and later news
    #[arg(long, value_name = "TIME", default_value = "5ms", conflicts_with = "unordered")]
    pub(crate) price: String,
    /// The ids are in no known order: each is asked about in its turn
    #[arg(long)]
    pub(crate) unordered: bool,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
}

/// Which jobs to ask about.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Request ids as a submit printed them; `-` reads them from standard input
    #[arg(value_name = "ID", required_unless_present = "file")]
    pub(crate) ids: Vec<String>,
    /// A file of request ids, one a line, or of what `submit --json` printed (its lines are told again); `-` is
    /// standard input
    #[arg(long, short, value_name = "IDS")]
    pub(crate) file: Option<String>,
}

impl WhichArgs {
    /// How often standard input is named.
    pub(crate) fn stdin_uses(&self) -> usize {
        self.ids.iter().chain(&self.file).filter(|name| *name == "-").count()
    }
}

/// How many calls go out side by side.
#[derive(Debug, Args)]
pub(crate) struct AbreastArgs {
    /// How many calls may be under way at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) concurrency: u8,
}

#[derive(Debug, Args)]
#[command(after_help = "\
FILE is one of
  JSON        one object, or an array of them (each object is one job; for lead.capture, lead.update
              and custom operations an array is one job)
  JSON lines  one job after the other
  CSV         with a header: RelatedProspectId, ActivityEvent, and if you like ActivityNote,
              ActivityDateTime (UTC, 2026-01-31 09:30:00) and any mx_… column (for activity.create)

All of it is checked before anything is sent, for its form alone: that the file can be read, that
each activity names a lead (RelatedProspectId, any text) and an event (ActivityEvent, a number), and
in CSV that ActivityDateTime has the form above. Not checked is whether that lead, event or field
exists, nor whether the text is an id at all: the vendor judges that, and `wait` tells.

A submit whose answer was lost is never sent again: it is reported as in doubt, with its line, and
may or may not have created something.

The ids come in the order of the file; with --json each comes at once, with its line.

Examples:
  activity-status submit activities.csv > ids.txt
  activity-status submit --operation lead.update --query leadId=b8e49bf4… change.json
  activity-status submit --operation telephony.logcall --path-tail-env CONNECTOR_KEY call.json")]
pub(crate) struct SubmitArgs {
    /// JSON, JSON lines or CSV; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// A parameter for the query string of each submit, such as leadId=…
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) query: Vec<String>,
    /// The environment variable with the last part of the path: the key of a telephony connector
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) path_tail_env: Option<String>,
    /// Do not check the fields of activities in JSON: the vendor judges them
    #[arg(long)]
    pub(crate) as_is: bool,
    #[command(flatten)]
    pub(crate) abreast: AbreastArgs,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  activity-status metrics --operation lead.capture --json")]
pub(crate) struct MetricsArgs {
    #[command(flatten)]
    pub(crate) account: AccountArgs,
}

/// What the commands that talk to the vendor have in common.
#[derive(Debug, Args)]
#[command(next_help_heading = "The account")]
pub(crate) struct AccountArgs {
    /// The vendor's call: activity.create, activity.createcustom, lead.capture, lead.update,
    /// opportunity.capture, opportunity.update, telephony.logcall, or a name of yours with --operation-path
    #[arg(long, value_name = "NAME")]
    pub(crate) operation: Option<String>,
    /// Where an operation that is not among those is submitted, such as /task/create
    #[arg(long, value_name = "PATH")]
    pub(crate) operation_path: Option<String>,
    /// Where its status is asked, if not at the same path with /status
    #[arg(long, value_name = "PATH")]
    pub(crate) status_path: Option<String>,
    /// Where its metrics are asked, if not at the same path with /metrics
    #[arg(long, value_name = "PATH")]
    pub(crate) metrics_path: Option<String>,
    /// The account's region: in, us or sg
    #[arg(long, value_name = "REGION", conflicts_with = "base_url")]
    pub(crate) region: Option<String>,
    /// The address of the Async API of another region, or of the sandbox
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// A file with the keys: lines such as `api_key = …`, also access_key, secret_key, region, base_url
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<String>,
    /// Calls per time that the account may make [default: 25/5s]
    #[arg(long, value_name = "CALLS/TIME")]
    pub(crate) quota: Option<String>,
    /// Who shares the quota: process, file:PATH (all programs of this machine that name the file), or
    /// redis://HOST:PORT (many machines); also ACTIVITY_STATUS_LIMITER [default: process]
    #[arg(long, value_name = "WHERE")]
    pub(crate) limiter: Option<String>,
    /// When to give up, such as 90s, 10m or 12h [default: 1h for wait, none otherwise]
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<String>,
    /// Any other setting, such as max_attempts=3, call_deadline=2m, head_timeout=10s, key_placement=query
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The first line on standard output is the address. What becomes of a job is decided by a marker in
its text, in the ActivityNote say:
  sandbox:fail      an application error, never retried; sandbox:fail=No such event gives the reason
  sandbox:error     an error, final
  sandbox:retry=2   fails twice, is retried by the vendor each time, then succeeds
  sandbox:never     fails until the retries are used up
GET /sandbox on the address tells more.

Examples:
  activity-status sandbox
  activity-status sandbox --port 0 --rate 400 --latency 40ms..150ms --retry-ladder 5s,10s")]
pub(crate) struct SandboxArgs {
    /// The port; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8025)]
    pub(crate) port: u16,
    /// The address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) host: std::net::IpAddr,
    /// Allow an address that other machines can reach
    #[arg(long)]
    pub(crate) public: bool,
    /// How calls are counted
    #[arg(long, value_enum, default_value_t = WindowKind::Sliding)]
    pub(crate) window: WindowKind,
    /// Calls per time that are let through
    #[arg(long, value_name = "CALLS/TIME", default_value = "25/5s")]
    pub(crate) quota: String,
    /// Jobs processed in a minute
    #[arg(long, value_name = "JOBS", default_value_t = 25.0)]
    pub(crate) rate: f64,
    /// Jobs processed at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) workers: u16,
    /// How long a call and its answer are under way, each: a time, or least..most
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub(crate) latency: String,
    /// Decides everything that is drawn, the request ids too [default: another one each time]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// After how long the vendor retries a job, step by step [default: 30s,2m,7m,… 3h, as documented]
    #[arg(long, value_name = "TIMES")]
    pub(crate) retry_ladder: Option<String>,
    /// How answers are spelled: as on the vendor's page, or every way there is in turn
    #[arg(long, value_enum, default_value_t = Spellings::Documented)]
    pub(crate) spelling: Spellings,
    /// Exact answers for some ids: a file in the form of tests/vectors/status.json
    #[arg(long, value_name = "FILE")]
    pub(crate) answers: Option<String>,
    /// Print the book at the end as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WindowKind {
    Sliding,
    Fixed,
    Bucket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spellings {
    Documented,
    All,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_make_sense() {
        super::Cli::command().debug_assert();
    }
}
