//! The line in front of the server: one goes for all who wait.

use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Those of this process who want something of the server (flat combining, Hendler et al. 2010). One goes with the wishes of all
/// who have come by then; who comes meanwhile waits, and one of them goes next. Nobody holds a lock on the way.
pub(crate) struct Line<Wish, Outcome>(Mutex<Waiting<Wish, Outcome>>);

struct Waiting<Wish, Outcome> {
    /// Threads that waited are not there in a forked process.
    process: u32,
    somebody_is_out: bool,
    wishes: Vec<(Wish, Sender<Told<Outcome>>)>,
}

enum Told<Outcome> {
    /// It is your turn to go.
    Go,
    Done(Outcome),
}

impl<Wish, Outcome> Line<Wish, Outcome> {
    pub(crate) fn new() -> Self {
        Line(Mutex::new(Waiting::new()))
    }

    /// What came of the wish: `serve` goes with the wishes of all, in the order of coming, and has an outcome for each. Nobody
    /// waits for more than one turn of somebody else and the next. `None` if the one who went panicked.
    pub(crate) fn join(&self, wish: Wish, serve: impl FnOnce(&[Wish]) -> Vec<Outcome>) -> Option<Outcome> {
        let (tell, told) = mpsc::channel();
        if self.enter(wish, tell)
            && let Told::Done(outcome) = told.recv().ok()?
        {
            return Some(outcome);
        }
        let _turn = Turn(self);
        let wishes = std::mem::take(&mut self.waiting().wishes);
        let (wishes, all): (Vec<Wish>, Vec<_>) = wishes.into_iter().unzip();
        for (tell, outcome) in all.into_iter().zip(serve(&wishes)) {
            let _ = tell.send(Told::Done(outcome));
        }
        match told.recv() {
            Ok(Told::Done(outcome)) => Some(outcome),
            _ => None,
        }
    }

    /// Whether somebody is out, so that there is to wait.
    fn enter(&self, wish: Wish, tell: Sender<Told<Outcome>>) -> bool {
        let mut waiting = self.waiting();
        waiting.wishes.push((wish, tell));
        std::mem::replace(&mut waiting.somebody_is_out, true)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<Wish, Outcome>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.process != std::process::id() {
            *waiting = Waiting::new();
        }
        waiting
    }
}

impl<Wish, Outcome> Waiting<Wish, Outcome> {
    fn new() -> Self {
        Waiting { process: std::process::id(), somebody_is_out: false, wishes: Vec::new() }
    }
}

/// Goes to the next one when it ends, be it by a panic.
struct Turn<'a, Wish, Outcome>(&'a Line<Wish, Outcome>);

impl<Wish, Outcome> Drop for Turn<'_, Wish, Outcome> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.somebody_is_out = waiting.wishes.first().is_some_and(|(_, next)| next.send(Told::Go).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    impl<Wish, Outcome> Line<Wish, Outcome> {
        fn wait_until(&self, came: usize) {
            while self.waiting().wishes.len() < came {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn those_who_come_meanwhile_go_together_and_each_hears_its_own() {
        let (line, went) = (Line::new(), Mutex::new(Vec::new()));
        let out = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                line.join(0, |wishes| {
                    out.wait();
                    line.wait_until(8);
                    wishes.to_vec()
                })
            });
            out.wait();
            for wish in 1..=8 {
                let (line, went) = (&line, &went);
                scope.spawn(move || {
                    let outcome = line.join(wish, |wishes| {
                        went.lock().unwrap().push(wishes.len());
                        wishes.iter().map(|wish| wish * 10).collect()
                    });
                    assert_eq!(outcome, Some(wish * 10));
                });
            }
        });
        assert_eq!(*went.lock().unwrap(), [8]);
    }

    #[test]
    fn a_panic_on_the_way_is_told_to_all_who_were_carried_and_the_next_one_goes() {
        let (line, out) = (Line::new(), Barrier::new(2));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                line.join(0, |_| {
                    out.wait();
                    line.wait_until(2);
                    panic!("on purpose")
                })
            });
            out.wait();
            let two = [1, 2].map(|wish| {
                scope.spawn({
                    let line = &line;
                    move || line.join(wish, |_| panic!("on purpose"))
                })
            });
            assert!(first.join().is_err());
            // One went with both.
            let mut told = two.map(|one| one.join().ok());
            told.sort_unstable();
            assert_eq!(told, [None, Some(None)]);
        });
        assert_eq!(line.join(3, |wishes| wishes.to_vec()), Some(3));
    }

    #[test]
    fn a_forked_process_does_not_wait_for_a_thread_that_it_has_not() {
        let line: Line<u8, u8> = Line::new();
        assert!(!line.enter(1, mpsc::channel().0));
        assert!(line.enter(2, mpsc::channel().0));
        line.waiting().process = 0;
        assert!(!line.enter(3, mpsc::channel().0));
        assert_eq!(line.waiting().wishes.len(), 1);
    }
}
