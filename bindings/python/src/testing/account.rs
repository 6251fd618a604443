use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use activity_status_sandbox::{Book, CallKind, Canned, Fault, Planned, Sandbox, Settings};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::settings::wire_word;

/// A sandbox however it is reached, and the pretend keys to it.
pub(crate) struct Account {
    sandbox: Arc<Mutex<Sandbox>>,
    keys: [(&'static str, String); 3],
    quota: String,
}

impl Account {
    pub(crate) fn new(sandbox: Arc<Mutex<Sandbox>>, settings: &Settings) -> Self {
        let keys = [
            ("api_key", settings.api_key.clone()),
            ("access_key", settings.access_key.clone()),
            ("secret_key", settings.secret_key.clone()),
        ];
        let quota = format!("{}/{}s", settings.quota.calls, settings.quota.window.as_secs_f64());
        Account { sandbox, keys, quota }
    }

    /// Name and value of each key.
    pub(crate) fn keys(&self) -> &[(&'static str, String)] {
        &self.keys
    }

    /// A client with these keys, the sandbox's quota, and the parts that lead to it, unless the options say otherwise.
    pub(crate) fn client<'py>(
        &self,
        parts: &Bound<'py, PyDict>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = parts.py();
        let all = parts.copy()?;
        for (name, key) in &self.keys {
            all.set_item(name, key)?;
        }
        all.set_item("quota", &self.quota)?;
        if let Some(options) = options {
            let given = |name| Ok::<_, PyErr>(options.get_item(name)?.filter(|it| !it.is_none()));
            if given("region")?.is_some() {
                all.del_item("base_url")?;
            }
            // One that is no text keeps a quota of its own.
            if given("limiter")?.is_some_and(|limiter| !limiter.is_instance_of::<PyString>()) {
                all.del_item("quota")?;
            }
            all.update(options.as_mapping())?;
        }
        py.import("activity_status")?.getattr("Client")?.call((), Some(&all))
    }

    pub(crate) fn fault(
        &self,
        fault: &Bound<'_, PyAny>,
        on: Option<&Bound<'_, PyAny>>,
        times: u32,
    ) -> PyResult<()> {
        let fault: Fault = wire_word("fault", fault)?;
        let on: Option<CallKind> = on.map(|on| wire_word("on", on)).transpose()?;
        self.lock().plan([Planned { fault, on, times }]);
        Ok(())
    }

    pub(crate) fn answer(
        &self,
        request_id: &Bound<'_, PyAny>,
        status: u16,
        body: &Bound<'_, PyAny>,
        headers: Option<BTreeMap<String, String>>,
    ) -> PyResult<()> {
        let body = match body.cast::<PyBytes>() {
            Ok(bytes) => bytes.clone(),
            Err(_) => {
                let encode = body.py().import("activity_status._encode")?.getattr("encode")?;
                encode.call1((body,))?.cast_into()?
            }
        };
        let json = ("content-type".to_owned(), "application/json; charset=utf-8".to_owned());
        let headers = headers.map_or_else(|| vec![json], |headers| headers.into_iter().collect());
        let canned = Canned { http_status: status, headers, body: body.as_bytes().to_vec() };
        self.lock().answer_with(request_id.str()?.extract::<String>()?, canned);
        Ok(())
    }

    /// What has happened up to the last call.
    pub(crate) fn book(&self) -> Book {
        self.lock().book().clone()
    }

    pub(crate) fn request_ids(&self) -> Vec<String> {
        self.lock().ids().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
