use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

use crate::Error;
use crate::wire::quoted;

/// The address of the vendor's Async API for one account region.
///
/// HTTPS only, except on this machine itself (`localhost`, `127.0.0.0/8`, `[::1]`), for the sandbox.
///
/// ```
/// use activity_status::Endpoint;
///
/// assert_eq!("us".parse::<Endpoint>()?, Endpoint::USA);
/// assert!(Endpoint::url("http://127.0.0.1:8025").is_ok());
/// assert!(Endpoint::url("http://asyncapi.leadsquared.com").is_err());
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    base: Cow<'static, str>,
}

impl Endpoint {
    /// Accounts of the India region.
    pub const INDIA: Endpoint = Endpoint { base: Cow::Borrowed("https://asyncapi-in21.leadsquared.com") };
    /// Accounts of the USA region.
    pub const USA: Endpoint = Endpoint { base: Cow::Borrowed("https://asyncapi-us11.leadsquared.com") };
    /// Accounts of the Singapore region.
    pub const SINGAPORE: Endpoint = Endpoint { base: Cow::Borrowed("https://asyncapi.leadsquared.com") };

    /// Any base URL: a region that is not listed, a gateway of your own, the sandbox. A path is kept as a prefix.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for anything but `https://host[:port][/path]` (`http` on loopback), and for
    /// a URL with a user name, password, query or fragment: keys belong in [`Credentials`](crate::Credentials).
    pub fn url(base: &str) -> Result<Self, Error> {
        // The text itself is never quoted: people paste URLs with keys in them.
        let bad = |what: &str| {
            Err(Error::config(format!("the base URL {what}; give it as https://host[:port][/path]")))
        };
        if base.contains(['?', '#']) {
            return bad("has a query or a fragment");
        }
        if !base.bytes().all(|byte| byte.is_ascii_graphic()) {
            return bad("has white space or another character in it that a URL cannot hold");
        }
        let Ok(uri) = base.parse::<Uri>() else { return bad("is not a URL") };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return bad("is not absolute");
        };
        if authority.as_str().contains('@') {
            return bad("has a user name or password in it");
        }
        let port = &authority.as_str()[authority.host().len()..];
        let digits = port.get(1..).unwrap_or_default();
        let number =
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
        let usable = port.is_empty() || number.is_some_and(|number| number > 0);
        if authority.host().is_empty() || !usable {
            return bad("has no host, or a port that is none");
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(authority.host()) => {}
            "http" => {
                return bad(
                    "is plain http, which would show the keys to the network (only a loopback host may)",
                );
            }
            _ => return bad("is neither https nor http"),
        }
        if uri.path().split('/').any(|segment| segment == "..") {
            return bad("has '..' in its path");
        }
        Ok(Endpoint { base: Cow::Owned(base.trim_end_matches('/').to_owned()) })
    }

    /// The base URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// Is it this machine itself?
    pub fn is_loopback(&self) -> bool {
        self.base.parse::<Uri>().ok().and_then(|uri| uri.host().map(is_loopback)).unwrap_or(false)
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    /// A region: `in`, `us` or `sg`, also `india`, `usa`, `singapore`, and the vendor's `in21`, `us11`.
    fn from_str(region: &str) -> Result<Self, Error> {
        match region.to_ascii_lowercase().as_str() {
            "in" | "in21" | "india" => Ok(Endpoint::INDIA),
            "us" | "us11" | "usa" => Ok(Endpoint::USA),
            "sg" | "singapore" => Ok(Endpoint::SINGAPORE),
            _ => Err(Error::config(format!(
                "{} is no known region: use in, us or sg, or give the base URL of another region",
                quoted(region)
            ))),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

/// Is `host` this machine itself?
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_https_anywhere_and_http_on_this_machine() {
        for ok in [
            "https://asyncapi-me61.leadsquared.com",
            "https://gateway.example:8443/crm/",
            "HTTPS://gateway.example",
            "http://localhost:1",
            "http://127.1.2.3:80",
            "http://[::1]:8025",
        ] {
            assert!(Endpoint::url(ok).is_ok(), "{ok}");
        }
        assert_eq!(
            Endpoint::url("https://gateway.example/crm/").unwrap().as_str(),
            "https://gateway.example/crm"
        );
        assert!(Endpoint::url("http://[::1]:8025").unwrap().is_loopback());
        assert!(!Endpoint::INDIA.is_loopback());
    }

    #[test]
    fn refuses_what_could_leak_a_key_and_does_not_repeat_it() {
        for bad in [
            "",
            "asyncapi.leadsquared.com",
            "/activity",
            "http://asyncapi.leadsquared.com/s3cr3t",
            "http://127.0.0.1.example.com/s3cr3t",
            "http://localhost@s3cr3t.example",
            "https://user:s3cr3t@host.example",
            "https://host.example?accessKey=s3cr3t",
            "https://host.example#s3cr3t",
            "https://host.example\r\nx: s3cr3t",
            "ftp://host.example/s3cr3t",
            "https://",
            "https://:443",
            "https://host.example:",
            "https://host.example:999999",
            "https://host.example:0",
            "https://host.example:+443/s3cr3t",
            "https://host.example/é/s3cr3t",
            "https://host.example/../s3cr3t",
            "file:///s3cr3t",
        ] {
            let error = Endpoint::url(bad).expect_err(bad);
            assert!(!format!("{error}{error:?}").contains("s3cr3t"), "{error}");
        }
    }
}
