use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::wire::quoted;

/// One of the vendor's asynchronous calls: a name, and the three paths that belong to it.
///
/// The seven that are known are constants; [`custom`](Operation::custom) makes any other. The submit paths are
/// documented by the vendor, most status and metrics paths are inferred from their siblings
/// (see [`with_status_path`](Operation::with_status_path) if yours differ).
///
/// ```
/// use activity_status::Operation;
///
/// assert_eq!(Operation::ACTIVITY_CREATE.status_path(), "/activity/create/status");
/// assert_eq!("lead.update".parse::<Operation>()?, Operation::LEAD_UPDATE);
/// let tasks = Operation::custom("task.create", "/task/create")?;
/// assert_eq!(tasks.metrics_path(), "/task/create/metrics");
/// # Ok::<(), activity_status::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operation {
    name: Cow<'static, str>,
    submit: Cow<'static, str>,
    status: Cow<'static, str>,
    metrics: Cow<'static, str>,
}

macro_rules! known {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $path:literal;)*) => {
        impl Operation {
            $(
                $(#[$doc])*
                pub const $constant: Operation = Operation {
                    name: Cow::Borrowed($name),
                    submit: Cow::Borrowed($path),
                    status: Cow::Borrowed(concat!($path, "/status")),
                    metrics: Cow::Borrowed(concat!($path, "/metrics")),
                };
            )*

            /// The seven known operations.
            pub const ALL: &'static [Operation] = &[$(Operation::$constant,)*];
        }
    };
}

known! {
    /// Post an activity on a lead.
    ACTIVITY_CREATE = "activity.create", "/activity/create";
    /// Create a lead and an activity on it.
    ACTIVITY_CREATE_CUSTOM = "activity.createcustom", "/activity/createcustom";
    /// Capture leads.
    LEAD_CAPTURE = "lead.capture", "/lead/capture";
    /// Update a lead. Needs the query parameter `leadId`, see [`Submission::query`](crate::Submission::query).
    LEAD_UPDATE = "lead.update", "/lead/update";
    /// Capture opportunities.
    OPPORTUNITY_CAPTURE = "opportunity.capture", "/opportunity/capture";
    /// Update an opportunity.
    OPPORTUNITY_UPDATE = "opportunity.update", "/opportunity/update";
    /// Post a call log. Needs the key that the vendor gave for it, see
    /// [`Submission::path_tail`](crate::Submission::path_tail).
    TELEPHONY_LOG_CALL = "telephony.logcall", "/1/api/telephony/logcallcomplete";
}

impl Operation {
    /// An operation that is not among the known ones: submitted at `path`, asked about at `path` + `/status` and
    /// `path` + `/metrics`.
    ///
    /// # Errors
    /// Kind [`Config`](crate::ErrorKind::Config) for a name that is not made of letters, digits, `.`, `_` and `-`, or
    /// a path that does not begin with `/` or holds anything but plain path characters.
    pub fn custom(name: &str, path: &str) -> Result<Self, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(Error::config(format!(
                "the operation name {} is not 1 to 64 letters, digits, '.', '_' or '-'",
                quoted(name)
            )));
        }
        let path = checked_path(path)?;
        Ok(Operation {
            name: Cow::Owned(name.to_owned()),
            status: Cow::Owned(format!("{path}/status")),
            metrics: Cow::Owned(format!("{path}/metrics")),
            submit: Cow::Owned(path),
        })
    }

    /// The same operation with another status path.
    ///
    /// # Errors
    /// As [`custom`](Operation::custom).
    pub fn with_status_path(mut self, path: &str) -> Result<Self, Error> {
        self.status = Cow::Owned(checked_path(path)?);
        Ok(self)
    }

    /// The same operation with another metrics path.
    ///
    /// # Errors
    /// As [`custom`](Operation::custom).
    pub fn with_metrics_path(mut self, path: &str) -> Result<Self, Error> {
        self.metrics = Cow::Owned(checked_path(path)?);
        Ok(self)
    }

    /// The name, the same in every language and on the command line.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a job is submitted, below the endpoint.
    pub fn submit_path(&self) -> &str {
        &self.submit
    }

    /// Where its status is asked.
    pub fn status_path(&self) -> &str {
        &self.status
    }

    /// Where the queue's metrics are asked.
    pub fn metrics_path(&self) -> &str {
        &self.metrics
    }
}

impl FromStr for Operation {
    type Err = Error;

    /// A known operation by its name.
    fn from_str(name: &str) -> Result<Self, Error> {
        Operation::ALL.iter().find(|known| known.name == name).cloned().ok_or_else(|| {
            let names: Vec<&str> = Operation::ALL.iter().map(Operation::name).collect();
            Error::config(format!(
                "{} is no known operation: use one of {}, or a custom one",
                quoted(name),
                names.join(", ")
            ))
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn checked_path(path: &str) -> Result<String, Error> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-~".contains(c);
    let odd_segment = |s: &str| s.is_empty() || s == "." || s == "..";
    let ok = path.len() <= 512
        && path
            .strip_prefix('/')
            .is_some_and(|rest| path.chars().all(plain) && !rest.split('/').any(odd_segment));
    if ok {
        Ok(path.to_owned())
    } else {
        Err(Error::config(format!(
            "the path {} is not of the form /segment/segment (no query, no '..')",
            quoted(path)
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_lead_back() {
        for (i, one) in Operation::ALL.iter().enumerate() {
            assert_eq!(one.name().parse::<Operation>().unwrap(), *one);
            assert!(Operation::ALL[..i].iter().all(|other| other.submit_path() != one.submit_path()));
        }
    }

    #[test]
    fn custom_refuses_what_would_leave_the_path() {
        for path in
            ["", "/", "x", "/a//b", "/a/../b", "/a?x=1", "/a#b", "/a b", "//host/x", "/a\r\nb", "/%2e"]
        {
            assert!(Operation::custom("x", path).is_err(), "{path:?}");
        }
        for name in ["", "a b", "é", "a/b"] {
            assert!(Operation::custom(name, "/a").is_err(), "{name:?}");
        }
        let moved = Operation::LEAD_CAPTURE.with_status_path("/lead/status").unwrap();
        assert_eq!(moved.status_path(), "/lead/status");
        assert_eq!(moved.metrics_path(), "/lead/capture/metrics");
    }
}
