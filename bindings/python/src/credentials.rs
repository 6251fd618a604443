use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use activity_status as core;
use activity_status::plugin::{CredentialsError, CredentialsProvider};
use activity_status::{Credentials, KeyPlacement, Settings};
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use zeroize::Zeroizing;

use crate::errors;
use crate::settings::OF_THE_CREDENTIALS;
use crate::signals::leave_with;

/// A Python function as the source of the keys: it is asked before each call.
pub(crate) struct PyCredentials {
    pub(crate) object: Py<PyAny>,
    placement: KeyPlacement,
    /// What it gave last.
    last: Mutex<Option<Arc<Credentials>>>,
}

impl PyCredentials {
    pub(crate) fn new(given: &Bound<'_, PyAny>, placement: KeyPlacement) -> PyResult<Self> {
        if !given.is_callable() {
            let given = given.get_type().name()?;
            return Err(PyTypeError::new_err(format!("credentials is called, and {given} cannot be")));
        }
        Ok(PyCredentials { object: given.clone().unbind(), placement, last: Mutex::default() })
    }

    /// The settings with the present keys. What it raises is raised.
    pub(crate) fn settings(&self, py: Python<'_>, settings: &Settings) -> PyResult<Settings> {
        let (mut settings, keys) = (settings.clone(), self.keys(py)?);
        for (name, key) in &keys {
            settings.set(name, key).map_err(|error| errors::raised(py, &error, None))?;
        }
        let _ = self.made(&keys);
        Ok(settings)
    }

    fn made(&self, keys: &[(&str, Zeroizing<String>)]) -> Result<Arc<Credentials>, core::Error> {
        let key = |name: &str| keys.iter().find(|(it, _)| *it == name).map(|(_, key)| key.as_str());
        let made = Credentials::new(key("api_key").unwrap_or_default())?;
        let made = match (key("access_key"), key("secret_key")) {
            (None, None) => made,
            (access, secret) => {
                made.with_submit_keys(access.unwrap_or_default(), secret.unwrap_or_default())?
            }
        };
        let made = Arc::new(made.with_placement(self.placement));
        *self.last() = Some(Arc::clone(&made));
        Ok(made)
    }

    fn last(&self) -> MutexGuard<'_, Option<Arc<Credentials>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys that the function gives, by the names of their settings.
    fn keys(&self, py: Python<'_>) -> PyResult<Vec<(&'static str, Zeroizing<String>)>> {
        let given = py.get_type::<PyDict>().call1((self.object.call0(py)?,))?.cast_into::<PyDict>()?;
        let named = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            let name: String = name.extract()?;
            // A name that is none is not quoted: it may be a key.
            let Some(name) = OF_THE_CREDENTIALS.into_iter().find(|known| *known == name) else {
                let what = format!("credentials gives {}, and nothing else", OF_THE_CREDENTIALS.join(", "));
                return Err(PyTypeError::new_err(what));
            };
            // What cannot be a key is not quoted: it may hold one.
            let key = value.extract().map_err(|_| PyTypeError::new_err(format!("the {name} is no str")))?;
            Ok((name, Zeroizing::new(key)))
        };
        given.into_iter().map(named).collect()
    }
}

impl CredentialsProvider for PyCredentials {
    fn credentials(&self) -> Result<Arc<Credentials>, CredentialsError> {
        let trouble = |message: String, source| CredentialsError { message, source };
        match Python::try_attach(|py| self.keys(py).map(|keys| self.made(&keys))) {
            None => Err(trouble("the interpreter ends".to_owned(), None)),
            Some(Ok(Ok(keys))) => Ok(keys),
            Some(Ok(Err(error))) => Err(trouble(error.to_string(), None)),
            Some(Err(error)) => {
                let is_ordinary = Python::attach(|py| error.is_instance_of::<PyException>(py));
                // Its text may hold a key: the cause is there to be looked at, our text says none of it.
                let message = "credentials raised an exception".to_owned();
                match is_ordinary {
                    true => Err(trouble(message, Some(Box::new(error)))),
                    // Nothing is sent with them: whoever asks is left first. But to say that there are none would end every
                    // job of a batch.
                    false => {
                        leave_with(error);
                        self.last().clone().ok_or_else(|| trouble(message, None))
                    }
                }
            }
        }
    }

    fn refused(&self, http_status: u16) {
        let tell = |py: Python<'_>| match self.object.bind(py).getattr_opt("refused")? {
            Some(refused) => refused.call1((http_status,)).map(drop),
            None => Ok(()),
        };
        if let Some(Err(error)) = Python::try_attach(tell) {
            leave_with(error);
        }
    }
}
