//! Settings, and the operations besides the known ones.

use std::sync::{Arc, LazyLock};

use activity_status::plugin::{Clock, Limiter, Observer, Transport};
use activity_status::{ClientBuilder, KeyPlacement, Operation, Settings};

use crate::code::astat_code;
use crate::credentials::{self, Provider};
use crate::error::{Failure, astat_error};
use crate::text::{Text, astat_str};
use crate::{guard, handle};

/// The settings of a client to be. One owner, one thread at a time; astat_client_new takes a copy.
pub struct astat_config {
    pub(crate) settings: Settings,
    pub(crate) operations: Vec<Operation>,
    pub(crate) limiter: Option<Chosen>,
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) credentials: Option<Arc<credentials::Plugged>>,
}

/// A limiter in place of the one that the settings name.
pub(crate) enum Chosen {
    /// The program's own functions.
    Own(Arc<dyn Limiter>),
    /// One that the settings of a configuration have named, for several clients.
    Shared(Arc<dyn Limiter>),
}

/// Begins a configuration with no setting: a region or a base_url, and an API key must be given.
///
/// Free it with astat_config_free. NULL only after a bug in the library.
#[unsafe(no_mangle)]
pub extern "C" fn astat_config_new() -> *mut astat_config {
    guard::quiet(std::ptr::null_mut(), || {
        handle::give_owned(astat_config {
            settings: Settings::new(),
            operations: Vec::new(),
            limiter: None,
            transport: None,
            clock: None,
            observer: None,
            credentials: None,
        })
    })
}

/// Ends a configuration and wipes its keys from memory. NULL is nothing to do. Its clients go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_free(config: *mut astat_config) {
    // SAFETY: the caller owns it, and gives it up.
    guard::quiet((), || unsafe { handle::release_owned(config) });
}

/// Gives one setting, as text; a later value replaces an earlier one, and {NULL, 0} leaves it as it was.
/// astat_config_key lists them all.
///
/// Times are seconds, or end in ms, s, m or h. Keys are better given by astat_config_set_keys.
///
/// ASTAT_E_CONFIG for a name that is none. Values are checked together, by astat_client_new.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_set(
    config: *mut astat_config,
    key: astat_str,
    value: astat_str,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and texts.
    unsafe {
        guard::change(err, || {
            let config = handle::lend_mut(config, "config")?;
            let key = key.read("key")?;
            if let Some(value) = value.read_if_any("value")? {
                config.settings.set(key, value)?;
            }
            Ok(())
        })
    }
}

/// Gives the account's keys. The vendor shows the access key and the secret key under My Account > Settings > API and
/// Webhooks, and the API key of each region on its page about the Async API, under API Host and Key. They are copied,
/// wiped from memory when they are no longer needed, and in no text that the library gives.
///
/// Asking needs the API key alone, a submit all three: {NULL, 0} leaves one as it was.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_set_keys(
    config: *mut astat_config,
    api_key: astat_str,
    access_key: astat_str,
    secret_key: astat_str,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and texts.
    unsafe {
        guard::change(err, || {
            let config = handle::lend_mut(config, "config")?;
            let keys = [
                ("api_key", api_key.read_if_any("api_key")?),
                ("access_key", access_key.read_if_any("access_key")?),
                ("secret_key", secret_key.read_if_any("secret_key")?),
            ];
            for (name, key) in keys {
                if let Some(key) = key {
                    config.settings.set(name, key)?;
                }
            }
            Ok(())
        })
    }
}

/// Adds an operation, or gives a known one other paths (most of the vendor's status and metrics paths are not
/// documented, but follow from their siblings).
///
/// name is 1 to 64 letters, digits, '.', '_' or '-'. A job is submitted at path, such as "/task/create", and asked
/// about at status_path and metrics_path; {NULL, 0} for those is path + "/status" and path + "/metrics".
///
/// ASTAT_E_CONFIG for a name or a path of another form.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn astat_config_add_operation(
    config: *mut astat_config,
    name: astat_str,
    path: astat_str,
    status_path: astat_str,
    metrics_path: astat_str,
    err: *mut *mut astat_error,
) -> astat_code {
    // SAFETY: the caller keeps the header's rules for handles and texts.
    unsafe {
        guard::change(err, || {
            let config = handle::lend_mut(config, "config")?;
            let mut operation = Operation::custom(name.read("name")?, path.read("path")?)?;
            if let Some(path) = status_path.read_if_any("status_path")? {
                operation = operation.with_status_path(path)?;
            }
            if let Some(path) = metrics_path.read_if_any("metrics_path")? {
                operation = operation.with_metrics_path(path)?;
            }
            config.operations.push(operation);
            Ok(())
        })
    }
}

/// How many settings there are.
#[unsafe(no_mangle)]
pub extern "C" fn astat_config_key_count() -> usize {
    Settings::KEYS.len()
}

/// The name of a setting, by its number from 0. No text beyond the last. It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn astat_config_key(index: usize) -> astat_str {
    guard::quiet(astat_str::NONE, || KEYS.get(index).map_or(astat_str::NONE, |(key, _)| key.view()))
}

/// What a setting means and what it is if it is not given, by its number. It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn astat_config_key_help(index: usize) -> astat_str {
    guard::quiet(astat_str::NONE, || KEYS.get(index).map_or(astat_str::NONE, |(_, help)| help.view()))
}

impl astat_config {
    /// The settings, with the present keys if the program has a source of them.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        match &self.credentials {
            Some(source) => source.settings(&self.settings),
            None => Ok(self.settings.clone()),
        }
    }

    /// A client of these settings and parts.
    pub(crate) fn builder(&self) -> Result<ClientBuilder, Failure> {
        let settings = self.settings()?;
        let both = |what: &str| Err(Failure::config(&format!("both {what} are given; give one of them")));
        let mut builder = match &self.limiter {
            None => activity_status_backends::builder(&settings)?,
            Some(Chosen::Own(_)) if settings.get("limiter").is_some() => {
                return both("the limiter setting and a limiter of the program's");
            }
            Some(Chosen::Own(limiter) | Chosen::Shared(limiter)) => {
                settings.builder_with(|_| Ok(Some(Box::new(limiter.clone()))))?.limiter(limiter.clone())
            }
        };
        if let Some(transport) = &self.transport {
            if settings.get("proxy").is_some() {
                return both(
                    "the proxy setting, which is the built-in transport's, and a transport of the program's",
                );
            }
            builder = builder.transport(transport.clone());
        }
        if let Some(clock) = &self.clock {
            builder = builder.clock(clock.clone());
        }
        if let Some(observer) = &self.observer {
            builder = builder.observer(observer.clone());
        }
        if let Some(plug) = self.credentials.clone() {
            let placement = match settings.get("key_placement") {
                Some("query") => KeyPlacement::Query,
                _ => KeyPlacement::Headers,
            };
            builder = builder.credentials_provider(Provider { plug, placement });
        }
        Ok(builder)
    }
}

/// The core's table, with the NUL behind each text.
static KEYS: LazyLock<Vec<(Text, Text)>> = LazyLock::new(|| {
    Settings::KEYS.iter().map(|(key, help)| (Text::from(*key), Text::from(*help))).collect()
});
