//! Many questions over few threads: whichever is due is asked, and asked again after a pause.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use activity_status::plugin::Clock;

use crate::Stop;
use crate::shell::{Problem, TICK, exit};

/// How to follow.
pub(crate) struct Plan {
    /// How many questions may be under way at the same time.
    pub(crate) threads: usize,
    /// When nothing more is begun, by the clock of the [`Stop`].
    pub(crate) deadline: Option<Duration>,
    /// No item is begun that is this far ahead of the first one that is still open.
    pub(crate) ahead: usize,
    /// At the deadline, or after a halt: are answers that are outstanding worth waiting for?
    pub(crate) patient: bool,
}

/// What is to become of an item after an answer.
pub(crate) enum Next {
    Done,
    Again(Duration),
    /// It is done, and nothing more is to be begun.
    Halt,
}

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing is left to do.
    Complete,
    Halted,
    Deadline,
    Interrupted,
}

/// What is left when following ends.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) ended: Ended,
    /// Begun, and not answered.
    pub(crate) outstanding: BTreeSet<usize>,
    /// Not under way.
    pub(crate) waiting: BTreeSet<usize>,
}

impl Left {
    /// What to tell the user of a single question that was not answered.
    pub(crate) fn problem(&self) -> Problem {
        match self.ended {
            Ended::Interrupted => Problem::interrupted(),
            Ended::Deadline => Problem { code: exit::DEADLINE, text: "no answer by the deadline".into() },
            _ => Problem { code: exit::TROUBLE, text: "no answer came".into() },
        }
    }
}

/// After a wish to stop, answers have this long to come in.
const GRACE: Duration = Duration::from_millis(150);

/// Asks about the items `0..count`, each as often as `heard` says. `ask` runs on threads that are left behind if they
/// do not answer in time; `heard` runs on this one.
pub(crate) fn follow<T: Send + 'static>(
    count: usize,
    plan: &Plan,
    stop: &Stop,
    ask: impl Fn(usize) -> T + Send + Sync + 'static,
    mut heard: impl FnMut(usize, T) -> Next,
) -> Left {
    let ask = Arc::new(ask);
    let (questions, queue) = mpsc::channel::<usize>();
    let queue = Arc::new(Mutex::new(queue));
    let (answers, inbox) = mpsc::channel();
    for _ in 0..plan.threads.min(count) {
        let (ask, queue, answers) = (ask.clone(), queue.clone(), answers.clone());
        std::thread::spawn(move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(item) = next else { return };
                // A panic has been reported over there; here it means that there is no answer.
                let answer = catch_unwind(AssertUnwindSafe(|| ask(item))).ok();
                if answers.send((item, answer)).is_err() {
                    return;
                }
            }
        });
    }

    let mut due: BinaryHeap<_> = (0..count).map(|item| Reverse((Duration::ZERO, item))).collect();
    let mut open: BTreeSet<usize> = (0..count).collect();
    let mut outstanding = BTreeSet::new();
    let mut lost = Vec::new();
    let mut ended: Option<(Ended, Option<Duration>)> = None;
    loop {
        let now = stop.now();
        let patience = if plan.patient { None } else { Some(now + GRACE) };
        match ended {
            Some((Ended::Interrupted, _)) => {}
            _ if stop.is_triggered() => ended = Some((Ended::Interrupted, Some(now + GRACE))),
            None if plan.deadline.is_some_and(|deadline| now >= deadline) => {
                ended = Some((Ended::Deadline, patience));
            }
            _ => {}
        }
        while ended.is_none() && outstanding.len() < plan.threads {
            let furthest = open.first().map_or(0, |first| first.saturating_add(plan.ahead));
            let next = due.peek().filter(|Reverse((at, item))| *at <= now && *item < furthest);
            let Some(Reverse((_, item))) = next.copied() else { break };
            due.pop();
            outstanding.insert(item);
            let _ = questions.send(item);
        }
        let out_of_time = ended.is_some_and(|(_, until)| until.is_some_and(|until| now >= until));
        if out_of_time || outstanding.is_empty() && (ended.is_some() || due.is_empty()) {
            break;
        }
        // What is due already waits for a thread or for its turn, and so for an answer.
        let next_due = due.peek().filter(|Reverse((at, _))| *at > now);
        let pause = next_due.map_or(TICK, |Reverse((at, _))| (*at - now).min(TICK));
        match inbox.recv_timeout(pause) {
            Ok((item, answer)) => {
                outstanding.remove(&item);
                let next = answer.map(|answer| heard(item, answer));
                if let Some(Next::Again(pause)) = next {
                    due.push(Reverse((stop.now().saturating_add(pause), item)));
                    continue;
                }
                open.remove(&item);
                match next {
                    None => lost.push(item),
                    Some(Next::Halt) if ended.is_none() => ended = Some((Ended::Halted, patience)),
                    _ => {}
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let waiting = open.difference(&outstanding).copied().collect();
    // Whatever ended with a panic may have been sent.
    outstanding.extend(lost);
    Left { ended: ended.map_or(Ended::Complete, |(ended, _)| ended), outstanding, waiting }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    fn plan(threads: usize) -> Plan {
        Plan { threads, deadline: None, ahead: usize::MAX, patient: false }
    }

    #[test]
    fn each_is_asked_as_often_as_wanted_and_never_twice_at_a_time() {
        let busy: Arc<Vec<AtomicUsize>> = Arc::new((0..20).map(|_| AtomicUsize::new(0)).collect());
        let most = Arc::new(AtomicUsize::new(0));
        let (inside, most_seen) = (busy.clone(), most.clone());
        let ask = move |item: usize| {
            assert_eq!(inside[item].fetch_add(1, SeqCst), 0);
            most_seen.fetch_max(inside.iter().map(|b| b.load(SeqCst)).sum(), SeqCst);
            std::thread::yield_now();
            inside[item].fetch_sub(1, SeqCst);
            item
        };
        let mut times = vec![0; 20];
        let left = follow(20, &plan(4), &Stop::new(), ask, |item, answer| {
            assert_eq!(item, answer);
            times[item] += 1;
            if times[item] < 3 { Next::Again(Duration::from_millis(1)) } else { Next::Done }
        });
        assert_eq!(times, [3; 20]);
        assert!(left.ended == Ended::Complete && left.waiting.is_empty() && left.outstanding.is_empty());
        assert!(most.load(SeqCst) <= 4);
    }

    #[test]
    fn none_goes_further_ahead_than_allowed() {
        let (open_first, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let begun = Arc::new(Mutex::new(BTreeSet::new()));
        let beginning = begun.clone();
        let ask = move |item: usize| {
            beginning.lock().unwrap().insert(item);
            if item == 0 {
                let _ = held.lock().unwrap().recv();
            }
        };
        let stop = Stop::new();
        let mut heard = 0;
        follow(9, &Plan { ahead: 3, ..plan(8) }, &stop, ask, |_, ()| {
            heard += 1;
            if heard == 2 {
                stop.sleep(Duration::from_millis(20)).unwrap();
                assert_eq!(*begun.lock().unwrap(), BTreeSet::from([0, 1, 2]));
                open_first.send(()).unwrap();
            }
            Next::Done
        });
        assert_eq!(heard, 9);
    }

    #[test]
    fn deadline_halt_and_stop_leave_the_rest_open() {
        let again = |_, ()| Next::Again(Duration::ZERO);
        let stop = Stop::new();
        let deadline = Plan { deadline: Some(stop.now() + Duration::from_millis(20)), ..plan(2) };
        let left = follow(3, &deadline, &stop, |_| (), again);
        assert_eq!((left.ended, left.waiting.len()), (Ended::Deadline, 3));

        let left = follow(3, &plan(1), &stop, |_| (), |_, ()| Next::Halt);
        assert_eq!((left.ended, left.waiting), (Ended::Halted, BTreeSet::from([1, 2])));

        let asked = stop.clone();
        let began = stop.now();
        let left =
            follow(3, &plan(1), &stop, move |_| (asked.trigger(), std::thread::park()), |_, _| Next::Done);
        assert_eq!(left.ended, Ended::Interrupted);
        assert_eq!((left.outstanding, left.waiting), (BTreeSet::from([0]), BTreeSet::from([1, 2])));
        assert!(stop.now() - began < Duration::from_secs(20));
    }

    #[test]
    fn a_question_that_panics_stays_open() {
        let ask = |item| {
            if item == 1 {
                panic!("on purpose")
            }
        };
        let left = follow(3, &plan(1), &Stop::new(), ask, |_, ()| Next::Done);
        assert_eq!((left.ended, left.outstanding), (Ended::Complete, BTreeSet::from([1])));
    }
}
