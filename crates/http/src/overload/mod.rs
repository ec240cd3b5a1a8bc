//! Bounds on load: refuses what can't be carried, holds back what can wait, and limits what one client may send.
//!
//! `in_flight.rs` bounds the requests that are answered at once, `rate.rs` those of one client over time,
//! `unsent.rs` those answers that their clients do not read, `shares.rs` says how clients share all of that;
//! `backlog.rs` refuses new work while old work is late, and `yielding.rs` holds back under load what can wait.

mod backlog;
mod in_flight;
mod rate;
mod shares;
mod unsent;
mod yielding;

use std::time::Duration;

pub use backlog::Backlog;
pub(crate) use in_flight::ALWAYS;
pub use in_flight::{InFlight, OPERATOR_PATH};
pub use rate::{Limiter, Limits, Rate};
pub use shares::Client;
pub(crate) use shares::{Share, Shares};
pub(crate) use unsent::{Charge, Unsent};
pub use yielding::{ManyEvents, Yielding, YieldsTo};

/// All that a process bounds for its services together. Clones share it.
#[derive(Clone, Debug)]
pub struct Overload {
    /// Requests that are being answered.
    pub in_flight: InFlight,
    /// The load to which work that can wait yields.
    pub yielding: Yielding,
    /// Answers that their clients have not taken.
    pub(crate) unsent: Unsent,
    /// Services that are late with their work.
    pub backlog: Backlog,
}

impl Overload {
    /// Room for as many requests as this kind of machine can carry. Some routes may take longer than others.
    pub fn new(slow: &'static [(&'static str, Duration)]) -> Self {
        let yielding = Yielding::default();
        Self {
            in_flight: InFlight::new(slow, yielding.clone()),
            yielding,
            unsent: Unsent::default(),
            backlog: Backlog::default(),
        }
    }

    /// The same with room for so many requests, and so much time for each.
    #[must_use]
    pub fn with_room(self, requests: usize, answer: Duration) -> Self {
        Self { in_flight: self.in_flight.with_room(requests, answer), ..self }
    }
}
