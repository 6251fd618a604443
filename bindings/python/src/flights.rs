use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use activity_status::Look;
use activity_status::plugin::{Failure, Method, Transport};
use zeroize::Zeroizing;

use crate::transport::{Flight, Told, lost};
use crate::wait_all::Bell;

/// Looks whose exchanges are made on threads of ours, while all that Python code hears of them is told on the thread that
/// waits.
pub(crate) struct Flights {
    transport: Arc<dyn Transport>,
    open: Mutex<Open>,
    tell: Sender<(u64, Told)>,
    told: Mutex<Receiver<(u64, Told)>>,
}

#[derive(Default)]
struct Open {
    looks: HashMap<u64, Slot>,
    begun: u64,
}

/// A look, unless somebody is telling its tracker of it right now, and what is to be told next.
struct Slot {
    look: Option<Look>,
    news: VecDeque<Told>,
}

/// Says at the end of an exchange's thread that there will be no more, whatever has happened to it.
struct Landing {
    number: u64,
    tell: Sender<(u64, Told)>,
    bell: Arc<Bell>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        // Of one that has landed already nobody takes note.
        let end = Told::End(Err(lost(Failure::Connection, "the exchange ended by a bug of ours")));
        let _ = self.tell.send((self.number, end));
        self.bell.ring();
    }
}

impl Flights {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        let (tell, told) = channel();
        Flights { transport, open: Mutex::default(), tell, told: Mutex::new(told) }
    }

    /// Begins the exchange. The bell rings when there is something to hear of it.
    pub(crate) fn send(&self, look: Look, bell: &Arc<Bell>) {
        let owned = |header: &activity_status::plugin::Header<'_>| {
            (header.name.to_owned(), Zeroizing::new(header.value.to_owned()))
        };
        let flight = Flight {
            method: Method::Get,
            url: look.url().into(),
            headers: look.headers().iter().map(owned).collect(),
            body: None,
            time_left: look.time_left(),
        };
        let mut open = self.open();
        open.begun += 1;
        let number = open.begun;
        open.looks.insert(number, Slot { look: Some(look), news: VecDeque::new() });
        drop(open);
        let transport = Arc::clone(&self.transport);
        let landing = Landing { number, tell: self.tell.clone(), bell: Arc::clone(bell) };
        let work = move || {
            // Whoever has gone does not listen any more.
            flight.fly(&*transport, &mut |told| {
                let is_heard = landing.tell.send((number, told)).is_ok();
                landing.bell.ring();
                is_heard
            });
        };
        if thread::Builder::new().name("activity-status".to_owned()).spawn(work).is_err() {
            // A machine without a thread to spare.
            let slot = self.open().looks.remove(&number);
            slot.and_then(|slot| slot.look).map(Look::send).unwrap_or_default();
        }
    }

    /// Tells the tracker, on this thread, what has been heard since.
    pub(crate) fn hear(&self) {
        loop {
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
            let Ok((number, told)) = told else { return };
            if let Some(slot) = self.open().looks.get_mut(&number) {
                slot.news.push_back(told);
            }
            self.tell_all_of(number);
        }
    }

    /// What is new of one look, in its order, unless another thread is telling it.
    fn tell_all_of(&self, number: u64) {
        while let Some((mut look, told)) = self.next_of(number) {
            match told {
                Told::Head(head) => {
                    look.head_arrived(&head);
                    if let Some(slot) = self.open().looks.get_mut(&number) {
                        slot.look = Some(look);
                    }
                }
                Told::End(result) => {
                    self.open().looks.remove(&number);
                    match result {
                        Ok(response) => look.answered(response),
                        Err(error) => look.failed(error),
                    }
                }
            }
        }
    }

    fn next_of(&self, number: u64) -> Option<(Look, Told)> {
        let mut open = self.open();
        let slot = open.looks.get_mut(&number)?;
        let look = slot.look.take()?;
        match slot.news.pop_front() {
            Some(told) => Some((look, told)),
            None => {
                slot.look = Some(look);
                None
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
