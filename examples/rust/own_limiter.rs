//! Asks how jobs stand, at the pace of a limiter that is written here: `own_limiter ID...`
//!
//! It keeps the table of slots as bytes in a place of its own, as one in a database would. Before it is used, it goes
//! through the checks that the library's own limiters pass.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use activity_status::builtin::{Quota, SlotRules, SlotTable, VirtualClock};
use activity_status::conformance::{LimiterSubject, Time, check_limiter};
use activity_status::plugin::{Acquired, CallClass, Clock, Limiter, LimiterError, Permit, Settlement};
use activity_status::{Client, Error, Operation, RequestId};
use activity_status_examples::{exit_code, settings_from_environment};

/// A row of a database, say: whoever holds the lock may change it.
type Row = Arc<Mutex<Vec<u8>>>;

struct RowLimiter {
    row: Row,
    rules: SlotRules,
    threads: RandomState,
}

impl RowLimiter {
    fn new(row: Row, rules: SlotRules) -> Self {
        RowLimiter { row, rules, threads: RandomState::new() }
    }

    /// Reads the table, changes it, and writes it back.
    fn update<T>(&self, change: impl FnOnce(&mut SlotTable) -> T) -> Result<T, LimiterError> {
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = match row.is_empty() {
            true => SlotTable::new(),
            false => SlotTable::from_bytes(&row, &self.rules).map_err(|what| LimiterError {
                message: format!("the row holds no table of this quota: {what:?}"),
                source: None,
            })?,
        };
        let answer = change(&mut table);
        *row = table.to_bytes(&self.rules);
        Ok(answer)
    }

    /// Who waits is known by its thread.
    fn me(&self) -> u64 {
        self.threads.hash_one(std::thread::current().id())
    }
}

impl Limiter for RowLimiter {
    fn try_acquire(&self, class: CallClass, clock: &dyn Clock) -> Result<Acquired, LimiterError> {
        let now = clock.now();
        self.update(|table| table.try_acquire(&self.rules, self.me(), class, now))
    }

    fn leave(&self) {
        // Who cannot be taken off the list loses its place by not coming.
        let _ = self.update(|table| table.leave(self.me()));
    }

    fn settle(&self, permit: Permit, how: Settlement, clock: &dyn Clock) -> Result<(), LimiterError> {
        let now = clock.now();
        self.update(|table| table.settle(&self.rules, permit, how, now))
    }
}

fn main() -> ExitCode {
    let ids: Vec<String> = std::env::args().skip(1).collect();
    if let Err(failed) = check() {
        eprintln!("the limiter is not fit for use: {failed}");
        return ExitCode::FAILURE;
    }
    match ask(&ids) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn check() -> Result<(), activity_status::conformance::Failed> {
    let rows: Mutex<HashMap<u32, Row>> = Mutex::default();
    let open = |number, quota| {
        let row = rows.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default().clone();
        let rules = SlotRules::new(quota).expect("the checks use quotas that make sense");
        Box::new(RowLimiter::new(row, rules)) as Box<dyn Limiter>
    };
    check_limiter(&LimiterSubject {
        open: &open,
        time: Time::Virtual(Arc::new(VirtualClock::new())),
        window: Duration::from_secs(5),
        longest_call: Duration::from_secs(60),
    })
}

fn ask(ids: &[String]) -> Result<(), Error> {
    let settings = settings_from_environment()?;
    let limiter = RowLimiter::new(Row::default(), SlotRules::new(Quota::default())?);
    let client: Client = settings.builder()?.limiter(limiter).build()?;
    for id in ids {
        let status = client.status(&Operation::ACTIVITY_CREATE, &RequestId::new(id)?)?;
        println!("{id}: {} ({}) {}", status.outcome(), status.state(), status.reason());
    }
    Ok(())
}
