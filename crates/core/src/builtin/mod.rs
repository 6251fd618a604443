//! What you get if you replace nothing: a transport on ureq, a limiter in memory, the machine's clock, two
//! schedules; and a virtual clock for tests.

mod frontier;
mod pace;
mod quota;
mod round_robin;
mod slot_table;
mod slots;
mod stand_ins;
mod system_clock;
mod ureq_transport;
mod virtual_clock;

pub use frontier::Frontier;
pub(crate) use quota::LONGEST_CALL;
pub use quota::{Quota, SlotRules};
pub use round_robin::RoundRobin;
pub use slot_table::{NotATable, SlotTable};
pub use slots::Slots;
pub use system_clock::SystemClock;
pub use ureq_transport::{Timeouts, UreqTransport};
pub use virtual_clock::VirtualClock;
