//! The server: its one script, and the connections to it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::{Clock, LimiterError};
use redis::{Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError};

use crate::server_clock::Offset;
use crate::wire::{Tls, Wire};

/// Compare and set, with the time and the identity of whoever did it. Without values it only reads.
const SCRIPT: &str = "\
local stored = redis.call('GET', KEYS[1]) or ''
local time = redis.call('TIME')
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local written = ARGV[1] == stored
if written then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return {server, time[1], time[2], written and 1 or 0, stored}";

/// Longer than anything is held: a call may take a day.
const KEPT: Duration = Duration::from_secs(2 * 24 * 3600);

/// For a connection with its greeting, and again for an answer.
pub(crate) const LONGEST_STEP: Duration = Duration::from_millis(500);

/// A connection that rested for longer may have been dropped silently on the way.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// More connections than these are not kept open between calls.
const MOST_IDLE: usize = 4;

pub(crate) struct Server {
    host: String,
    port: u16,
    tls: Option<Tls>,
    /// What a new connection begins with, if the address has a password or a database.
    auth: Option<Cmd>,
    select: Option<Cmd>,
    /// Host and port: all of the address that may be shown.
    pub(crate) address: String,
    clock: SystemClock,
    idle: Mutex<Vec<Link>>,
}

struct Link {
    wire: Wire,
    /// A connection is not shared with a forked process.
    process: u32,
    used_at: Duration,
}

/// What the server holds, and when it said so.
pub(crate) struct Found {
    /// Empty if there is nothing.
    pub(crate) stored: Vec<u8>,
    /// Whether the wanted bytes were written in place of these.
    pub(crate) written: bool,
    /// The process that keeps the data. Another one may lack the latest writes.
    pub(crate) server: String,
    /// By the server's clock, at some moment between asking and answer.
    pub(crate) time: Duration,
    pub(crate) offset: Offset,
}

/// Bytes to write if those are stored that are expected.
pub(crate) struct Write {
    pub(crate) expected: Vec<u8>,
    pub(crate) wanted: Vec<u8>,
}

impl Server {
    pub(crate) fn new(url: &str) -> Result<Self, LimiterError> {
        let bad = |why: &str| LimiterError {
            message: format!(
                "the limiter's address {why}; give redis://HOST:PORT or redis://USER:PASSWORD@HOST:PORT, with %XX for special characters"
            ),
            source: None,
        };
        // After one of these the rest is no address: a password that has one would leave its beginning as the host.
        if url.contains(['#', '?']) {
            return Err(bad("contains # or ?, which is written %23 or %3F in a password"));
        }
        let (plain, tls) = match url.strip_prefix("rediss:") {
            Some(rest) => (format!("redis:{rest}"), Some(tls()?)),
            None => (url.to_owned(), None),
        };
        let info = plain.into_connection_info().map_err(|_| bad("is not one of a Redis server"))?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else { return Err(bad("has no host and port")) };
        let (host, port, address) = (host.clone(), *port, info.addr().to_string());
        let (settings, clock, idle) = (info.redis_settings(), SystemClock::new(), Mutex::default());
        let auth = settings.password().map(|password| command("AUTH", settings.username(), password));
        let select = (settings.db() != 0).then(|| command("SELECT", None, &settings.db().to_string()));
        Ok(Server { host, port, tls, auth, select, address, clock, idle })
    }

    /// One round trip, or one more on a new connection if a rested one turns out to be closed. After that the first may or
    /// may not have written: whoever finds its own bytes stored knows that it has.
    pub(crate) fn ask(&self, key: &str, write: Option<&Write>) -> Result<Found, LimiterError> {
        if let Some(rested) = self.rested() {
            match self.ask_over(rested, key, write) {
                Err(error) if error.is_io_error() && !error.is_timeout() => {}
                asked => return asked.map_err(|error| self.trouble(&error, true)),
            }
        }
        let wire = self.connect().map_err(|error| self.trouble(&error, false))?;
        self.ask_over(wire, key, write).map_err(|error| self.trouble(&error, true))
    }

    fn connect(&self) -> Result<Wire, RedisError> {
        let mut wire = Wire::open(&self.host, self.port, self.tls.clone(), LONGEST_STEP)?;
        if let Some(auth) = &self.auth {
            wire.ask(auth).map_err(|error| match error.code() {
                Some("ERR") => (ErrorKind::AuthenticationFailed, "AUTH").into(),
                _ => error,
            })?;
        }
        if let Some(select) = &self.select {
            wire.ask(select)?;
        }
        Ok(wire)
    }

    fn ask_over(&self, mut wire: Wire, key: &str, write: Option<&Write>) -> Result<Found, RedisError> {
        let mut command = redis::cmd("EVAL");
        command.arg(SCRIPT).arg(1).arg(key);
        if let Some(write) = write {
            command.arg(&write.expected).arg(&write.wanted).arg(KEPT.as_millis() as u64);
        }
        wire.bound(LONGEST_STEP);
        let before = self.clock.now();
        let answer = wire.ask(&command);
        let after = self.clock.now();
        // What the server itself refused has left the connection in order.
        if answer.as_ref().map_or_else(
            |error| matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension),
            |_| true,
        ) {
            self.rest(Link { wire, process: std::process::id(), used_at: after });
        }
        let (server, seconds, micros, written, stored) =
            redis::from_redis_value::<(String, u64, u64, bool, Vec<u8>)>(answer?)?;
        let time = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
        Ok(Found { stored, written, server, time, offset: Offset::seen(before, time, after) })
    }

    fn rested(&self) -> Option<Wire> {
        let (process, now) = (std::process::id(), self.clock.now());
        let mut idle = self.idle();
        idle.retain(|link| link.process == process && now.saturating_sub(link.used_at) < LONGEST_REST);
        idle.pop().map(|link| link.wire)
    }

    fn rest(&self, link: Link) {
        let mut idle = self.idle();
        if idle.len() < MOST_IDLE {
            idle.push(link);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In our words: a server's own may repeat what it was sent, and that can be the password.
    fn trouble(&self, error: &RedisError, is_connected: bool) -> LimiterError {
        let what = match (error.kind(), error.code()) {
            _ if error.is_timeout() => format!("did not answer within {LONGEST_STEP:?}: see to it and to the network, or set limiter_away"),
            _ if error.is_connection_refusal() => "refuses connections: start it, or set limiter_away".to_owned(),
            (ErrorKind::Io, _) if is_connected => "closed the connection, as a server does that stops".to_owned(),
            (ErrorKind::Io, _) => "cannot be reached: check the host, the port, and its TLS certificate if it has one".to_owned(),
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
                "does not accept the user or the password in the address".to_owned()
            }
            (_, Some("OOM")) => "is full (OOM): raise its maxmemory or let it evict".to_owned(),
            (_, Some("READONLY")) => "is a read-only replica (READONLY): give the address of the primary".to_owned(),
            (_, Some("LOADING")) => "is still loading its data (LOADING): it answers soon".to_owned(),
            (_, Some("NOPERM")) => {
                "does not let this user work (NOPERM): it needs EVAL, GET, SET, TIME and INFO on activity-status:*".to_owned()
            }
            (_, Some("WRONGTYPE")) => "holds something else under our key (WRONGTYPE): use another database".to_owned(),
            (_, Some(code)) if code.len() < 20 && code.chars().all(|letter| letter.is_ascii_uppercase()) => {
                format!("answered with an error ({code}): see whether that database exists, and its log")
            }
            _ => "gave an answer that cannot be read: give the address of a Redis 5 or later".to_owned(),
        };
        LimiterError { message: format!("the quota's Redis at {} {what}", self.address), source: None }
    }
}

fn command(name: &str, first: Option<&str>, last: &str) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(first).arg(last);
    command
}

#[cfg(not(feature = "tls"))]
fn tls() -> Result<Tls, LimiterError> {
    let message =
        "the limiter's address asks for TLS, which is not in this build (cargo feature `tls`)".to_owned();
    Err(LimiterError { message, source: None })
}

#[cfg(feature = "tls")]
fn tls() -> Result<Tls, LimiterError> {
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    // Chosen here: a program may have several, and then rustls would panic.
    let crypto = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(crypto).with_safe_default_protocol_versions();
    let config = config.map_err(|error| LimiterError {
        message: "TLS cannot be used here: give a redis:// address".to_owned(),
        source: Some(Box::new(error)),
    })?;
    Ok(config.with_root_certificates(trusted).with_no_client_auth().into())
}
