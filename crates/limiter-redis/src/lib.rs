//! One quota for many machines, kept in Redis.
//!
//! ```no_run
//! use activity_status::{Client, Credentials, Endpoint, builtin::{Quota, SlotRules}};
//! use activity_status_limiter_redis::RedisLimiter;
//!
//! let rules = SlotRules::new(Quota::default())?;
//! let limiter = RedisLimiter::open("redis://quota.example:6379", "your-api-key", rules)?;
//! let client = Client::builder(Endpoint::INDIA, Credentials::new("your-api-key")?).limiter(limiter).build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, SlotTable, SystemClock};
use activity_status::plugin::{
    Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement, Snapshot,
};

use line::Line;
use own::Own;
use server::{Found, Server, Write};
use server_clock::Offset;
use stored::{NotStored, Stored};

mod line;
mod own;
mod server;
mod server_clock;
mod stored;
mod wire;

/// The limiter for many machines: a [`SlotTable`] that a Redis server keeps.
///
/// The server only compares and sets, and tells its time; the arithmetic is the same as in memory. It is always
/// [strict](SlotRules::strict): a margin that one machine's round trips suggest is not safe for another's way to the vendor.
///
/// A change costs two round trips to Redis, and one more each time that another handle was faster; a snapshot costs one. One
/// thread goes with the changes of all who have come by then, permits and settlements alike, and the others wait for it: however
/// many threads there are, a handle makes one change at a time. It needs Redis 5 or a server like it (6 for a user's name), one
/// node with its replicas; a cluster is not followed.
///
/// **What is unknown is held.** If the server was started anew, another one took over, the entry is gone (evicted, deleted, or
/// unused for two days) or a clock was set, calls may have been made that nobody remembers: all slots are then held for a window.
/// So the very first call waits one window too. Not covered is a call that was on its way at that moment and ends more than a
/// window later: it counts from its settlement, and until then the quota is given out without it. Not seen is a clock that was set
/// forward while no handle was open, and a server that lives on cut off from the one that took its place: each then gives out the
/// quota (`min-replicas-to-write` in its settings is against that).
///
/// **When the server is away** (cannot be reached, does not answer within half a second, is full, is a replica), a call is an error and is
/// not sent, unless there is a quota for that: [`while_away`](RedisLimiter::while_away). It is asked again at most once a second. A
/// settlement that it did not hear is told with the next call that gets through.
///
/// Share one among all clients of a process; any thread may use it. No call waits for more than some seconds, and looking up the
/// host's name takes what the system takes. A forked process makes connections of its own; but fork only while no other thread
/// uses the limiter: a lock that is held at that moment is never free in the child. The clock that it is given is not used: time
/// is the server's.
pub struct RedisLimiter {
    server: Server,
    /// Where on the server. It is made of the API key, and does not tell it.
    key: String,
    rules: SlotRules,
    while_away: Option<SlotRules>,
    clock: SystemClock,
    names: RandomState,
    writes: AtomicU64,
    state: Mutex<State>,
    line: Line<Change, Result<Option<Acquired>, Failed>>,
}

/// What somebody wants of the shared table. Settlements go along with whatever does.
enum Change {
    Acquire { me: u64, class: CallClass },
    Leave { me: u64 },
    OnlySettle,
}

/// What one handle knows.
#[derive(Default)]
struct State {
    /// Which server it was, and what its clock was.
    clock: Option<(String, Offset)>,
    /// How often a clock was found set, and for how many of these all was held.
    doubts: u64,
    resolved: u64,
    /// Calls that the server gave leave to and that are not settled.
    in_flight: Vec<u64>,
    /// Settlements that the server has not heard.
    owed: Vec<(Permit, Settlement)>,
    away: Option<Away>,
    /// There from leaving the server until all calls made meanwhile have ended.
    own: Option<Own>,
}

/// The server is away.
struct Away {
    ask_again: Duration,
    why: String,
}

impl State {
    fn known_away(&self, now: Duration) -> Result<(), Failed> {
        match &self.away {
            Some(away) if now < away.ask_again => Err(Failed::Away(away.why.clone())),
            _ => Ok(()),
        }
    }
}

/// Why a change was not made, as a message.
#[derive(Clone)]
enum Failed {
    /// The server is away.
    Away(String),
    /// What it keeps is not for us.
    Unusable(String),
    /// The others were faster, each time.
    Busy,
}

/// A server that is away is asked again after so long a time.
const AWAY: Duration = Duration::from_secs(1);

/// Whoever finds the others faster comes again so soon.
const SOON: Duration = Duration::from_millis(20);

/// Of a change in which the others are faster.
const LONGEST_CHANGE: Duration = Duration::from_secs(2);

impl RedisLimiter {
    /// A limiter whose state is on the server at `url` (`redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` with the
    /// cargo feature `tls`), under a keyed hash of the API key. It connects with the first call, not here.
    ///
    /// # Errors
    /// [`LimiterError`] if the address cannot be used.
    pub fn open(url: &str, api_key: &str, rules: SlotRules) -> Result<Self, LimiterError> {
        Ok(RedisLimiter {
            server: Server::new(url)?,
            key: key_for(api_key),
            rules: rules.strict(true),
            while_away: None,
            clock: SystemClock::new(),
            names: RandomState::new(),
            writes: AtomicU64::new(0),
            state: Mutex::default(),
            line: Line::new(),
        })
    }

    /// Keeps this quota alone while the server is away, in place of sending nothing.
    ///
    /// Leaving the server costs a window without calls, and so does coming back: no window has calls of both kinds from this
    /// process. Machines that still reach the server use all of the shared quota meanwhile, so choose the two so that they add
    /// up: if the server is away for all, the sum of their own quotas counts.
    ///
    /// # Errors
    /// [`LimiterError`] for a quota that [`SlotRules::new`] refuses.
    pub fn while_away(mut self, quota: Quota) -> Result<Self, LimiterError> {
        let rules = self.rules.with_quota(quota);
        self.while_away = Some(rules.map_err(|wrong| error(wrong.to_string()))?);
        Ok(self)
    }

    /// One thread goes for all who have come by then.
    fn update(&self, change: Change) -> Result<Option<Acquired>, Failed> {
        self.state().known_away(self.clock.now())?;
        self.line.join(change, |changes| self.update_for(changes)).unwrap_or(Err(Failed::Busy))
    }

    /// An outcome for each. Settlements that the server has not heard go along.
    fn update_for(&self, changes: &[Change]) -> Vec<Result<Option<Acquired>, Failed>> {
        let all = |failed: Failed| changes.iter().map(|_| Err(failed.clone())).collect();
        let owed = match self.begin() {
            Ok(owed) => owed,
            Err(known_away) => return all(known_away),
        };
        let done = self.compare_and_set(&owed, changes);
        let now = self.clock.now();
        let mut state = self.state();
        match done {
            Ok(outcomes) => {
                state.away = None;
                state.owed.drain(..owed.len());
                outcomes.into_iter().map(|outcome| Ok(outcome.map(|it| self.count(&mut state, it)))).collect()
            }
            Err(failed) => {
                if let Failed::Away(why) = &failed {
                    self.leave_server(&mut state, why, now);
                }
                all(failed)
            }
        }
    }

    /// A call that goes out is known here before anybody can leave the server.
    fn count(&self, state: &mut State, acquired: Acquired) -> Acquired {
        let Acquired::Granted(permit) = acquired else { return acquired };
        if state.own.is_some() {
            // Asked for before it was left, and answered after: nobody would count it on this side.
            state.owed.push((permit, Settlement::NotSent));
            return Acquired::RetryAfter(SOON);
        }
        let surplus = (state.in_flight.len() + 1).saturating_sub(self.rules.quota().calls() as usize);
        state.in_flight.drain(..surplus);
        state.in_flight.push(permit.0);
        Acquired::Granted(permit)
    }

    /// A server that is away is asked once in a while; until then the answer is known. Otherwise, what it has not heard.
    fn begin(&self) -> Result<Vec<(Permit, Settlement)>, Failed> {
        let now = self.clock.now();
        let mut state = self.state();
        state.known_away(now)?;
        if let Some(away) = &mut state.away {
            away.ask_again = now + AWAY;
        }
        Ok(state.owed.iter().map(|(permit, how)| (Permit(permit.0), *how)).collect())
    }

    /// Reads the table, changes it and writes it back, as often as another handle was faster.
    fn compare_and_set(
        &self,
        owed: &[(Permit, Settlement)],
        changes: &[Change],
    ) -> Result<Vec<Option<Acquired>>, Failed> {
        let started = self.clock.now();
        let mut tried: Option<(Write, Vec<Option<Acquired>>, u64)> = None;
        while self.clock.now().saturating_sub(started) < LONGEST_CHANGE {
            let found = self.ask(tried.as_ref().map(|(write, ..)| write))?;
            if let Some((write, outcomes, doubts)) = tried.take()
                && (found.written || found.stored == write.wanted)
            {
                let mut state = self.state();
                state.resolved = state.resolved.max(doubts);
                return Ok(outcomes);
            }
            // No pause: a round trip is one already, and what was just found only grows old.
            let (mut table, doubts) = self.table(&found)?;
            for (permit, how) in owed {
                table.settle(&self.rules, Permit(permit.0), *how, found.time);
            }
            let outcomes = changes.iter().map(|change| self.apply(change, &mut table, found.time)).collect();
            let wanted =
                Stored { server: &found.server, at: found.time, table }.to_bytes(&self.rules, self.unique());
            tried = Some((Write { expected: found.stored, wanted }, outcomes, doubts));
        }
        Err(Failed::Busy)
    }

    fn apply(&self, change: &Change, table: &mut SlotTable, now: Duration) -> Option<Acquired> {
        match change {
            Change::Acquire { me, class } => Some(table.try_acquire(&self.rules, *me, *class, now)),
            Change::Leave { me } => {
                table.leave(*me);
                None
            }
            Change::OnlySettle => None,
        }
    }

    /// One round trip.
    fn ask(&self, write: Option<&Write>) -> Result<Found, Failed> {
        let found = self.server.ask(&self.key, write).map_err(|error| Failed::Away(error.message))?;
        let mut state = self.state();
        let known = state.clock.take().filter(|(server, _)| *server == found.server);
        let offset = match known {
            None => found.offset,
            Some((_, offset)) => offset.narrowed(found.offset).unwrap_or_else(|| {
                state.doubts += 1;
                found.offset
            }),
        };
        state.clock = Some((found.server.clone(), offset));
        Ok(found)
    }

    /// The table that was found, all of it held if it may lack calls; and the doubts that this resolves.
    fn table(&self, found: &Found) -> Result<(SlotTable, u64), Failed> {
        let (doubts, resolved) = {
            let state = self.state();
            (state.doubts, state.resolved)
        };
        let (mut table, is_complete) = match Stored::from_bytes(&found.stored, &self.rules, found.time) {
            Ok(stored) => {
                let is_complete =
                    stored.server == found.server && stored.at <= found.time && doubts == resolved;
                (stored.table, is_complete)
            }
            Err(NotStored::Nothing | NotStored::OtherQuota { is_idle: true, .. }) => {
                (SlotTable::new(), false)
            }
            Err(NotStored::OtherQuota { kept, .. }) => return Err(self.other_quota(kept)),
            Err(NotStored::Damaged) => return Err(self.damaged()),
        };
        if !is_complete {
            table.hold_all(&self.rules, found.time);
        }
        Ok((table, doubts))
    }

    fn other_quota(&self, kept: Quota) -> Failed {
        let (ours, address) = (self.rules.quota(), &self.server.address);
        Failed::Unusable(format!(
            "the Redis at {address} keeps a quota of {} calls in {:?} for this key, and {} in {:?} is asked for: set the same \
             everywhere, or come again when no call with the other one is left",
            kept.calls(),
            kept.window(),
            ours.calls(),
            ours.window()
        ))
    }

    fn damaged(&self) -> Failed {
        Failed::Unusable(format!(
            "what the Redis at {} holds under {} is damaged or from another version: use one version everywhere, or delete it",
            self.server.address, self.key
        ))
    }

    fn leave_server(&self, state: &mut State, why: &str, now: Duration) {
        state.away = Some(Away { ask_again: now + AWAY, why: why.to_owned() });
        if let (Some(rules), None) = (self.while_away, &state.own) {
            state.own = Some(Own::new(rules, &state.in_flight, now));
        }
    }

    /// An answer from the quota of one's own, if that is the one to keep now.
    fn ask_own(&self, me: u64, class: CallClass) -> Result<Option<Acquired>, LimiterError> {
        let Some(is_ending) = self.state().own.as_ref().map(|own| own.is_ending) else { return Ok(None) };
        if !is_ending {
            match self.update(Change::OnlySettle) {
                Ok(_) => self.come_back(),
                Err(Failed::Unusable(why)) => return Err(error(why)),
                Err(Failed::Away(_) | Failed::Busy) => {}
            }
        }
        let now = self.clock.now();
        let mut state = self.state();
        let Some(own) = &mut state.own else { return Ok(None) };
        if !own.is_ending {
            return Ok(Some(own.try_acquire(me, class, now)));
        }
        let left = own.snapshot(now);
        if left.used == 0 {
            state.own = None;
            return Ok(None);
        }
        // How soon the last of them ends is not told; asking costs no round trip.
        let soon = SOON.max(self.rules.quota().window() / 20);
        Ok(Some(Acquired::RetryAfter(left.next_free_in.max(soon))))
    }

    /// The server answers again: it hears of the calls made without it, and no more are.
    fn come_back(&self) {
        let now = self.clock.now();
        {
            let mut state = self.state();
            let Some(own) = state.own.as_mut().filter(|own| !own.is_ending) else { return };
            own.is_ending = true;
            let used = own.snapshot(now).used;
            state.owed.extend((0..used).map(|_| (own::permit(0), Settlement::Answered)));
        }
        // If it is not heard, it stays owed.
        let _ = self.update(Change::OnlySettle);
    }

    /// Who waits is known by its thread, among all processes and machines.
    fn me(&self) -> u64 {
        self.names.hash_one((std::process::id(), std::thread::current().id()))
    }

    /// Tells each write from any other, so that nobody takes another's for its own.
    fn unique(&self) -> u64 {
        self.names.hash_one((std::process::id(), self.writes.fetch_add(1, Ordering::Relaxed)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limiter for RedisLimiter {
    fn try_acquire(&self, class: CallClass, _: &dyn Clock) -> Result<Acquired, LimiterError> {
        let me = self.me();
        if let Some(answer) = self.ask_own(me, class)? {
            return Ok(answer);
        }
        match self.update(Change::Acquire { me, class }) {
            Ok(Some(acquired)) => Ok(acquired),
            Ok(None) | Err(Failed::Busy) => Ok(Acquired::RetryAfter(SOON)),
            Err(Failed::Unusable(why)) => Err(error(why)),
            Err(Failed::Away(why)) => self.ask_own(me, class)?.ok_or_else(|| error(why)),
        }
    }

    fn leave(&self) {
        let me = self.me();
        if let Some(own) = &mut self.state().own {
            return own.leave(me);
        }
        // If it is not heard, the place is lost a second after its time.
        let _ = self.update(Change::Leave { me });
    }

    fn settle(&self, permit: Permit, how: Settlement, _: &dyn Clock) -> Result<(), LimiterError> {
        let now = self.clock.now();
        {
            let mut state = self.state();
            state.in_flight.retain(|call| *call != permit.0);
            if let Some(own) = &mut state.own {
                own.settle(&permit, how, now);
                if own::is_own(&permit) && !matches!(how, Settlement::Refused { .. }) {
                    return Ok(());
                }
            }
            state.owed.push((permit, how));
        }
        match self.update(Change::OnlySettle) {
            Err(Failed::Away(why)) if self.while_away.is_none() => Err(error(why)),
            Err(Failed::Unusable(why)) => Err(error(why)),
            Ok(_) | Err(Failed::Away(_) | Failed::Busy) => Ok(()),
        }
    }

    fn longest_call(&self) -> Option<Duration> {
        Some(self.rules.lease())
    }

    fn snapshot(&self, _: &dyn Clock) -> Result<Option<Snapshot>, LimiterError> {
        let now = self.clock.now();
        if let Some(own) = &self.state().own {
            return Ok(Some(own.snapshot(now)));
        }
        let known_away = self.state().known_away(now);
        let seen = known_away.and_then(|()| self.ask(None)).and_then(|found| {
            let (table, _) = self.table(&found)?;
            Ok(table.snapshot(&self.rules, found.time))
        });
        match seen {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(Failed::Away(why) | Failed::Unusable(why)) => Err(error(why)),
            Err(Failed::Busy) => Ok(None),
        }
    }
}

impl fmt::Debug for RedisLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimiter")
            .field("server", &self.server.address)
            .field("rules", &self.rules)
            .field("while_away", &self.while_away)
            .finish_non_exhaustive()
    }
}

fn error(message: String) -> LimiterError {
    LimiterError { message, source: None }
}

fn key_for(api_key: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"activity-status quota");
    let tag = ring::hmac::sign(&key, api_key.as_bytes());
    tag.as_ref().iter().take(16).fold("activity-status:quota:".to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}
