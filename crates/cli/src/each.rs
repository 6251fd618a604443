//! Many calls over few threads, each made once and in order.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use activity_status::plugin::Clock;

use crate::Stop;
use crate::shell::{Problem, TICK, exit};

/// How to make the calls.
pub(crate) struct Plan {
    /// How many may be under way at the same time.
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
    /// It is done, and nothing more is to be begun.
    Halt,
    /// The wish to stop came before it was sent: it stays open.
    Stopped,
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing is left to do.
    Complete,
    Halted,
    Deadline,
    Interrupted,
}

/// What is left at the end.
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

/// Makes a call for each of the items `0..count`. `ask` runs on threads that are left behind if they do not answer in
/// time; `heard` runs on this one.
pub(crate) fn each<T: Send + 'static>(
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

    let mut open: BTreeSet<usize> = (0..count).collect();
    let mut outstanding = BTreeSet::new();
    let mut begun = 0;
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
        let furthest = open.first().map_or(0, |first| first.saturating_add(plan.ahead)).min(count);
        while ended.is_none() && begun < furthest && outstanding.len() < plan.threads {
            outstanding.insert(begun);
            let _ = questions.send(begun);
            begun += 1;
        }
        let out_of_time = ended.is_some_and(|(_, until)| until.is_some_and(|until| now >= until));
        if out_of_time || outstanding.is_empty() && (ended.is_some() || begun == count) {
            break;
        }
        match inbox.recv_timeout(TICK) {
            Ok((item, answer)) => {
                outstanding.remove(&item);
                let next = answer.map(|answer| heard(item, answer));
                if let Some(Next::Stopped) = next {
                    ended = Some((Ended::Interrupted, Some(now + GRACE)));
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
    fn each_is_asked_once_and_few_at_a_time() {
        let busy = AtomicUsize::new(0);
        let most = Arc::new(AtomicUsize::new(0));
        let most_seen = most.clone();
        let ask = move |item: usize| {
            most_seen.fetch_max(busy.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::yield_now();
            busy.fetch_sub(1, SeqCst);
            item
        };
        let mut times = vec![0; 20];
        let left = each(20, &plan(4), &Stop::new(), ask, |item, answer| {
            assert_eq!(item, answer);
            times[item] += 1;
            Next::Done
        });
        assert_eq!(times, [1; 20]);
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
        each(9, &Plan { ahead: 3, ..plan(8) }, &stop, ask, |_, ()| {
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
        let stop = Stop::new();
        let deadline = Plan { deadline: Some(stop.now() + Duration::from_millis(20)), ..plan(2) };
        let left = each(3, &deadline, &stop, |_| std::thread::park(), |_, ()| Next::Done);
        assert_eq!((left.ended, left.outstanding.len(), left.waiting.len()), (Ended::Deadline, 2, 1));

        let left = each(3, &plan(1), &stop, |_| (), |_, ()| Next::Halt);
        assert_eq!((left.ended, left.waiting), (Ended::Halted, BTreeSet::from([1, 2])));

        let left = each(3, &plan(1), &stop, |_| (), |_, ()| Next::Stopped);
        assert_eq!((left.ended, left.waiting), (Ended::Interrupted, BTreeSet::from([0, 1, 2])));

        let asked = stop.clone();
        let began = stop.now();
        let left =
            each(3, &plan(1), &stop, move |_| (asked.trigger(), std::thread::park()), |_, _| Next::Done);
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
        let left = each(3, &plan(1), &Stop::new(), ask, |_, ()| Next::Done);
        assert_eq!((left.ended, left.outstanding), (Ended::Complete, BTreeSet::from([1])));
    }
}
