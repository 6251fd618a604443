//! Keys that change while the client lives.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::VirtualClock;
use activity_status::plugin::{CredentialsError, CredentialsProvider, Request};
use activity_status::{
    Client, Credentials, ErrorKind, KeyPlacement, Operation, Outcome, RequestId, Resend, WaitOptions,
};
use activity_status_tests::waiting::{Returned, answer, client_with, http_status, id_of, jobs};

const OPERATION: Operation = Operation::ACTIVITY_CREATE;
const BODY: &str = r#"{"RelatedProspectId":"b8e49bf4","ActivityEvent":380}"#;

/// Keys of which the number tells how often they were fetched: `key-of-day-1`, `key-of-day-2`.
struct Vault {
    day: AtomicU32,
    refused: AtomicU32,
    /// Another key is there only until this day.
    last: u32,
    is_closed: Mutex<bool>,
}

impl Vault {
    fn new(last: u32) -> Arc<Self> {
        Arc::new(Vault {
            day: AtomicU32::new(1),
            refused: AtomicU32::new(0),
            last,
            is_closed: Mutex::new(false),
        })
    }
}

struct Keys(Arc<Vault>, KeyPlacement);

impl CredentialsProvider for Keys {
    fn credentials(&self) -> Result<Arc<Credentials>, CredentialsError> {
        if *self.0.is_closed.lock().unwrap() {
            return Err(CredentialsError { message: "the vault is closed".to_owned(), source: None });
        }
        let day = self.0.day.load(Ordering::SeqCst);
        let keys = Credentials::new(&format!("key-of-day-{day}")).unwrap();
        let keys = keys.with_submit_keys(&format!("access-of-{day}"), &format!("secret-of-{day}")).unwrap();
        Ok(Arc::new(keys.with_placement(self.1)))
    }

    fn refused(&self, http_status: u16) {
        assert_eq!(http_status, 401);
        self.0.refused.fetch_add(1, Ordering::SeqCst);
        let _ = self
            .0
            .day
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |day| (day < self.0.last).then_some(day + 1));
    }
}

fn key_of<'a>(request: &'a Request<'_>) -> &'a str {
    request.headers.iter().find(|header| header.name == "x-api-key").unwrap().value
}

/// A vendor that takes the key of one day, and writes down each that it sees.
fn client(vault: &Arc<Vault>, placement: KeyPlacement, good: u32, seen: &Arc<Mutex<Vec<String>>>) -> Client {
    let (clock, seen) = (VirtualClock::new(), seen.clone());
    let vendor = move |request: &Request<'_>| -> Returned {
        seen.lock().unwrap().push(key_of(request).to_owned());
        if key_of(request) != format!("key-of-day-{good}") {
            return http_status(401);
        }
        if request.body.is_some() {
            assert_eq!(
                request.url.contains(&format!("secret-of-{good}")),
                placement == KeyPlacement::Query,
                "the whole call is made anew"
            );
            return answer("1", "In-Queue");
        }
        answer(&id_of(request), "Success")
    };
    client_with(&clock, vendor).credentials_provider(Keys(vault.clone(), placement)).build().unwrap()
}

fn id() -> RequestId {
    RequestId::new("1").unwrap()
}

#[test]
fn a_call_that_meets_a_revoked_key_goes_out_once_more_with_the_next() {
    for placement in [KeyPlacement::Headers, KeyPlacement::Query] {
        let (vault, seen) = (Vault::new(2), Arc::default());
        let client = client(&vault, placement, 2, &seen);
        assert_eq!(client.status(&OPERATION, &id()).unwrap().outcome(), Outcome::Succeeded);
        assert_eq!(*seen.lock().unwrap(), ["key-of-day-1", "key-of-day-2"]);
        vault.day.store(1, Ordering::SeqCst);
        // The vendor refused it, so it did not carry it out.
        client.submit(&OPERATION, BODY).unwrap();
        assert_eq!(vault.refused.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_key_that_changed_meanwhile_is_not_refused_in_the_others_place() {
    let (vault, seen) = (Vault::new(9), Arc::default());
    let vendor = client(&vault, KeyPlacement::Headers, 2, &seen);
    let clock = VirtualClock::new();
    let inside = vault.clone();
    let client = client_with(&clock, move |request: &Request<'_>| {
        // Another call has renewed the keys while this one was on its way.
        if inside.day.swap(2, Ordering::SeqCst) == 1 {
            http_status(401)
        } else {
            answer(&id_of(request), "Success")
        }
    });
    let client = client.credentials_provider(Keys(vault.clone(), KeyPlacement::Headers)).build().unwrap();
    assert!(client.status(&OPERATION, &id()).is_ok());
    assert_eq!(vault.refused.load(Ordering::SeqCst), 0);
    drop(vendor);
}

#[test]
fn the_same_keys_again_are_an_answer_and_renewal_has_an_end() {
    let (vault, seen) = (Vault::new(1), Arc::default());
    let error = client(&vault, KeyPlacement::Headers, 7, &seen).status(&OPERATION, &id()).unwrap_err();
    assert_eq!((error.kind(), error.resend()), (ErrorKind::Unauthorized, Resend::Pointless));
    assert_eq!((seen.lock().unwrap().len(), error.attempts()), (1, 1));

    let (vault, seen) = (Vault::new(1000), Arc::default());
    let error = client(&vault, KeyPlacement::Headers, 999, &seen).status(&OPERATION, &id()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!((seen.lock().unwrap().len(), error.attempts()), (2, 2), "once more, and not for ever");
}

#[test]
fn without_keys_nothing_is_sent() {
    let (vault, seen) = (Vault::new(1), Arc::default());
    let client = client(&vault, KeyPlacement::Headers, 1, &seen);
    *vault.is_closed.lock().unwrap() = true;
    let error = client.status(&OPERATION, &id()).unwrap_err();
    assert_eq!((error.kind(), error.resend(), error.attempts()), (ErrorKind::Config, Resend::Safe, 0));
    assert!(error.to_string().contains("the vault is closed"), "{error}");
    assert!(client.wait(&OPERATION, &id(), &WaitOptions::new()).is_err());
    assert!(seen.lock().unwrap().is_empty());
    *vault.is_closed.lock().unwrap() = false;
    assert!(client.status(&OPERATION, &id()).is_ok());
}

#[test]
fn a_wait_outlives_its_keys() {
    let (vault, seen) = (Vault::new(2), Arc::default());
    let client = client(&vault, KeyPlacement::Headers, 2, &seen);
    let ended: Vec<_> =
        client.wait_all(jobs(12), &WaitOptions::new().deadline(Duration::from_secs(600))).collect();
    assert_eq!(ended.len(), 12);
    for (job, outcome) in ended {
        assert!(outcome.is_ok(), "{}: {outcome:?}", job.request_id());
    }
    let refused = seen.lock().unwrap().iter().filter(|key| *key == "key-of-day-1").count();
    assert!((1..=12).contains(&refused), "{refused}");
}
