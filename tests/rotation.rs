//! Keys that change while the client lives.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::VirtualClock;
use activity_status::plugin::{
    Acquired, CallClass, Clock, CredentialsError, CredentialsProvider, Delivery, Event, Failure, Limiter,
    LimiterError, Permit, Request, Settlement,
};
use activity_status::{
    Client, Credentials, ErrorKind, KeyPlacement, Operation, Outcome, RequestId, Resend, RetryPolicy,
    Submission, WaitOptions,
};
use activity_status_tests::waiting::{Returned, answer, client_with, http_status, id_of, jobs, trouble};

const OPERATION: Operation = Operation::ACTIVITY_CREATE;
const BODY: &str = r#"{"RelatedProspectId":"b8e49bf4","ActivityEvent":380}"#;

/// Keys of which the number tells how often they were fetched: `key-of-day-1`, `key-of-day-2`.
struct Vault {
    day: AtomicU32,
    refused: AtomicU32,
    /// Another key is there only until this day.
    last: u32,
    is_closed: Mutex<bool>,
    /// After being asked so often, if it is not 0, it is closed.
    closes_after: AtomicU32,
}

impl Vault {
    fn new(last: u32) -> Arc<Self> {
        Arc::new(Vault {
            day: AtomicU32::new(1),
            refused: AtomicU32::new(0),
            last,
            is_closed: Mutex::new(false),
            closes_after: AtomicU32::new(0),
        })
    }
}

struct Keys(Arc<Vault>, KeyPlacement);

impl CredentialsProvider for Keys {
    fn credentials(&self) -> Result<Arc<Credentials>, CredentialsError> {
        if *self.0.is_closed.lock().unwrap() {
            return Err(CredentialsError { message: "the vault is closed".to_owned(), source: None });
        }
        if self.0.closes_after.load(Ordering::SeqCst) == 1 {
            *self.0.is_closed.lock().unwrap() = true;
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
fn a_doubt_is_not_forgotten_when_there_are_no_keys_any_more() {
    let vault = Vault::new(9);
    let (inside, sent) = (vault.clone(), AtomicU32::new(0));
    let client = client_with(&VirtualClock::new(), move |_: &Request<'_>| {
        if sent.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(trouble(Delivery::InDoubt, Failure::Connection));
        }
        // Other keys came meanwhile, and when they are asked for, the vault is closed.
        inside.day.store(2, Ordering::SeqCst);
        inside.closes_after.store(1, Ordering::SeqCst);
        http_status(401)
    });
    let client = client.credentials_provider(Keys(vault, KeyPlacement::Headers));
    let client = client.retry(RetryPolicy::new().accept_duplicates(true)).build().unwrap();
    let error = client.submit(&OPERATION, BODY).unwrap_err();
    assert_eq!((error.resend(), error.attempts()), (Resend::MayDuplicate, 2), "{error}");
}

#[test]
fn other_keys_every_time_end_a_wait_like_wrong_ones() {
    let (vault, seen) = (Vault::new(1_000_000), Arc::default());
    let client = client(&vault, KeyPlacement::Headers, 999_999, &seen);
    let ended: Vec<_> = client.wait_all(jobs(3), &WaitOptions::new()).collect();
    assert_eq!(ended.len(), 3);
    for (_, outcome) in ended {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unauthorized);
    }
    let asked = seen.lock().unwrap().len();
    assert!(asked < 30, "{asked}");
}

#[test]
fn a_wait_outlives_a_vault_that_is_closed_for_a_while() {
    let (vault, clock) = (Vault::new(1), VirtualClock::new());
    let inside = vault.clone();
    let client = client_with(&clock, move |request: &Request<'_>| {
        let asked = inside.refused.fetch_add(1, Ordering::SeqCst);
        *inside.is_closed.lock().unwrap() = asked == 0;
        answer(&id_of(request), if asked < 3 { "In-Queue" } else { "Success" })
    });
    let client = client.credentials_provider(Keys(vault.clone(), KeyPlacement::Headers)).build().unwrap();
    clock.run(2, |worker| match worker {
        0 => assert_eq!(
            client.wait(&OPERATION, &id(), &WaitOptions::new()).unwrap().outcome(),
            Outcome::Succeeded
        ),
        _ => {
            clock.sleep(Duration::from_secs(60)).unwrap();
            *vault.is_closed.lock().unwrap() = false;
        }
    });
    assert!(clock.now() >= Duration::from_secs(60));
}

#[test]
fn a_limiters_trouble_shows_no_key_of_the_call_it_is_about() {
    struct Names;
    impl Limiter for Names {
        fn try_acquire(&self, _: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
            Ok(Acquired::Granted(Permit(0)))
        }
        fn settle(&self, _: Permit, _: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
            Err(LimiterError { message: "of key-of-day-1 and the-tail-of-it".to_owned(), source: None })
        }
    }
    let (vault, told) = (Vault::new(9), Arc::new(Mutex::new(Vec::new())));
    let (inside, log) = (vault.clone(), told.clone());
    let client = client_with(&VirtualClock::new(), move |_: &Request<'_>| {
        // The keys change while the call is on its way.
        inside.day.store(2, Ordering::SeqCst);
        *inside.is_closed.lock().unwrap() = true;
        answer("1", "In-Queue")
    });
    let client = client
        .credentials_provider(Keys(vault, KeyPlacement::Headers))
        .limiter(Names)
        .observer(move |event: &Event<'_>| log.lock().unwrap().push(event.to_string()));
    let submission = Submission::from(BODY).path_tail("the-tail-of-it");
    let _ = client.build().unwrap().submit(&Operation::TELEPHONY_LOG_CALL, submission);
    let told = told.lock().unwrap();
    assert!(told.iter().any(|line| line.contains("of *** and ***")), "{told:?}");
    assert!(told.iter().all(|line| !line.contains("key-of") && !line.contains("the-tail")), "{told:?}");
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
