//! The sandbox's settings as keywords: the words are those of its `Settings`, the values as everywhere in Python.

use std::time::Duration;

use activity_status::ErrorKind;
use activity_status::builtin::Quota;
use activity_status_sandbox::{Fault, Order, Retries, Settings, Spelling, UnknownId, Window};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use serde::de::DeserializeOwned;

use crate::errors;
use crate::text;

/// The settings that the keywords tell, and the defaults for the rest. None is a default too.
pub(crate) fn settings(given: Option<&Bound<'_, PyDict>>) -> PyResult<Settings> {
    let mut settings = Settings::default();
    for (name, value) in given.into_iter().flatten() {
        if !value.is_none() {
            set(&mut settings, &Given { name: name.extract()?, value })?;
        }
    }
    Ok(settings)
}

fn set(settings: &mut Settings, given: &Given<'_>) -> PyResult<()> {
    match given.name.as_str() {
        "api_key" => settings.api_key = given.read()?,
        "access_key" => settings.access_key = given.read()?,
        "secret_key" => settings.secret_key = given.read()?,
        "rate_per_minute" => settings.rate_per_minute = given.number(f64::MAX)?,
        "workers" => settings.workers = given.read()?,
        "spread" => settings.spread = given.number(1.0)?,
        "order" => {
            settings.order =
                given.word(&[("fifo", Order::Fifo), ("lifo", Order::Lifo), ("shuffled", Order::Shuffled)])?;
        }
        "others" => settings.others = given.number(f64::MAX)?,
        "others_ahead" => settings.others_ahead = given.read()?,
        "outages" => settings.outages = given.each(Given::times)?,
        "error_spells" => settings.error_spells = given.each(Given::times)?,
        "ladder" => settings.ladder = given.each(Given::time)?,
        "retries" => {
            settings.retries = given.word(&[("queued", Retries::Queued), ("direct", Retries::Direct)])?;
        }
        "application_errors" => settings.application_errors = given.number(1.0)?,
        "system_errors" => settings.system_errors = given.number(1.0)?,
        "system_errors_again" => settings.system_errors_again = given.number(1.0)?,
        "latency" => {
            let each_way = given.range()?;
            (settings.latency_in, settings.latency_out) = (each_way, each_way);
        }
        "latency_in" => settings.latency_in = given.range()?,
        "latency_out" => settings.latency_out = given.range()?,
        "seed" => settings.seed = given.read()?,
        "quota" => {
            let quota: Result<Quota, _> = given.read::<text::Quota>()?.0.parse();
            let quota = quota.map_err(|error| errors::raised(given.value.py(), &error, None))?;
            (settings.quota.calls, settings.quota.window) = (quota.calls(), quota.window());
        }
        "window" => {
            let fixed = Window::Fixed { phase: Duration::ZERO };
            let kinds = [("sliding", Window::Sliding), ("fixed", fixed), ("bucket", Window::TokenBucket)];
            settings.quota.kind = given.word(&kinds)?;
        }
        "refusals_count" => settings.quota.refusals_count = given.read()?,
        "spellings" => {
            let both = [("documented", vec![Spelling::DOCUMENTED]), ("all", Spelling::ALL.to_vec())];
            settings.spellings = given.word(&both)?;
        }
        "unknown_id" => {
            let both = [("not_found", UnknownId::NotFound), ("empty_status", UnknownId::EmptyStatus)];
            settings.unknown_id = given.word(&both)?;
        }
        "fault_probability" => settings.fault_probability = given.number(1.0)?,
        "fault_kinds" => {
            settings.fault_kinds = given.each(|kind| wire_word::<Fault>(&kind.name, &kind.value))?
        }
        "slow_body" => settings.slow_body = given.time()?,
        "redirect_to" => settings.redirect_to = given.read()?,
        "custom" => {
            let paths = given.value.cast::<PyMapping>().map_err(|_| given.of_wrong_type("a mapping"))?;
            settings.custom = paths.items()?.extract()?;
        }
        "max_jobs" => settings.max_jobs = given.read()?,
        "max_body" => settings.max_body = given.read()?,
        other => return Err(PyTypeError::new_err(format!("the sandbox has no setting {other:?}"))),
    }
    Ok(())
}

/// One of the words that the sandbox reads in JSON too.
pub(crate) fn wire_word<T: DeserializeOwned>(name: &str, value: &Bound<'_, PyAny>) -> PyResult<T> {
    let word: String = value.extract()?;
    let read = T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&word));
    read.map_err(|error| wrong(value.py(), &format!("{name}: {error}")))
}

/// A keyword and its value.
struct Given<'py> {
    name: String,
    value: Bound<'py, PyAny>,
}

impl<'py> Given<'py> {
    fn read<T: for<'a> FromPyObject<'a, 'py>>(&self) -> PyResult<T> {
        self.value.extract::<T>().map_err(Into::into).map_err(|error| {
            let py = self.value.py();
            let named = PyErr::from_type(error.get_type(py), format!("{}: {}", self.name, error.value(py)));
            named.set_cause(py, error.cause(py));
            named
        })
    }

    /// A number from 0 to `most`.
    fn number(&self, most: f64) -> PyResult<f64> {
        let number: f64 = self.read()?;
        if (0.0..=most).contains(&number) {
            return Ok(number);
        }
        let most = if most == f64::MAX { "or more".to_owned() } else { format!("to {most}") };
        Err(wrong(self.value.py(), &format!("{} is a number of 0 {most}, not {number}", self.name)))
    }

    fn time(&self) -> PyResult<Duration> {
        self.read::<text::Time>()?.read(self.value.py())
    }

    /// Two times.
    fn times(&self) -> PyResult<(Duration, Duration)> {
        let (first, second) = self.read::<(text::Time, text::Time)>()?;
        Ok((first.read(self.value.py())?, second.read(self.value.py())?))
    }

    /// A time, or the least and the most.
    fn range(&self) -> PyResult<(Duration, Duration)> {
        if !self.value.is_instance_of::<pyo3::types::PyTuple>() {
            return self.time().map(|time| (time, time));
        }
        let (least, most) = self.times()?;
        if least > most {
            return Err(wrong(self.value.py(), &format!("{} takes the least time first", self.name)));
        }
        Ok((least, most))
    }

    fn each<T>(&self, read: impl Fn(&Given<'py>) -> PyResult<T>) -> PyResult<Vec<T>> {
        if self.value.is_instance_of::<PyString>() {
            return Err(self.of_wrong_type("a list"));
        }
        let items = self.value.try_iter().map_err(|_| self.of_wrong_type("a list"))?;
        items.map(|item| read(&Given { name: self.name.clone(), value: item? })).collect()
    }

    fn word<T: Clone>(&self, words: &[(&str, T)]) -> PyResult<T> {
        let given: String = self.read()?;
        let found = words.iter().find(|(word, _)| *word == given);
        found.map(|(_, meant)| meant.clone()).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            wrong(self.value.py(), &format!("{} is one of {}, not {given:?}", self.name, words.join(", ")))
        })
    }

    fn of_wrong_type(&self, wanted: &str) -> PyErr {
        let class = self.value.get_type();
        let given = class.name().map_or_else(|_| "that".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("{} is {wanted}, not {given}", self.name))
    }
}

fn wrong(py: Python<'_>, what: &str) -> PyErr {
    errors::new(py, ErrorKind::Config, what)
}
