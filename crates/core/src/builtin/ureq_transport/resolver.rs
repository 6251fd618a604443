//! Where a host is.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::interruption::Interruption;
use crate::builtin::SystemClock;
use crate::plugin::Clock;

/// Remembers the addresses of each host for a minute. ureq asks for them on every call, and each look-up with a
/// time-out costs a thread.
#[derive(Debug)]
pub(super) struct RememberingResolver<R> {
    pub(super) lookup: R,
    pub(super) known: Addresses,
    pub(super) clock: SystemClock,
}

/// The addresses of each host, and until when they are believed.
pub(super) type Addresses = Arc<Mutex<HashMap<String, (Duration, ResolvedSocketAddrs)>>>;

/// A host that moves is found again within this time, and at once if connecting to it fails.
const BELIEVED_FOR: Duration = Duration::from_secs(60);

impl<R: Resolver> Resolver for RememberingResolver<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let key = format!("{}://{host}", uri.scheme_str().unwrap_or_default());
        let now = self.clock.now();
        if let Some((until, addresses)) = lock(&self.known).get(&key)
            && now < *until
        {
            return Ok(addresses.clone());
        }
        let addresses = self.lookup.resolve(uri, config, timeout).map_err(|error| match error {
            ureq::Error::Io(_) => ureq::Error::HostNotFound,
            other => other,
        })?;
        // A name such as `localhost` is this machine only if it leads there.
        let plain = uri.scheme_str() == Some("http") && config.proxy().is_none();
        if plain && !addresses.iter().all(|address| address.ip().is_loopback()) {
            return Err(ureq::Error::RequireHttpsOnly(String::new()));
        }
        lock(&self.known).insert(key, (now + BELIEVED_FOR, addresses.clone()));
        Ok(addresses)
    }
}

/// Asks the system, which may take its time.
#[derive(Debug, Default)]
pub(super) struct SystemResolver(pub(super) Interruption);

/// As many of a host's addresses as are tried.
const MOST_ADDRESSES: usize = 16;

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.scheme().zip(uri.authority());
        let host = host.and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
        let host = host.ok_or_else(|| ureq::Error::BadUri(String::new()))?;
        let addresses = match host.parse::<SocketAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.0.aside(timeout, move || host.to_socket_addrs().map(Vec::from_iter))??,
        };
        let mut found = self.empty();
        addresses.into_iter().take(MOST_ADDRESSES).for_each(|address| found.push(address));
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

pub(super) fn lock(known: &Addresses) -> MutexGuard<'_, HashMap<String, (Duration, ResolvedSocketAddrs)>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counting(SystemResolver, Arc<AtomicUsize>);

    impl Resolver for Counting {
        fn resolve(
            &self,
            uri: &Uri,
            config: &Config,
            next: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.resolve(uri, config, next)
        }
    }

    #[test]
    fn an_address_is_looked_up_once_until_forgotten() {
        let lookups = Arc::new(AtomicUsize::new(0));
        let known = Addresses::default();
        let resolver = RememberingResolver {
            lookup: Counting(SystemResolver::default(), lookups.clone()),
            known: known.clone(),
            clock: SystemClock::new(),
        };
        let uri: Uri = "http://127.0.0.1:9".parse().unwrap();
        let look = || resolver.resolve(&uri, &Config::default(), NextTimeout::default()).unwrap();
        assert_eq!(look()[..], look()[..]);
        assert_eq!(lookups.load(Ordering::Relaxed), 1);
        lock(&known).clear();
        look();
        assert_eq!(lookups.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn plain_http_goes_nowhere_but_to_this_machine() {
        let resolver = RememberingResolver {
            lookup: SystemResolver::default(),
            known: Addresses::default(),
            clock: SystemClock::new(),
        };
        let elsewhere: Uri = "http://192.0.2.1/".parse().unwrap();
        assert!(resolver.resolve(&elsewhere, &Config::default(), NextTimeout::default()).is_err());
    }
}
