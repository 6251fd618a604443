//! The checks for parts of one's own: ours pass them, and each finds the mistake that it is there for.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use activity_status::builtin::{SlotRules, Slots, SystemClock, Timeouts, UreqTransport, VirtualClock};
use activity_status::conformance::{
    Failed, LimiterSubject, Time, check_clock, check_limiter, check_transport,
};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Delivery, Failure, Head, Header, Interrupted, Limiter, LimiterError, Permit,
    Request, Response, Settlement, Snapshot, Transport, TransportError,
};

const WINDOW: Duration = Duration::from_secs(5);
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// Puts slots through the checks, each handle on them made by `wrap`. Theirs is a lease for calls of `longest`.
fn check(
    longest: Duration,
    wrap: impl Fn(Arc<Shared>, usize) -> Box<dyn Limiter> + Sync,
) -> Result<(), Failed> {
    let quotas: Mutex<HashMap<u32, (Arc<Shared>, usize)>> = Mutex::default();
    let open = |number, quota| {
        let mut quotas = quotas.lock().unwrap();
        let rules = SlotRules::new(quota).unwrap().longest_call(longest);
        let (shared, handles) = quotas.entry(number).or_insert_with(|| (Arc::new(Shared::new(rules)), 0));
        *handles += 1;
        wrap(shared.clone(), *handles)
    };
    check_limiter(&LimiterSubject {
        open: &open,
        time: Time::Virtual(Arc::new(VirtualClock::new())),
        window: WINDOW,
        longest_call: LONGEST_CALL,
    })
}

/// What all handles on one quota share.
struct Shared {
    slots: Slots,
    sent: Mutex<Vec<Sent>>,
    answers: AtomicU32,
    /// Who waits and is served before the others, if one mistake is made.
    first: Mutex<HashSet<ThreadId>>,
}

/// A call: its number, when it was sent, whether it counts for longer.
type Sent = (u64, Duration, bool);

impl Shared {
    fn new(rules: SlotRules) -> Self {
        Shared {
            slots: Slots::with(rules),
            sent: Mutex::default(),
            answers: AtomicU32::new(0),
            first: Mutex::default(),
        }
    }
}

#[test]
fn slots_pass() {
    struct Plain(Arc<Shared>);
    impl Limiter for Plain {
        fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
            self.0.slots.try_acquire(class, clock)
        }
        fn leave(&self) {
            self.0.slots.leave();
        }
        fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
            self.0.slots.settle(permit, how, clock)
        }
        fn snapshot(&self, clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
            self.0.slots.snapshot(clock)
        }
    }
    check(LONGEST_CALL, |shared, _| Box::new(Plain(shared))).unwrap();
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    KeepsWhatWasNotSent,
    ForgetsDoubts,
    EndsLongCalls,
    SharesNothing,
    CountsFromSending,
    ForgetsSomeAnswers,
    SaysTooSoon,
    IsDeafToRefusals,
    GoesByTheTimeOfDay,
    RemembersTheDead,
    ServesTheFirstHandleFirst,
    ServesSubmitsFirst,
    KeepsPlaces,
    LiesAboutRefusals,
}

#[test]
fn each_mistake_is_found_by_its_check() {
    for (mistake, by) in [
        (Mistake::KeepsWhatWasNotSent, "a slot ends with its call"),
        (Mistake::ForgetsDoubts, "a slot ends with its call"),
        (Mistake::EndsLongCalls, "a slot ends with its call"),
        (Mistake::SharesNothing, "handles share one quota"),
        (Mistake::CountsFromSending, "a slot ends with its call"),
        (Mistake::ForgetsSomeAnswers, "never more than the quota in any window"),
        (Mistake::SaysTooSoon, "waiting as told is enough"),
        (Mistake::IsDeafToRefusals, "a refusal seen by one slows all"),
        (Mistake::GoesByTheTimeOfDay, "a clock that steps is harmless"),
        (Mistake::RemembersTheDead, "a holder that dies frees its slot"),
        (Mistake::ServesTheFirstHandleFirst, "no one starves"),
        (Mistake::ServesSubmitsFirst, "no class starves"),
        (Mistake::KeepsPlaces, "a place given up holds nobody back"),
        (Mistake::LiesAboutRefusals, "the snapshot is true"),
    ] {
        let longest = match mistake {
            Mistake::RemembersTheDead => LONGEST_CALL * 3,
            Mistake::EndsLongCalls => WINDOW,
            _ => LONGEST_CALL,
        };
        let found = check(longest, |shared, handle| {
            let rules = *shared.slots.rules();
            let shared = match mistake {
                Mistake::SharesNothing => Arc::new(Shared::new(rules)),
                _ => shared,
            };
            match mistake {
                Mistake::CountsFromSending => Box::new(CountsFromSending(shared)),
                _ => Box::new(Mistaken { shared, handle, mistake }),
            }
        });
        let found = found.expect_err("a mistake that no check has found");
        assert_eq!(found.check, by, "{mistake:?}: {found}");
    }
}

/// A handle on slots that makes one mistake.
struct Mistaken {
    shared: Arc<Shared>,
    handle: usize,
    mistake: Mistake,
}

impl Mistaken {
    fn ask(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let goes_first = match self.mistake {
            Mistake::ServesTheFirstHandleFirst => self.handle == 1,
            Mistake::ServesSubmitsFirst => class == CallClass::Submit,
            _ => true,
        };
        let mut first = self.shared.first.lock().unwrap();
        if !goes_first && !first.is_empty() {
            return Ok(Acquired::RetryAfter(WINDOW / 4));
        }
        let asked = self.shared.slots.try_acquire(class, clock)?;
        let me = std::thread::current().id();
        match asked {
            Acquired::RetryAfter(_) if goes_first => first.insert(me),
            _ => first.remove(&me),
        };
        Ok(asked)
    }
}

impl Limiter for Mistaken {
    fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let asked = match self.mistake {
            Mistake::GoesByTheTimeOfDay => self.ask(class, &At(clock.wall())),
            _ => self.ask(class, clock),
        }?;
        Ok(match asked {
            Acquired::RetryAfter(wait) if self.mistake == Mistake::SaysTooSoon => {
                Acquired::RetryAfter((wait / 20).max(Duration::from_millis(1)))
            }
            later => later,
        })
    }

    fn leave(&self) {
        self.shared.first.lock().unwrap().remove(&std::thread::current().id());
        if self.mistake != Mistake::KeepsPlaces {
            self.shared.slots.leave();
        }
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        let how = match (self.mistake, how) {
            (Mistake::KeepsWhatWasNotSent, Settlement::NotSent) => Settlement::Answered,
            (Mistake::ForgetsDoubts, Settlement::InDoubt) => Settlement::NotSent,
            (Mistake::ForgetsSomeAnswers, Settlement::Answered)
                if self.shared.answers.fetch_add(1, Ordering::SeqCst) % 5 == 4 =>
            {
                Settlement::NotSent
            }
            (Mistake::IsDeafToRefusals, Settlement::Refused { .. }) => Settlement::Answered,
            (_, how) => how,
        };
        match self.mistake {
            Mistake::GoesByTheTimeOfDay => self.shared.slots.settle(permit, how, &At(clock.wall())),
            _ => self.shared.slots.settle(permit, how, clock),
        }
    }

    fn snapshot(&self, clock: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
        let seen = self.shared.slots.snapshot(clock)?;
        let lie = self.mistake == Mistake::LiesAboutRefusals;
        Ok(seen.map(|seen| if lie { Snapshot { refused: 0, ..seen } } else { seen }))
    }
}

/// A slot of a call that is answered is free a window after its sending: right if no delay ever differs.
struct CountsFromSending(Arc<Shared>);

impl Limiter for CountsFromSending {
    fn try_acquire(&self, _: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let (now, quota) = (clock.now(), self.0.slots.rules().quota());
        let mut sent = self.0.sent.lock().unwrap();
        sent.retain(|(_, at, counts)| *counts || now <= *at + quota.window());
        if sent.len() < quota.calls() as usize {
            let number = now.as_nanos() as u64 * 1000 + sent.len() as u64;
            sent.push((number, now, true));
            return Ok(Acquired::Granted(Permit(number)));
        }
        Ok(Acquired::RetryAfter(Duration::from_millis(100)))
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        let mut sent = self.0.sent.lock().unwrap();
        if how == Settlement::NotSent {
            sent.retain(|call| call.0 != permit.0);
        }
        for call in sent.iter_mut().filter(|call| call.0 == permit.0) {
            call.2 = false;
            if how == Settlement::InDoubt {
                call.1 = clock.now();
            }
        }
        Ok(())
    }
}

/// A clock that stands.
struct At(Duration);

impl Clock for At {
    fn now(&self) -> Duration {
        self.0
    }
    fn wall(&self) -> Duration {
        self.0
    }
    fn sleep(&self, _: Duration) -> Result<(), Interrupted> {
        Ok(())
    }
}

#[test]
fn our_transport_passes() {
    check_transport(&UreqTransport::new(Timeouts::default()).unwrap()).unwrap();
}

type Answered = Result<Response, TransportError>;

/// A transport that makes one mistake.
fn mistaken(
    mistake: impl Fn(&UreqTransport, &Request<'_>, &mut dyn FnMut(&Head)) -> Answered + Send + Sync + 'static,
) -> Box<dyn Transport> {
    let ours = UreqTransport::new(Timeouts::default()).unwrap();
    Box::new(move |request: &Request<'_>, on_head: &mut dyn FnMut(&Head)| mistake(&ours, request, on_head))
}

/// One that changes what it sends.
fn changing(change: impl Fn(&mut Request<'_>) + Send + Sync + 'static) -> Box<dyn Transport> {
    mistaken(move |ours, request, on_head| {
        let mut request = request.clone();
        change(&mut request);
        ours.send(&request, on_head)
    })
}

/// One that changes what came of it.
fn making_of_it(
    make: impl Fn(&Request<'_>, Answered) -> Answered + Send + Sync + 'static,
) -> Box<dyn Transport> {
    mistaken(move |ours, request, on_head| make(request, ours.send(request, on_head)))
}

fn failed(message: &str) -> TransportError {
    let (delivery, failure) = (Delivery::InDoubt, Failure::Connection);
    TransportError { delivery, failure, message: message.to_owned(), source: None }
}

#[test]
fn each_mistake_of_a_transport_is_found_by_its_check() {
    let arrives = "a request arrives as it was given";
    let [status, redirect] = ["every status is an answer", "no redirect is followed"];
    let [head, whole] = ["the head is told of when it comes", "a body is read whole, whatever its form"];
    let [half, endless] = ["half an answer is none", "an endless answer is none"];
    let [not_sent, doubt] =
        ["not sent is what did not leave", "what may have arrived is in doubt, and sent once"];
    let [ends, key, mixed] =
        ["a call ends in its time", "an error shows no key", "calls at once get their own answers"];
    let never = &*Box::leak(Box::new(AtomicBool::new(false)));

    let mistakes: Vec<(&str, &str, Box<dyn Transport>)> = vec![
        ("it drops a header", arrives, changing(|request| request.headers = &request.headers[1..])),
        (
            "it adds a header",
            arrives,
            mistaken(|ours, request, on_head| {
                let headers = [request.headers, &[Header { name: "x-trace", value: "1" }]].concat();
                ours.send(&Request { headers: &headers, ..request.clone() }, on_head)
            }),
        ),
        (
            "it doubles a header",
            arrives,
            mistaken(|ours, request, on_head| {
                let headers = [request.headers, &request.headers[..1]].concat();
                ours.send(&Request { headers: &headers, ..request.clone() }, on_head)
            }),
        ),
        (
            "it decodes the URL",
            arrives,
            mistaken(|ours, request, on_head| {
                let url = request.url.replace("%7B", "{").replace("%2F", "/");
                ours.send(&Request { url: &url, ..request.clone() }, on_head)
            }),
        ),
        ("it sends no body", arrives, changing(|request| request.body = None)),
        ("it trims a body", arrives, changing(|request| request.body = request.body.map(<[u8]>::trim_ascii))),
        (
            "it makes errors of statuses",
            status,
            making_of_it(|_, sent| match sent {
                Ok(response) if response.head.status == 503 => Err(failed("the server is busy")),
                other => other,
            }),
        ),
        (
            "it makes the names of headers large",
            status,
            mistaken(|ours, request, on_head| {
                let large = |head: &Head| Head {
                    headers: head
                        .headers
                        .iter()
                        .map(|(name, value)| (name.to_uppercase(), value.clone()))
                        .collect(),
                    ..head.clone()
                };
                let Response { head, body } = ours.send(request, &mut |head| on_head(&large(head)))?;
                Ok(Response { head: large(&head), body })
            }),
        ),
        (
            "it sends again what was refused",
            status,
            mistaken(|ours, request, on_head| match ours.send(request, &mut |_| {}) {
                Ok(response) if response.head.status != 429 => {
                    on_head(&response.head);
                    Ok(response)
                }
                _ => ours.send(request, on_head),
            }),
        ),
        (
            "it follows redirects",
            redirect,
            mistaken(|ours, request, on_head| {
                let response = ours.send(request, &mut |_| {})?;
                let location =
                    response.head.header("location").filter(|location| location.starts_with("http"));
                if let Some(url) = location {
                    return ours.send(&Request { url, ..request.clone() }, on_head);
                }
                on_head(&response.head);
                Ok(response)
            }),
        ),
        (
            "it tells of the head at the end",
            head,
            mistaken(|ours, request, on_head| {
                let response = ours.send(request, &mut |_| {})?;
                on_head(&response.head);
                Ok(response)
            }),
        ),
        (
            "it tells of the head twice",
            arrives,
            mistaken(|ours, request, on_head| {
                ours.send(request, &mut |head| {
                    on_head(head);
                    on_head(head);
                })
            }),
        ),
        (
            "it does not tell of the head",
            arrives,
            mistaken(|ours, request, _| ours.send(request, &mut |_| {})),
        ),
        (
            "it does not tell of connections",
            head,
            mistaken(|ours, request, on_head| {
                let new_connection = &AtomicBool::new(false);
                ours.send(&Request { new_connection, ..request.clone() }, on_head)
            }),
        ),
        (
            "it shortens a body",
            whole,
            making_of_it(|request, sent| {
                let mut response = sent?;
                if request.body.is_none() {
                    response.body.truncate(100_000);
                }
                Ok(response)
            }),
        ),
        (
            "it takes half an answer for one",
            half,
            making_of_it(|_, sent| match sent {
                Err(error) if error.message.contains("cut off") => Ok(Response::default()),
                other => other,
            }),
        ),
        (
            "it says not sent of half an answer",
            half,
            making_of_it(|_, sent| {
                sent.map_err(|error| TransportError { delivery: Delivery::NotSent, ..error })
            }),
        ),
        (
            "it shortens what is too long",
            endless,
            making_of_it(|_, sent| match sent {
                Err(error) if error.message.contains("10 MiB") => Ok(Response::default()),
                other => other,
            }),
        ),
        (
            "it doubts that nothing left",
            not_sent,
            making_of_it(|_, sent| {
                sent.map_err(|error| TransportError { delivery: Delivery::InDoubt, ..error })
            }),
        ),
        (
            "it sends with no time left",
            not_sent,
            changing(|request| {
                request.time_left = request.time_left.max(Duration::from_secs(1));
            }),
        ),
        ("it sends what is cancelled", not_sent, changing(|request| request.cancelled = never)),
        (
            "it calls a broken connection not sent",
            doubt,
            making_of_it(|request, sent| {
                sent.map_err(|error| match request.url.contains("second") {
                    true => TransportError { delivery: Delivery::NotSent, ..error },
                    false => error,
                })
            }),
        ),
        (
            "it sends again what was not answered",
            doubt,
            mistaken(|ours, request, on_head| match ours.send(request, on_head) {
                Err(error) if error.delivery == Delivery::InDoubt => ours.send(request, on_head),
                other => other,
            }),
        ),
        (
            "it calls half a body not sent",
            doubt,
            making_of_it(|_, sent| {
                sent.map_err(|error| match error.delivery {
                    Delivery::Partly => TransportError { delivery: Delivery::NotSent, ..error },
                    _ => error,
                })
            }),
        ),
        (
            "it takes its time",
            ends,
            changing(|request| {
                if !request.time_left.is_zero() {
                    request.time_left = Duration::from_secs(3600);
                }
            }),
        ),
        (
            "it calls a time-out a lost connection",
            ends,
            making_of_it(|_, sent| {
                sent.map_err(|error| TransportError {
                    failure: match error.failure {
                        Failure::TimedOut => Failure::Connection,
                        other => other,
                    },
                    ..error
                })
            }),
        ),
        (
            "it says the URL",
            key,
            making_of_it(|request, sent| {
                sent.map_err(|error| TransportError { message: request.url.to_owned(), ..error })
            }),
        ),
        (
            "its cause says the headers",
            key,
            making_of_it(|request, sent| {
                let said = request.headers.iter().map(|header| header.value).collect::<Vec<_>>().join(" ");
                sent.map_err(|error| TransportError { source: Some(said.into()), ..error })
            }),
        ),
        ("it sends one at a time", mixed, {
            let one = Mutex::new(());
            mistaken(move |ours, request, on_head| {
                let _one = one.lock().unwrap();
                ours.send(request, on_head)
            })
        }),
        ("it mixes answers", mixed, {
            let (at_once, last) = (AtomicU32::new(0), Mutex::new(None));
            mistaken(move |ours, request, on_head| {
                at_once.fetch_add(1, Ordering::SeqCst);
                let response = ours.send(request, on_head);
                let mut last = last.lock().unwrap();
                let others = at_once.fetch_sub(1, Ordering::SeqCst) > 1;
                let response = response?;
                let other = last.replace(response.clone()).filter(|_| others);
                Ok(other.unwrap_or(response))
            })
        }),
    ];
    // Side by side, because some of them are found by a wait.
    std::thread::scope(|scope| {
        for (mistake, by, transport) in &mistakes {
            scope.spawn(move || {
                let found = check_transport(&**transport).expect_err(mistake);
                assert_eq!(found.check, *by, "{mistake}: {found}");
            });
        }
    });
}

#[test]
fn our_clocks_pass() {
    check_clock(&SystemClock::new()).unwrap();
    check_clock(&VirtualClock::new()).unwrap();
}

#[test]
fn each_mistake_of_a_clock_is_found_by_its_check() {
    let back = "the time never goes back";
    let [sleep, day] = ["a sleep lasts as long as it was told", "the time of day is one"];
    let [work, park] = ["work that is handed over runs", "whoever parks wakes"];
    for (mistake, by) in [
        ("its time goes back", back),
        ("threads have times of their own", back),
        ("it sleeps too short", sleep),
        ("it tells milliseconds for nanoseconds", sleep),
        ("it sleeps alone", sleep),
        ("it is interrupted", sleep),
        ("its day counts in seconds", day),
        ("its day is far away", day),
        ("it drops work", work),
        ("it keeps work", work),
        ("it parks for no time", park),
        ("it cannot be unparked", park),
    ] {
        let clock = MistakenClock { clock: VirtualClock::new(), mistake, asked: AtomicU32::new(0) };
        let found = check_clock(&clock).expect_err(mistake);
        assert_eq!(found.check, by, "{mistake}: {found}");
    }
}

struct MistakenClock {
    clock: VirtualClock,
    mistake: &'static str,
    asked: AtomicU32,
}

impl MistakenClock {
    fn asked(&self) -> u32 {
        self.asked.fetch_add(1, Ordering::SeqCst)
    }
}

impl Clock for MistakenClock {
    fn now(&self) -> Duration {
        let now = self.clock.now();
        match self.mistake {
            "its time goes back" => {
                now + Duration::from_secs(1) - Duration::from_nanos((self.asked() / 100).into())
            }
            "it tells milliseconds for nanoseconds" => Duration::from_nanos(now.as_millis() as u64),
            "threads have times of their own" => {
                thread_local!(static READ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
                Duration::from_nanos(READ.replace(READ.get() + 1))
            }
            _ => now,
        }
    }

    fn wall(&self) -> Duration {
        let wall = self.clock.wall();
        match self.mistake {
            "its day counts in seconds" => Duration::from_nanos(1_700_000_000 + wall.as_secs()),
            "its day is far away" => Duration::from_secs(1_700_000_000_000),
            _ => wall,
        }
    }

    fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        match self.mistake {
            "it sleeps too short" => self.clock.sleep(duration * 9 / 10),
            "it is interrupted" if self.asked() > 7 => Err(Interrupted),
            // Whoever sleeps besides another one wakes with it.
            "it sleeps alone" if self.asked() > 5 => Ok(()),
            _ => self.clock.sleep(duration),
        }
    }

    fn park(&self, duration: Duration) -> Result<(), Interrupted> {
        match self.mistake {
            "it parks for no time" => Ok(()),
            "it cannot be unparked" => self.clock.sleep(duration),
            _ => self.clock.park(duration),
        }
    }

    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        match self.mistake {
            "it drops work" => {}
            "it keeps work" => std::mem::forget(work),
            _ => return self.clock.spawn(work),
        }
        Ok(())
    }
}
