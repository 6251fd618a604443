//! The world of a simulation: a clock, the vendor in it, and clients of that.

use std::sync::Arc;
use std::time::Duration;

use activity_status::builtin::VirtualClock;
use activity_status::{Client, ClientBuilder, Credentials, Endpoint};
use activity_status_sandbox::{SandboxTransport, Settings, Window};

/// Milliseconds.
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A vendor that is 100 to 1,000 ms away.
pub fn jittery(window: Window, refusals_count: bool, seed: u64) -> Settings {
    let quota = activity_status_sandbox::Quota { kind: window, refusals_count, ..Default::default() };
    Settings {
        quota,
        seed,
        latency_in: (ms(50), ms(500)),
        latency_out: (ms(50), ms(500)),
        ..Settings::default()
    }
}

/// The world of one simulation: its clock, the vendor in it, and a client of that.
pub struct World {
    /// Its time.
    pub clock: Arc<VirtualClock>,
    /// The vendor.
    pub vendor: SandboxTransport,
}

impl World {
    /// The world with this vendor in it.
    pub fn new(settings: Settings) -> Self {
        let clock = Arc::new(VirtualClock::new());
        World { vendor: SandboxTransport::new(settings, clock.clone()), clock }
    }

    /// A client with the sandbox's keys.
    pub fn client(&self) -> ClientBuilder {
        let keys = Credentials::new("sandbox-api-key").unwrap();
        let keys = keys.with_submit_keys("sandbox-access-key", "sandbox-secret-key").unwrap();
        Client::builder(Endpoint::INDIA, keys).transport(self.vendor.clone()).clock(self.clock.clone())
    }
}

/// The body of an activity.
pub fn activity(n: usize, note: &str) -> String {
    format!(r#"{{"RelatedProspectId":"lead-{n}","ActivityEvent":201,"ActivityNote":"{note}"}}"#)
}
