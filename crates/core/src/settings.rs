use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::builtin::{Quota, SlotRules, Slots, Timeouts, UreqTransport};
use crate::plugin::{Limiter, LimiterError};
use crate::wire::quoted;
use crate::{Client, ClientBuilder, Credentials, Endpoint, Error, KeyPlacement, RetryPolicy};

/// A client's settings as words and texts: the one table behind the command line, C and Python, so that a setting has
/// the same name and the same meaning in each. In Rust, [`Client::builder`] says the same with types.
///
/// ```
/// use activity_status::Settings;
///
/// let mut settings = Settings::new();
/// settings.set("region", "in")?;
/// settings.set("api_key", "your-api-key")?;
/// settings.set("quota", "10/5s")?;
/// let client = settings.builder()?.build()?;
/// assert!(settings.set("qouta", "10/5s").unwrap_err().to_string().contains("quota"));
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, Zeroizing<String>>,
}

impl Settings {
    /// The name of every setting, and what it means.
    pub const KEYS: &'static [(&'static str, &'static str)] = &[
        ("region", "The account's region: in, us or sg. Either this or base_url."),
        ("base_url", "The address of the Async API: https, or http on this machine."),
        ("api_key", "The key that every call carries. Required."),
        ("access_key", "The access key: a submit needs it."),
        ("secret_key", "The secret key: a submit needs it."),
        ("key_placement", "Where a submit carries those two: headers (default) or query."),
        ("quota", "Calls per time, such as 25/5s (default)."),
        (
            "limiter",
            "Who shares the quota: process (default), file:PATH (all that name this file), redis://HOST:PORT (all machines).",
        ),
        (
            "limiter_away",
            "While Redis is away: refuse (default), or a quota for this client alone, such as 5/5s; all of them must add up.",
        ),
        (
            "strict",
            "true: hold each slot for a whole window after the answer. Default false, an estimated margin less.",
        ),
        (
            "submit_share",
            "Of a hundred calls, when submits and questions both wait, so many are submits: 50.",
        ),
        ("call_deadline", "The longest that one call may take with all its waits and attempts: 60s."),
        ("max_attempts", "How often a call that is safe to repeat is tried: 5."),
        ("accept_duplicates", "true: also send a submit again when it may have arrived. Default false."),
        ("resolve_timeout", "Looking the host's name up: 5s."),
        ("connect_timeout", "Connecting, TLS included: 10s."),
        ("send_timeout", "Sending the request: 15s."),
        ("head_timeout", "Waiting for the head of the answer: 30s."),
        ("body_timeout", "Reading the body of the answer: 30s."),
        ("proxy", "An HTTP proxy, http://host:port. Default none."),
    ];

    /// No setting at all: a region (or base URL) and an API key must be given.
    pub fn new() -> Self {
        Settings::default()
    }

    /// Gives one setting; a later value replaces an earlier one. Times are seconds, or end in `ms`, `s`, `m` or `h`.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a name that is none. Values are checked by [`builder`](Settings::builder).
    pub fn set(&mut self, key: &str, value: &str) -> Result<&mut Self, Error> {
        let Some((known, _)) = Settings::KEYS.iter().find(|(known, _)| *known == key) else {
            let all: Vec<&str> = Settings::KEYS.iter().map(|(known, _)| *known).collect();
            return Err(Error::config(format!(
                "{} is no setting; there are {}",
                quoted(key),
                all.join(", ")
            )));
        };
        self.values.insert(known, Zeroizing::new(value.to_owned()));
        Ok(self)
    }

    /// Takes a setting back, so that its default holds. One that was not given is nothing to do.
    pub fn unset(&mut self, key: &str) -> &mut Self {
        self.values.remove(key);
        self
    }

    /// What was given for a setting.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| value.as_str())
    }

    /// The endpoint that the settings name.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) if there is none, or two.
    pub fn endpoint(&self) -> Result<Endpoint, Error> {
        match (self.get("region"), self.get("base_url")) {
            (Some(region), None) => region.parse(),
            (None, Some(url)) => Endpoint::url(url),
            (Some(_), Some(_)) => Err(Error::config("both region and base_url are given; give one of them")),
            (None, None) => {
                Err(Error::config("no region is given: in, us or sg; or the base_url of another one"))
            }
        }
    }

    /// A client builder with these settings, to which parts can be added.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for any value that is missing or makes no sense, and for a limiter other than
    /// `process`: the core has no other. The crate `activity-status-backends` has the others, and a `builder` like this one.
    pub fn builder(&self) -> Result<ClientBuilder, Error> {
        self.builder_with(|_| Ok(None))
    }

    /// As [`builder`](Settings::builder), with limiters that the core does not have: `open` is asked for any but `process`, and
    /// answers `None` to a place that it does not know either.
    ///
    /// # Errors
    /// As [`builder`](Settings::builder); kind [`Config`](crate::ErrorKind::Config) for those of `open`, too.
    pub fn builder_with(
        &self,
        open: impl FnOnce(&LimiterPlace<'_>) -> Result<Option<Box<dyn Limiter>>, LimiterError>,
    ) -> Result<ClientBuilder, Error> {
        let retry = RetryPolicy::new();
        let retry = match self.parsed::<u32>("max_attempts", "a number from 1")? {
            Some(0) => {
                return Err(Error::config("max_attempts is 0, which lets no call out; 1 means no retry"));
            }
            Some(attempts) => retry.max_attempts(attempts),
            None => retry,
        };
        let accept = self.parsed("accept_duplicates", "true or false")?.unwrap_or(false);
        let mut builder =
            Client::builder(self.endpoint()?, self.credentials()?).retry(retry.accept_duplicates(accept));
        if let Some(deadline) = self.duration("call_deadline")? {
            builder = builder.call_deadline(deadline);
        }
        builder = match self.get("proxy") {
            Some(_) => builder.transport(self.transport()?),
            None => builder.timeouts(self.timeouts()?),
        };
        builder = builder.quota(self.slot_rules()?.quota());
        Ok(builder.limiter(self.limiter_with(open)?))
    }

    /// The limiter that the settings name, by itself: to be shared by several clients, or to guard calls that are not this
    /// library's. `open` is as for [`builder_with`](Settings::builder_with).
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a value that makes no sense, and for those of `open`.
    pub fn limiter_with(
        &self,
        open: impl FnOnce(&LimiterPlace<'_>) -> Result<Option<Box<dyn Limiter>>, LimiterError>,
    ) -> Result<Box<dyn Limiter>, Error> {
        let rules = self.slot_rules()?;
        let away = match self.get("limiter_away") {
            None | Some("refuse") => None,
            Some(quota) => Some(quota.parse::<Quota>()?),
        };
        let place = match self.get("limiter").unwrap_or("process") {
            "process" => return Ok(Box::new(Slots::with(rules))),
            place => place,
        };
        let api_key = self.get("api_key").unwrap_or_default();
        let asked = LimiterPlace { place, rules, api_key, away };
        // Nothing was asked of the vendor or of a server yet: what is wrong is the setting, or the place that it names.
        let unable = |trouble: LimiterError| Error::config(trouble.message).with_source(trouble.source);
        open(&asked).map_err(unable)?.ok_or_else(|| {
            let scheme = match asked.scheme() {
                it if it.starts_with('/') => "a path without file: before it".to_owned(),
                it if it.contains(['@', '/']) => "what is given".to_owned(),
                it => quoted(it),
            };
            Error::config(format!(
                "{scheme} is no limiter that this program knows: process is always there; file:PATH and \
                 redis://HOST:PORT come with activity_status_backends::builder in Rust, and with the command line, \
                 C and Python"
            ))
        })
    }

    /// How slots are to be kept, by these settings.
    fn slot_rules(&self) -> Result<SlotRules, Error> {
        let mut rules =
            SlotRules::new(self.get("quota").map(str::parse::<Quota>).transpose()?.unwrap_or_default())?;
        if let Some(strict) = self.parsed("strict", "true or false")? {
            rules = rules.strict(strict);
        }
        if let Some(percent) = self.parsed("submit_share", "a number from 1 to 99")? {
            rules = rules.submit_share(percent)?;
        }
        if let Some(longest) = self.duration("call_deadline")? {
            rules = rules.longest_call(longest);
        }
        Ok(rules)
    }

    /// The transport with these settings' time-outs and proxy, for whoever wants to put something around it.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a value that makes no sense.
    pub fn transport(&self) -> Result<UreqTransport, Error> {
        let timeouts = self.timeouts()?;
        match self.get("proxy") {
            Some(proxy) => UreqTransport::with_proxy(timeouts, proxy),
            None => UreqTransport::new(timeouts),
        }
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        let Some(api_key) = self.get("api_key") else {
            return Err(Error::config(
                "no api_key is given: the x-api-key of the account's region, see the vendor's page about the Async API",
            ));
        };
        let mut keys = Credentials::new(api_key)?;
        keys = match (self.get("access_key"), self.get("secret_key")) {
            (Some(access), Some(secret)) => keys.with_submit_keys(access, secret)?,
            (None, None) => keys,
            _ => return Err(Error::config("of access_key and secret_key one is given: a submit needs both")),
        };
        match self.get("key_placement") {
            None | Some("headers") => Ok(keys),
            Some("query") => Ok(keys.with_placement(KeyPlacement::Query)),
            Some(_) => Err(Error::config("key_placement is neither headers nor query")),
        }
    }

    fn timeouts(&self) -> Result<Timeouts, Error> {
        let defaults = Timeouts::default();
        let phase = |key, default| Ok::<_, Error>(self.duration(key)?.unwrap_or(default));
        Ok(Timeouts {
            resolve: phase("resolve_timeout", defaults.resolve)?,
            connect: phase("connect_timeout", defaults.connect)?,
            send: phase("send_timeout", defaults.send)?,
            head: phase("head_timeout", defaults.head)?,
            body: phase("body_timeout", defaults.body)?,
        })
    }

    fn duration(&self, key: &str) -> Result<Option<Duration>, Error> {
        self.get(key)
            .map(|text| parse_duration(text).map_err(|e| Error::config(format!("{key}: {}", e.message()))))
            .transpose()
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str, form: &str) -> Result<Option<T>, Error> {
        let wrong = |_| Error::config(format!("{key} is not {form}"));
        self.get(key).map(|text| text.trim().parse().map_err(wrong)).transpose()
    }
}

/// A limiter that the settings ask for, and that the core does not have.
#[non_exhaustive]
pub struct LimiterPlace<'a> {
    /// Where its state is: `file:PATH`, `redis://…`. It may hold a password.
    pub place: &'a str,
    /// How its slots are to be kept.
    pub rules: SlotRules,
    /// The key whose quota it keeps. Only a keyed hash of it may get out.
    pub api_key: &'a str,
    /// The quota of one's own while the place is away; `None` if nothing is to be sent then.
    pub away: Option<Quota>,
}

impl LimiterPlace<'_> {
    /// What kind of place it is: what stands before the first colon.
    pub fn scheme(&self) -> &str {
        self.place.split(':').next().unwrap_or_default()
    }
}

impl fmt::Debug for LimiterPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterPlace").field("scheme", &self.scheme()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    /// The names alone: values can be keys, or hold them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// A time as people write it: `90`, `90s`, `1.5m`, `500ms`, `2h`.
///
/// # Errors
/// Kind [`Config`](crate::ErrorKind::Config) for anything else, a negative one included.
///
/// ```
/// use activity_status::parse_duration;
/// use std::time::Duration;
///
/// assert_eq!(parse_duration("1.5m")?, Duration::from_secs(90));
/// # Ok::<(), activity_status::Error>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, Error> {
    let text = text.trim();
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let (number, unit) = units
        .iter()
        .find_map(|(suffix, seconds)| text.strip_suffix(suffix).map(|number| (number, *seconds)))
        .unwrap_or((text, 1.0));
    let seconds = number.trim_end().parse::<f64>().ok().map(|number| number * unit);
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(|| {
        Error::config(format!("{} is no time: give seconds, or a number with ms, s, m or h", quoted(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn with(pairs: &[(&str, &str)]) -> Result<ClientBuilder, Error> {
        let mut settings = Settings::new();
        for (key, value) in pairs {
            settings.set(key, value)?;
        }
        settings.builder()
    }

    #[test]
    fn every_setting_is_read() {
        let good = [
            ("region", "us"),
            ("api_key", "k"),
            ("access_key", "a"),
            ("secret_key", "s"),
            ("key_placement", "query"),
            ("quota", "2/1s"),
            ("limiter", "process"),
            ("limiter_away", "refuse"),
            ("strict", "true"),
            ("submit_share", "20"),
            ("call_deadline", "2m"),
            ("max_attempts", "1"),
            ("accept_duplicates", "false"),
            ("resolve_timeout", "1"),
            ("connect_timeout", "1s"),
            ("send_timeout", "1s"),
            ("head_timeout", "500ms"),
            ("body_timeout", "1s"),
            ("proxy", "http://proxy.example:3128"),
        ];
        let client = with(&good).unwrap().build().unwrap();
        assert_eq!(client.bounds.deadline, Duration::from_secs(120));
        assert_eq!(client.pipeline.quota, Quota::new(2, Duration::from_secs(1)), "waits are spread over it");
        for (i, (key, _)) in good.iter().enumerate() {
            let mut bad = good;
            bad[i].1 = "\n";
            assert!(with(&bad).and_then(ClientBuilder::build).is_err(), "{key}");
        }
        let named: Vec<&str> = good.iter().map(|(key, _)| *key).chain(["base_url"]).collect();
        assert!(
            Settings::KEYS.iter().all(|(key, _)| named.contains(key)),
            "a setting that this test does not try"
        );
    }

    #[test]
    fn what_is_missing_or_double_is_said() {
        for (pairs, word) in [
            (&[("api_key", "k")][..], "region"),
            (&[("region", "in")], "api_key"),
            (&[("region", "mars"), ("api_key", "k")], "mars"),
            (&[("region", "in"), ("base_url", "https://h"), ("api_key", "k")], "both"),
            (&[("region", "in"), ("api_key", "k"), ("access_key", "a")], "secret_key"),
            (&[("region", "in"), ("api_key", "k"), ("quota", "0/5s")], "quota"),
            (&[("region", "in"), ("api_key", "k"), ("max_attempts", "0")], "max_attempts"),
        ] {
            let error = with(pairs).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_limiter_elsewhere_is_opened_by_whoever_knows_it() {
        let mut settings = Settings::new();
        for (key, value) in [
            ("region", "in"),
            ("api_key", "the-key"),
            ("quota", "3/1s"),
            ("limiter", "redis://:s3cr3t@host"),
            ("limiter_away", "1/5s"),
        ] {
            settings.set(key, value).unwrap();
        }
        for (place, said) in [("/tmp/quota", "file:"), ("s3cr3t@host", "what is given"), ("ftp:x", "\"ftp\"")]
        {
            settings.set("limiter", place).unwrap();
            let refused = settings.builder().unwrap_err().to_string();
            assert!(refused.contains(said) && !refused.contains("s3cr3t"), "{refused}");
        }
        settings.set("limiter", "redis://:s3cr3t@host").unwrap();
        let refused = settings.builder().unwrap_err().to_string();
        assert!(refused.contains("redis") && !refused.contains("s3cr3t"), "{refused}");
        let builder = settings.builder_with(|place| {
            assert_eq!((place.place, place.scheme()), ("redis://:s3cr3t@host", "redis"));
            assert_eq!((place.api_key, place.away), ("the-key", Some(Quota::new(1, Duration::from_secs(5)))));
            assert!(!format!("{place:?}").contains("s3cr3t"));
            Ok(Some(Box::new(Slots::with(place.rules))))
        });
        let gone = settings
            .builder_with(|_| Err(LimiterError { message: "no such folder".to_owned(), source: None }));
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::Config);
        let snapshot = builder.unwrap().build().unwrap().snapshot().unwrap().unwrap();
        assert_eq!(snapshot.free, 3);
    }

    #[test]
    fn debug_shows_no_value() {
        let mut settings = Settings::new();
        settings.set("api_key", "s3cr3t").unwrap().set("proxy", "http://u:s3cr3t@p:1").unwrap();
        assert_eq!(format!("{settings:?}"), r#"{"api_key", "proxy"}"#);
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, ms) in
            [("1", 1000), ("250ms", 250), ("1.5 s", 1500), ("2m", 120_000), ("1h", 3_600_000), ("0", 0)]
        {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(ms), "{text}");
        }
        for bad in ["", "s", "-1s", "1d", "nan", "inf", "1e30h", "1 2"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
