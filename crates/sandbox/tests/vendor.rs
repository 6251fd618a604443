//! The vendor's behaviour, as documented: keys, checks, texts, fates, metrics, the book.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::collections::BTreeMap;
use std::time::Duration;

use activity_status_sandbox::{
    Call, CallKind, Canned, Fault, Manner, Payload, Planned, Quota, Reply, Retries, Sandbox, Settings,
    Spelling, UnknownId,
};
use serde_json::{Value, json};

const JOB: &str =
    "\r\n {\r\n\t\"RelatedProspectId\": \"b8e4\",\r\n \"ActivityEvent\": 380,\r\n \"ActivityNote\": \"ü\"}";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn with_keys(call: Call) -> Call {
    call.header("x-api-key", "sandbox-api-key")
        .header("x-LSQ-AccessKey", "sandbox-access-key")
        .header("x-LSQ-SecretKey", "sandbox-secret-key")
}

fn noted(note: &str) -> String {
    json!({"RelatedProspectId": "b8e4", "ActivityEvent": 380, "ActivityNote": note}).to_string()
}

fn read(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("not JSON: {}", reply.text()))
}

/// A vendor with a quota that nobody uses up, as most of these tests are about something else.
fn roomy(settings: Settings) -> Sandbox {
    let quota = Quota { calls: 1_000_000, ..Quota::default() };
    Sandbox::new(Settings { quota, ..settings })
}

fn submit(sandbox: &mut Sandbox, body: &str, now: Duration) -> String {
    let reply = sandbox.handle(&with_keys(Call::post("/activity/create", body)), now);
    assert_eq!(reply.status, 200, "{}", reply.text());
    sandbox.ids().last().unwrap()
}

fn ask(sandbox: &mut Sandbox, id: &str, now: Duration) -> Reply {
    let target = format!("/activity/create/status?RequestID={id}");
    sandbox.handle(&Call::get(&target).header("x-api-key", "sandbox-api-key"), now)
}

#[test]
fn the_documented_answers_to_the_letter() {
    let mut sandbox = roomy(Settings::default());
    let accepted = sandbox.handle(&with_keys(Call::post("/activity/create", JOB)), secs(0));
    let id = sandbox.ids().next().unwrap();
    let expected = format!(
        r#"{{"Status":"Request accepted. Please use below request id to check the status","RequestID":"{id}"}}"#
    );
    assert_eq!(accepted.text(), expected);

    let queued = read(&ask(&mut sandbox, &id, secs(1)));
    assert_eq!(queued["TaskStatus"]["Status"], "In-Queue");
    assert_eq!(queued["TaskStatus"]["Message"], Value::Null);

    let done = ask(&mut sandbox, &id, secs(3));
    let status = read(&done);
    let message: Value = serde_json::from_str(status["TaskStatus"]["Message"].as_str().unwrap()).unwrap();
    assert_eq!((&message["Status"], &message["Message"]["RelatedId"]), (&json!("Success"), &json!("b8e4")));
    let message = status["TaskStatus"]["Message"].clone();
    assert_eq!(
        status,
        json!({"RequestId": id, "TaskStatus": {
            "TaskType": "Activity Create", "Status": "Success",
            "StatusReason": "Request was successfully completed",
            "TaskCurrentStep": null, "TaskLastStep": "In-Process-Queue",
            "RequestBody": JOB, "Message": message,
        }})
    );
    assert_eq!(ask(&mut sandbox, &id, secs(90)), done, "what a job made keeps its id");
    assert_eq!(sandbox.settled_at(&id), Some(Duration::from_millis(2400)));
}

#[test]
fn which_keys_which_call_needs() {
    let keys = [
        ("x-api-key", "sandbox-api-key"),
        ("x-lsq-accesskey", "sandbox-access-key"),
        ("x-lsq-secretkey", "sandbox-secret-key"),
    ];
    let in_query = "accessKey=sandbox-access-key&secretKey=sandbox-secret-key";
    let mut sandbox = roomy(Settings::default());
    let id = submit(&mut sandbox, JOB, secs(0));
    let status = format!("/activity/create/status?RequestID={id}");
    let submit = "/activity/create";
    for (target, headers, expected) in [
        (submit.to_owned(), vec![0, 1, 2], 200),
        (submit.to_owned(), vec![0, 1], 401),
        (submit.to_owned(), vec![0, 2], 401),
        (submit.to_owned(), vec![1, 2], 401),
        (submit.to_owned(), vec![0], 401),
        (format!("{submit}?{in_query}"), vec![0], 200),
        (format!("{submit}?{in_query}"), vec![], 401),
        (format!("{submit}?accessKey=sandbox-access-key"), vec![0, 2], 200),
        (format!("{submit}?accessKey=sandbox-access-key&secretKey=wrong"), vec![0], 401),
        (status.clone(), vec![0], 200),
        (status.clone(), vec![], 401),
        (status, vec![1, 2], 401),
        ("/activity/create/metrics".into(), vec![0], 200),
        ("/activity/create/metrics".into(), vec![], 401),
    ] {
        let call = if target.contains("/create/") { Call::get(&target) } else { Call::post(&target, JOB) };
        let call = headers.iter().fold(call, |call, key: &usize| call.header(keys[*key].0, keys[*key].1));
        let reply = sandbox.handle(&call, secs(1));
        assert_eq!(reply.status, expected, "{target} {headers:?}: {}", reply.text());
    }
    let wrong = with_keys(Call::post(submit, JOB).header("x-api-key", "wrong"));
    assert_eq!(sandbox.handle(&wrong, secs(1)).status, 401, "the first of two keys counts");
    assert_eq!(sandbox.book().unauthorized, 10);
}

#[test]
fn what_each_operation_needs() {
    let settings =
        Settings { custom: vec![("/task/create".into(), "Task Create".into())], ..Settings::default() };
    let mut sandbox = roomy(settings);
    for (target, body, expected) in [
        ("/activity/create", "{}", 400),
        ("/activity/create", r#"{"RelatedProspectId": "b8e4"}"#, 400),
        ("/activity/create", r#"{"RelatedProspectId": "", "ActivityEvent": 1}"#, 400),
        ("/activity/create", r#"{"RelatedProspectId": "b8e4", "ActivityEvent": "1"}"#, 400),
        ("/activity/create", r#"{"RelatedProspectId": "b8e4", "ActivityEvent": 1}"#, 200),
        ("/activity/create", "not JSON", 400),
        ("/activity/create", "", 400),
        ("/activity/createcustom", "{}", 200),
        ("/lead/capture", r#"[{"Attribute": "Phone", "Value": "1"}]"#, 200),
        ("/lead/capture", "1", 400),
        ("/lead/update", "[]", 400),
        ("/lead/update?leadId=", "[]", 400),
        ("/lead/update?leadId=7&postUpdatedLead=true", "[]", 200),
        ("/opportunity/capture", "{}", 200),
        ("/opportunity/update", "{}", 200),
        ("/1/api/telephony/logcallcomplete/abc/def", "{}", 200),
        ("/1/api/telephony/logcallcomplete/", "{}", 404),
        ("/1/api/telephony/logcallcomplete", "{}", 404),
        ("/task/create", "{}", 200),
        ("/activity/createnot", "{}", 404),
        ("/activity/create/status", "{}", 404),
        ("/", "{}", 404),
    ] {
        let reply = sandbox.handle(&with_keys(Call::post(target, body)), secs(0));
        assert_eq!(reply.status, expected, "{target} {body}: {}", reply.text());
        assert_eq!(read(&reply)["Status"] == "Error", expected != 200, "{target} {body}");
    }
    let mut plain = with_keys(Call::post("/lead/capture", "{}"));
    plain.headers.retain(|(name, _)| name != "content-type");
    assert_eq!(sandbox.handle(&plain, secs(0)).status, 400);
    let book = sandbox.book().clone();
    assert_eq!((book.accepted, book.bad_requests, book.unknown_paths, book.submit_calls), (8, 10, 5, 18));
    assert_eq!(sandbox.handle(&Call::post("/lead/metrics", "{}"), secs(0)).status, 404);
}

#[test]
fn an_answer_is_about_the_operation_that_was_asked() {
    let mut sandbox = roomy(Settings::default());
    let update = with_keys(Call::post("/lead/update?leadId=7", "[]"));
    sandbox.handle(&update, secs(0));
    let id = sandbox.ids().next().unwrap();
    let question = |path: &str| {
        Call::get(&format!("{path}/status?requestid={}", id.to_uppercase()))
            .header("X-API-Key", "sandbox-api-key")
    };
    let status = read(&sandbox.handle(&question("/lead/update"), secs(9)));
    assert_eq!(status["TaskStatus"]["TaskType"], "Lead Update");
    assert_eq!(status["TaskStatus"]["Message"], r#"{"Status":"Success","Message":{"AffectedRows":1}}"#);
    assert_eq!(sandbox.handle(&question("/lead/capture"), secs(9)).status, 404);
    assert_eq!(sandbox.book().unknown_ids, 1);
}

#[test]
fn ids_that_are_not_known() {
    let mut sandbox = roomy(Settings::default());
    for (id, expected) in [("", 400), ("nonsense", 404), ("72003d66-aa5d-4533-9e13-73da598dedf4", 404)] {
        assert_eq!(ask(&mut sandbox, id, secs(0)).status, expected, "{id}");
    }
    let mut sandbox = roomy(Settings { unknown_id: UnknownId::EmptyStatus, ..Settings::default() });
    assert_eq!(ask(&mut sandbox, "no%22one", secs(0)).text(), r#"{"RequestId":"no\"one","TaskStatus":null}"#);
}

#[test]
fn what_becomes_of_a_marked_job() {
    let ladder = vec![secs(30), secs(120)];
    let settings = || Settings {
        rate_per_minute: 60.0,
        ladder: ladder.clone(),
        retries: Retries::Direct,
        ..Settings::default()
    };
    // (note, then for each moment: state, and the first letter of the current step)
    for (note, expected) in [
        ("fine", ["Success -", "Success -", "Success -"]),
        ("sandbox:fail", ["FAILURE -", "FAILURE -", "FAILURE -"]),
        ("sandbox:error", ["ERROR -", "ERROR -", "ERROR -"]),
        ("sandbox:retry", ["ERROR R", "Success -", "Success -"]),
        ("sandbox:retry=2", ["ERROR R", "ERROR R", "Success -"]),
        ("sandbox:retry=1 sandbox:fail", ["ERROR R", "FAILURE -", "FAILURE -"]),
        ("sandbox:never", ["ERROR R", "ERROR R", "ERROR -"]),
    ] {
        let mut sandbox = roomy(settings());
        let id = submit(&mut sandbox, &noted(note), secs(0));
        let seen = [1, 32, 153].map(|at| {
            let status = read(&ask(&mut sandbox, &id, secs(at)));
            let task = &status["TaskStatus"];
            let step = task["TaskCurrentStep"].as_str().map_or("-", |step| &step[..1]).to_owned();
            let reason = task["StatusReason"].as_str().unwrap();
            let succeeded = task["Status"] == "Success";
            assert_eq!(reason == "Request was successfully completed", succeeded, "{note}");
            assert_eq!(reason.starts_with("MX"), !succeeded, "{note}");
            assert_eq!(task["Message"].is_string(), succeeded, "{note}");
            format!("{} {step}", task["Status"].as_str().unwrap())
        });
        assert_eq!(seen, expected, "{note}");
        let early = |at_ms| {
            let mut sandbox = roomy(settings());
            let id = submit(&mut sandbox, &noted(note), secs(0));
            sandbox.advance(Duration::from_millis(at_ms));
            sandbox.settled_at(&id)
        };
        assert_eq!(early(999), None, "{note}");
        if note == "sandbox:retry" {
            assert_eq!((early(31_999), early(32_000)), (None, Some(secs(32))));
        }
    }
}

#[test]
fn spellings_go_round_from_job_to_job() {
    let mut sandbox =
        roomy(Settings { spellings: Spelling::ALL.into(), rate_per_minute: 6000.0, ..Settings::default() });
    for (round, spelling) in Spelling::ALL.into_iter().enumerate() {
        let now = secs(round as u64);
        let accepted = read(&sandbox.handle(&with_keys(Call::post("/activity/create", JOB)), now));
        let id = accepted[spelling.submit_id].as_str().unwrap().to_owned();
        let status = read(&ask(&mut sandbox, &id, now));
        assert_eq!(status["TaskStatus"]["Status"], spelling.in_queue);
        let status = read(&ask(&mut sandbox, &id, now + secs(1)));
        assert_eq!(status[spelling.status_id], id.as_str());
        let task = &status["TaskStatus"];
        assert_eq!(task["Status"], spelling.success);
        let (body, message) = (&task["RequestBody"], &task["Message"]);
        match spelling.payload {
            Payload::Text => assert_eq!((body, message.is_string()), (&json!(JOB), true)),
            Payload::Object => {
                assert_eq!((&body["ActivityEvent"], &message["Status"]), (&json!(380), &json!("Success")))
            }
            Payload::Null => assert_eq!((body, message), (&Value::Null, &Value::Null)),
        }
    }
}

#[test]
fn metrics_are_those_of_the_queue() {
    let mut sandbox = roomy(Settings::default());
    let metrics = |sandbox: &mut Sandbox, at| {
        let call = Call::get("/activity/create/metrics").header("x-api-key", "sandbox-api-key");
        sandbox.handle(&call, secs(at)).text().into_owned()
    };
    let shown = |pending, delay, rate| {
        format!(
            r#"{{"PendingMessages":{pending},"MaxDelayInSeconds":{delay},"ProcessingRatePerMinute":{rate}}}"#
        )
    };
    assert_eq!(metrics(&mut sandbox, 0), shown(0, 0, "0.0"));
    for _ in 0..250 {
        submit(&mut sandbox, JOB, secs(0));
    }
    assert_eq!(metrics(&mut sandbox, 0), shown(250, 600, "0.0"));
    assert_eq!(metrics(&mut sandbox, 300), shown(125, 300, "12.5"));
    assert_eq!(metrics(&mut sandbox, 600), shown(0, 0, "25.0"));
}

#[test]
fn the_quota_comes_before_the_keys_and_after_the_path() {
    let mut sandbox =
        Sandbox::new(Settings { quota: Quota { calls: 2, ..Quota::default() }, ..Settings::default() });
    let statuses = [
        ("/nowhere", 0),
        ("/lead/capture/metrics", 0),
        ("/lead/capture/metrics", 0),
        ("/lead/capture/metrics", 5),
        ("/nowhere", 5),
    ]
    .map(|(path, at)| sandbox.handle(&Call::get(path), secs(at)).status);
    assert_eq!(statuses, [404, 401, 401, 429, 404]);
    let refused = sandbox.handle(&Call::get("/lead/capture/metrics"), secs(5));
    assert_eq!(
        refused.text(),
        r#"{"Status":"Error","ExceptionType":"MXAPIRateLimitExceededException","ExceptionMessage":"API calls exceeded the limit of 2 in 5 second(s)"}"#
    );
    assert_eq!(sandbox.handle(&Call::get("/lead/capture/metrics"), Duration::from_millis(5001)).status, 401);
    let book = sandbox.book();
    assert_eq!((book.calls(), book.refused, book.busiest_window), (5, 2, 4));
}

#[test]
fn duplicates_are_the_same_job_again_wherever_its_keys_stand() {
    let mut sandbox = roomy(Settings::default());
    let api_key = |call: Call| call.header("x-api-key", "sandbox-api-key");
    let keys = "accessKey=sandbox-access-key&secretKey=sandbox-secret-key";
    let mut duplicates = |call: Call| {
        assert_eq!(sandbox.handle(&call, secs(0)).status, 200);
        sandbox.book().duplicates
    };
    assert_eq!(duplicates(with_keys(Call::post("/lead/update?leadId=1", "[]"))), 0);
    assert_eq!(duplicates(with_keys(Call::post("/lead/update?leadId=2", "[]"))), 0);
    assert_eq!(duplicates(with_keys(Call::post("/lead/update?leadId=1", "[ ]"))), 0);
    assert_eq!(duplicates(with_keys(Call::post("/lead/capture?leadId=1", "[]"))), 0);
    assert_eq!(duplicates(api_key(Call::post(&format!("/lead/update?{keys}&leadId=1"), "[]"))), 1);
    assert_eq!(duplicates(with_keys(Call::post("/lead/update?leadId=1", "[]"))), 2);
}

#[test]
fn a_fault_strikes_before_the_job_is_queued_or_after() {
    use Fault::*;
    for (fault, status, manner, accepted) in [
        (Pass, 200, Manner::Whole, 1),
        (ServerError, 500, Manner::Whole, 0),
        (HtmlError, 500, Manner::Whole, 0),
        (TooManyRequests, 429, Manner::Whole, 0),
        (Redirect, 302, Manner::Whole, 0),
        (Silence, 0, Manner::Never, 0),
        (Reset, 0, Manner::Reset, 0),
        (AnswerLost, 0, Manner::Closed, 1),
        (EmptyAnswer, 200, Manner::Whole, 1),
        (Truncated, 200, Manner::Truncated, 1),
        (SlowBody, 200, Manner::Slow(secs(10)), 1),
        (Huge, 200, Manner::Whole, 1),
    ] {
        let mut sandbox =
            roomy(Settings { faults: vec![Planned::on(CallKind::Submit, fault)], ..Settings::default() });
        assert_eq!(ask(&mut sandbox, "unknown", secs(0)).status, 404, "not for this call");
        assert_eq!(
            sandbox.handle(&Call::post("/lead/capture", "{}"), secs(0)).status,
            401,
            "nor for one without keys"
        );
        let reply = sandbox.handle(&with_keys(Call::post("/lead/capture", "{}")), secs(0));
        assert_eq!((reply.status, reply.manner), (status, manner), "{fault:?}");
        let book = sandbox.book();
        assert_eq!(
            (book.accepted, book.faults, book.refused),
            (accepted, u64::from(fault != Pass), 0),
            "{fault:?}"
        );
        assert_eq!(
            reply.body.is_empty(),
            matches!(fault, Redirect | Silence | Reset | AnswerLost | EmptyAnswer)
        );
        let next = sandbox.handle(&with_keys(Call::post("/lead/capture", "{}")), secs(0));
        assert_eq!((next.status, next.manner), (200, Manner::Whole), "{fault:?} is used up");
    }
    let mut sandbox = roomy(Settings { faults: vec![AboutAnother.into()], ..Settings::default() });
    let id = submit(&mut sandbox, JOB, secs(0));
    assert_ne!(read(&ask(&mut sandbox, &id, secs(0)))["RequestId"], id.as_str());
    assert_eq!(read(&ask(&mut sandbox, &id, secs(0)))["RequestId"], id.as_str());
}

#[test]
fn a_canned_answer_comes_byte_for_byte_but_not_without_a_key() {
    let headers = vec![("content-type".into(), "text/weird".into())];
    let canned = Canned { http_status: 503, headers, body: vec![0xff, 0, b'x'] };
    let answers = BTreeMap::from([("not a uuid".to_owned(), canned.clone())]);
    let mut sandbox = roomy(Settings { answers, ..Settings::default() });
    let reply = ask(&mut sandbox, "not+a%20uuid", secs(0));
    assert_eq!((reply.status, reply.headers, reply.body), (503, canned.headers, canned.body));
    let keyless = Call::get("/activity/create/status?RequestID=not+a+uuid");
    assert_eq!(sandbox.handle(&keyless, secs(0)).status, 401);
}

#[test]
fn everything_has_a_bound() {
    let mut sandbox = roomy(Settings { max_jobs: 1, max_body: 10, ..Settings::default() });
    let mut status =
        |body: &str| sandbox.handle(&with_keys(Call::post("/lead/capture", body)), secs(0)).status;
    assert_eq!([status(r#"{"a": 123}"#), status(r#"{"a": 1234}"#), status("{}")], [200, 400, 500]);
}

#[test]
fn a_call_that_arrives_late_is_judged_in_its_turn() {
    let mut sandbox =
        Sandbox::new(Settings { quota: Quota { calls: 1, ..Quota::default() }, ..Settings::default() });
    sandbox.handle_later(with_keys(Call::post("/lead/capture", "{}")), secs(3));
    let metrics = Call::get("/lead/capture/metrics").header("x-api-key", "sandbox-api-key");
    sandbox.advance(secs(2));
    assert_eq!(sandbox.book().accepted, 0);
    assert_eq!(sandbox.handle(&metrics, secs(4)).status, 429);
    assert_eq!((sandbox.book().accepted, sandbox.book().busiest_window), (1, 2));
    sandbox.advance(secs(60));
    let id = sandbox.ids().next().unwrap();
    assert_eq!(sandbox.settled_at(&id), Some(Duration::from_millis(5400)));
}

#[test]
fn the_same_seed_is_the_same_history() {
    let history = |seed, curious: bool| {
        let mut sandbox = roomy(Settings {
            seed,
            spread: 1.0,
            workers: 3,
            order: activity_status_sandbox::Order::Shuffled,
            others: 0.4,
            system_errors: 0.2,
            application_errors: 0.1,
            fault_probability: 0.1,
            fault_kinds: vec![Fault::ServerError, Fault::AnswerLost],
            latency_in: (secs(0), secs(1)),
            ..Settings::default()
        });
        let mut replies = Vec::new();
        for second in 0..200 {
            let call = with_keys(Call::post("/activity/create", &noted(&second.to_string())));
            replies.push((sandbox.travel(&call), sandbox.handle(&call, secs(second))));
        }
        if curious {
            sandbox.advance(secs(5_000));
        }
        sandbox.advance(secs(40_000));
        let ids: Vec<String> = sandbox.ids().collect();
        let ends: Vec<_> = ids.iter().map(|id| sandbox.settled_at(id)).collect();
        (replies, ends, sandbox.book().clone())
    };
    let one = history(1, false);
    assert_eq!(one, history(1, false));
    assert_eq!(one, history(1, true), "when one looks makes no difference");
    assert_ne!(one, history(2, false));
    assert!(one.2.settled > 150 && one.2.failed() > 5 && one.2.faults > 5, "{:?}", one.2);
}
