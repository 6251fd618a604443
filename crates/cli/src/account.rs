//! Whose account, and how to reach it: from options, a file of keys and the environment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use activity_status::plugin::{Clock, Event, Observer};
use activity_status::{Client, Endpoint, ErrorKind, Operation, Settings, parse_duration};

use crate::args::AccountArgs;
use crate::shell::{Problem, Shell, named};

/// What the commands ask with.
pub(crate) struct Account {
    pub(crate) client: Client,
    pub(crate) operation: Operation,
    /// Whether the two keys are there that a submit needs.
    pub(crate) may_submit: bool,
    /// When to give up, by the clock of the [`Stop`](crate::Stop).
    pub(crate) deadline: Option<Duration>,
}

/// Counts the calls that the vendor refused although we keep the quota, and that were made again.
#[derive(Clone, Default)]
pub(crate) struct Refusals(Arc<AtomicU64>);

impl Refusals {
    /// Tells the user, who can do something about it.
    pub(crate) fn tell(&self, shell: &mut Shell<'_>) {
        let count = self.0.load(Relaxed);
        if count > 0 {
            let calls = if count == 1 { "call was" } else { "calls were" };
            shell.note(format_args!(
                "{count} {calls} refused for now and made again: nothing is lost. Another program \
                 uses this key, or has within the last 5 s: let them share the quota (the same whole path in --limiter \
                 file:PATH)."
            ));
        }
    }
}

impl Observer for Refusals {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Retrying { kind: ErrorKind::Refused, .. } = event {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

/// Puts the account together. `longest` is how long the command may take if no deadline is given.
pub(crate) fn open(
    args: &AccountArgs,
    longest: Option<Duration>,
    observer: impl Observer + 'static,
    shell: &mut Shell<'_>,
) -> Result<Account, Problem> {
    let operation = operation(args)?;
    let settings = settings(args, shell)?;
    let given = args.deadline.as_deref().map(parse_duration).transpose()?;
    let deadline = given.or(longest).map(|span| shell.stop.now().saturating_add(span));
    let client =
        activity_status_backends::builder(&settings)?.clock(shell.stop.clone()).observer(observer).build()?;
    let may_submit = settings.get("access_key").is_some() && settings.get("secret_key").is_some();
    Ok(Account { client, operation, may_submit, deadline })
}

fn operation(args: &AccountArgs) -> Result<Operation, Problem> {
    let name = args.operation.as_deref();
    let mut operation = match (&args.operation_path, name) {
        (Some(path), name) => Operation::custom(name.unwrap_or("custom"), path)?,
        (None, Some(name)) => name.parse().map_err(|_| {
            let known: Vec<&str> = Operation::ALL.iter().map(Operation::name).collect();
            Problem::usage(format!(
                "{name:?} is no known operation: use one of {}, or say with --operation-path where it is",
                known.join(", ")
            ))
        })?,
        (None, None) => Operation::ACTIVITY_CREATE,
    };
    if let Some(path) = &args.status_path {
        operation = operation.with_status_path(path)?;
    }
    if let Some(path) = &args.metrics_path {
        operation = operation.with_metrics_path(path)?;
    }
    Ok(operation)
}

const KEYS: [&str; 3] = ["api_key", "access_key", "secret_key"];
const PLACES: [&str; 2] = ["region", "base_url"];

const WITHOUT_AN_ACCOUNT: &str = "To try things without an account, run `activity-status sandbox` and paste the \
                                  export lines that it prints";

fn settings(args: &AccountArgs, shell: &mut Shell<'_>) -> Result<Settings, Problem> {
    let file = args.keys.as_deref().map(|path| read_keys(path, shell)).transpose()?.unwrap_or_default();
    let variable = |key: &str| shell.env(&format!("ACTIVITY_STATUS_{}", key.to_ascii_uppercase()));
    let environment = |keys: &[&'static str]| -> Vec<(&'static str, String)> {
        keys.iter().filter_map(|key| Some((*key, variable(key)?))).collect()
    };
    let from_file = |keys: &[&'static str]| -> Vec<(&'static str, String)> {
        file.iter().filter(|(key, _)| keys.contains(key)).cloned().collect()
    };
    let mut settings = Settings::new();
    for pair in &args.set {
        let (key, value) = extra(pair)?;
        settings.set(key, value)?;
    }
    let options = [("region", &args.region), ("base_url", &args.base_url), ("quota", &args.quota)];
    for (key, value) in options {
        if let Some(value) = value {
            settings.set(key, value)?;
        }
    }
    // Keys of two accounts must not be mixed, nor the region of one with the address of another: each of the two
    // comes wholly from the first place that says something of it.
    let keys_file = args.keys.as_deref().filter(|_| file.iter().any(|(key, _)| KEYS.contains(key)));
    let keys = if keys_file.is_some() { from_file(&KEYS) } else { environment(&KEYS) };
    let placed = PLACES.iter().any(|key| settings.get(key).is_some());
    let place = match from_file(&PLACES) {
        _ if placed => Vec::new(),
        place if place.is_empty() => environment(&PLACES),
        place => place,
    };
    for (key, value) in keys.iter().chain(&place) {
        settings.set(key, value.trim())?;
    }
    if settings.get("api_key").is_none() {
        return Err(Problem::usage(format!(
            "ACTIVITY_STATUS_API_KEY is missing: set it, or name a file of keys with --keys. {WITHOUT_AN_ACCOUNT}"
        )));
    }
    for (key, other) in [("secret_key", "access_key"), ("access_key", "secret_key")] {
        if settings.get(key).is_none() && settings.get(other).is_some() {
            let missing = match keys_file {
                Some(path) => format!("{}: {key}", named(path)),
                None => format!("ACTIVITY_STATUS_{}", key.to_ascii_uppercase()),
            };
            let other = other.replace('_', " ");
            return Err(Problem::usage(format!(
                "{missing} is missing: a submit needs it besides the {other}"
            )));
        }
    }
    if let Some(limiter) = &args.limiter {
        settings.set("limiter", public("--limiter", limiter)?)?;
    } else if let Some(limiter) = variable("limiter").filter(|_| settings.get("limiter").is_none()) {
        settings.set("limiter", limiter.trim())?;
    }
    if settings.get("region").is_none() && settings.get("base_url").is_none() {
        return Err(Problem::usage(format!(
            "ACTIVITY_STATUS_REGION is missing: set it to in, us or sg (or use --region), or set \
             ACTIVITY_STATUS_BASE_URL to the address (or use --base-url). {WITHOUT_AN_ACCOUNT}"
        )));
    }
    if settings.get("proxy").is_none()
        && let Some((name, proxy)) = proxy_for(&settings.endpoint()?, &|name| shell.env(name))
    {
        // Its value may hold a password, and is never repeated.
        if proxy.split_once("://").is_some_and(|(scheme, _)| !scheme.eq_ignore_ascii_case("http")) {
            return Err(Problem::usage(format!(
                "{name} names a proxy that is not of the form http://host:port"
            )));
        }
        settings.set("proxy", &proxy)?;
        settings.transport().map_err(|error| Problem::usage(format!("{name}: {error}")))?;
    }
    Ok(settings)
}

/// A setting that has no option of its own. Nothing of it is repeated in a message but the name before the `=`.
fn extra(pair: &str) -> Result<(&str, &str), Problem> {
    let Some((key, value)) = pair.split_once('=') else {
        return Err(Problem::usage("--set takes KEY=VALUE, such as max_attempts=3"));
    };
    let (key, value) = (key.trim(), value.trim());
    if KEYS.contains(&key) || key == "proxy" && value.contains('@') {
        return Err(Problem::usage(format!(
            "{key} is a secret, and other users can see arguments: use the environment or --keys"
        )));
    }
    match key {
        "limiter" => Ok((key, public(key, value)?)),
        _ => Ok((key, value)),
    }
}

/// An address of a limiter that holds no password.
fn public<'a>(name: &str, limiter: &'a str) -> Result<&'a str, Problem> {
    match limiter.contains("://") && limiter.contains('@') {
        true => Err(Problem::usage(format!(
            "{name} has a password, and other users can see arguments: put it into ACTIVITY_STATUS_LIMITER"
        ))),
        false => Ok(limiter),
    }
}

fn read_keys(path: &str, shell: &mut Shell<'_>) -> Result<Vec<(&'static str, String)>, Problem> {
    if others_can_read(path) {
        shell.note(format_args!("Warning: {path} can be read by other users; `chmod 600 {path}` ends that."));
    }
    let bytes = shell.read(path)?;
    parse_keys(&bytes).map_err(|what| Problem::usage(format!("{}: {what}", named(path))))
}

#[cfg(unix)]
fn others_can_read(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_path: &str) -> bool {
    false
}

/// Lines of `name = value`; the value may stand in quotes. No message repeats anything of a line.
fn parse_keys(bytes: &[u8]) -> Result<Vec<(&'static str, String)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = format!("line {}", index + 1);
        let names = || KEYS.into_iter().chain(PLACES);
        let known = line.split_once('=').and_then(|(name, value)| {
            let name = name.trim().to_ascii_lowercase();
            let name = name.strip_prefix("export ").map_or(name.as_str(), str::trim);
            let name = name.strip_prefix("activity_status_").unwrap_or(name);
            Some((names().find(|known| *known == name)?, value.trim()))
        });
        let Some((name, value)) = known else {
            return Err(format!(
                "{at} is not of the form `name = value` with one of {}",
                names().collect::<Vec<_>>().join(", ")
            ));
        };
        let quoted = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q));
        if found.iter().any(|(before, _)| *before == name) {
            return Err(format!("{at} gives {name} a second time"));
        }
        found.push((name, quoted.unwrap_or(value).to_owned()));
    }
    Ok(found)
}

/// The variable and the proxy that the environment has for an address; never one for this machine.
fn proxy_for(endpoint: &Endpoint, env: &dyn Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    let exempt = env("no_proxy").or_else(|| env("NO_PROXY")).unwrap_or_default();
    if endpoint.is_loopback() || is_exempt(endpoint.as_str(), &exempt) {
        return None;
    }
    ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .find_map(|name| Some((name, env(name)?)))
}

/// Does `NO_PROXY` name the host of this URL, a domain that it is in, or everything?
fn is_exempt(url: &str, no_proxy: &str) -> bool {
    let authority = url.split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority.as_str(),
    };
    no_proxy.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        let domain = entry.trim_start_matches('*').trim_start_matches('.');
        let within =
            |it: &str| it == domain || it.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        entry == "*" || !domain.is_empty() && (within(host) || within(&authority))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Stop;
    use crate::args::{Cli, Command};

    /// The settings that come of options and an environment; otherwise all that the user would read.
    fn settings_of(options: &[&str], env: &[(&str, &str)]) -> Result<Settings, String> {
        let arguments = ["activity-status", "metrics"].iter().chain(options);
        let cli = Cli::try_parse_from(arguments).map_err(|error| error.to_string())?;
        let Command::Metrics(args) = cli.command else { panic!() };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let lookup = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let stop = Stop::new();
        let result = settings(&args.account, &mut Shell::new(&mut out, &mut err, &lookup, &stop));
        result.map_err(|problem| problem.text + &String::from_utf8(err).unwrap())
    }

    const ENV: [(&str, &str); 4] = [
        ("ACTIVITY_STATUS_API_KEY", "s3cr3t-a"),
        ("ACTIVITY_STATUS_ACCESS_KEY", "s3cr3t-b"),
        ("ACTIVITY_STATUS_SECRET_KEY", "s3cr3t-c"),
        ("ACTIVITY_STATUS_REGION", "in"),
    ];

    #[test]
    fn options_beat_the_environment() {
        let from_env = settings_of(&[], &ENV).unwrap();
        assert_eq!(from_env.get("region"), Some("in"));
        assert_eq!(from_env.get("secret_key"), Some("s3cr3t-c"));
        let with_options =
            settings_of(&["--base-url", "https://h", "--quota", "2/1s", "--set", "max_attempts=2"], &ENV);
        let with_options = with_options.unwrap();
        assert_eq!(with_options.get("base_url"), Some("https://h"));
        assert_eq!(with_options.get("region"), None);
        assert_eq!(with_options.get("quota"), Some("2/1s"));
        assert_eq!(with_options.get("max_attempts"), Some("2"));
        assert!(settings_of(&["--region", "us", "--base-url", "https://h"], &ENV).is_err());
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_without_a_key() {
        for (options, env, word) in [
            (&[][..], &[][..], "ACTIVITY_STATUS_API_KEY"),
            (&[], &[][..], "activity-status sandbox"),
            (
                &[],
                &[ENV[0], ENV[1], ENV[3]],
                "ACTIVITY_STATUS_SECRET_KEY is missing: a submit needs it besides",
            ),
            (
                &[],
                &[ENV[0], ENV[2], ENV[3]],
                "ACTIVITY_STATUS_ACCESS_KEY is missing: a submit needs it besides",
            ),
            (&[], &ENV[..3], "ACTIVITY_STATUS_REGION is missing"),
            (&[], &ENV[..3], "ACTIVITY_STATUS_BASE_URL"),
            (&[], &ENV[..3], "activity-status sandbox"),
            (&["--set", "api_key=s3cr3t"], &ENV, "--keys"),
            (&["--set", "proxy=http://u:s3cr3t@p:1"], &ENV, "proxy is a secret"),
            (&["--set", "s3cr3t"], &ENV, "KEY=VALUE"),
            (&["--set", "qouta=s3cr3t"], &ENV, "qouta"),
            (&["--api-key", "s3cr3t"], &ENV, "--api-key"),
            (&["--api-key=s3cr3t"], &ENV, "--api-key"),
            (&["--keys", "/nonexistent"], &ENV, "/nonexistent"),
        ] {
            let text = settings_of(options, env).unwrap_err();
            assert!(text.contains(word), "{options:?}: {text}");
            assert!(!text.contains("s3cr3t"), "{options:?}: {text}");
        }
    }

    #[test]
    fn a_file_of_keys_is_read_and_never_repeated() {
        let text = "\u{feff}# ours\n\n api_key = s3cr3t-a\r\nACCESS_KEY=\"s3cr3t-b\"\n\
                    export ACTIVITY_STATUS_SECRET_KEY='s3cr3t=c'\nregion=us\n";
        let keys = parse_keys(text.as_bytes()).unwrap();
        let expected = [
            ("api_key", "s3cr3t-a"),
            ("access_key", "s3cr3t-b"),
            ("secret_key", "s3cr3t=c"),
            ("region", "us"),
        ];
        assert_eq!(keys, expected.map(|(key, value)| (key, value.to_owned())));
        for bad in ["s3cr3t", "apikey=s3cr3t", "api_key=s3cr3t\napi_key=s3cr3t"] {
            let what = parse_keys(bad.as_bytes()).unwrap_err();
            assert!(what.starts_with("line ") && !what.contains("s3cr3t"), "{what}");
        }
    }

    #[test]
    fn the_proxy_of_the_environment_is_used_but_not_for_this_machine() {
        let proxy = ("HTTPS_PROXY", "http://u:s3cr3t@proxy.example:3128");
        let env = [&ENV[..], &[proxy]].concat();
        assert_eq!(settings_of(&[], &env).unwrap().get("proxy"), Some(proxy.1));
        let local = settings_of(&["--base-url", "http://127.0.0.1:8025"], &env).unwrap();
        assert_eq!(local.get("proxy"), None);
        let exempt = [&env[..], &[("NO_PROXY", "x.example, .leadsquared.com")]].concat();
        assert_eq!(settings_of(&[], &exempt).unwrap().get("proxy"), None);
        let wrong = [&ENV[..], &[("ALL_PROXY", "socks5://u:s3cr3t@p:1")]].concat();
        let text = settings_of(&[], &wrong).unwrap_err();
        assert!(text.contains("ALL_PROXY") && !text.contains("s3cr3t"), "{text}");
    }

    #[test]
    fn no_proxy_names_hosts_domains_or_all() {
        let url = "https://asyncapi-in21.leadsquared.com:8443/x";
        for yes in [
            "*",
            "leadsquared.com",
            ".LeadSquared.com",
            "*.leadsquared.com",
            "asyncapi-in21.leadsquared.com",
            "a,leadsquared.com:8443",
        ] {
            assert!(is_exempt(url, yes), "{yes}");
        }
        for no in
            ["", ",", "squared.com", "leadsquared.com:1", "x.leadsquared.com", "api-in21.leadsquared.com"]
        {
            assert!(!is_exempt(url, no), "{no}");
        }
    }
}
