//! Every event that one service tells the others: one file per emitting service.
//!
//! This crate is the whole contract between services: a service knows another by these structs and by nothing else.
//! Not here: how events are stored, sent or handled.
//!
//! **Invariant:** a version never changes its meaning. Fields may be added as `Option` or with a default;
//! anything else is a new struct with a new version in its type.
//! `golden/` holds one example of every version, and a test decodes them all.

#[macro_use]
mod macros;

pub mod catalog;
pub mod inventory;
pub mod orders;
pub mod payments;
pub mod users;

pub use catalog::{ProductCreated, ProductDeleted, ProductUpdated};
pub use inventory::{InventoryUpdated, Shortage, StockLow, StockRejected, StockReserved};
pub use kernel::{Event, Lane};
pub use orders::{Address, OrderCancelled, OrderLine, OrderPaid, OrderPlaced, OrderUpdated, PaymentRequested};
pub use payments::{PaymentCaptured, PaymentFailed, PaymentRefunded};
pub use users::{SigningKeyPublished, UserProfileUpdated, UserRegistered};

/// What the catalogue, the runner and the console know about an event's type.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// The struct's name.
    pub name: &'static str,
    /// The name on the wire.
    pub event_type: &'static str,
    /// The service that emits it.
    pub source: &'static str,
    /// How urgent it is.
    pub lane: Lane,
    /// The field by which it is kept in order.
    pub key: &'static str,
    /// The payload's fields.
    pub fields: &'static [&'static str],
    /// The struct's documentation.
    pub doc: &'static str,
}

/// Every event there is, service by service.
pub fn all() -> impl Iterator<Item = &'static Descriptor> {
    [users::EVENTS, catalog::EVENTS, inventory::EVENTS, orders::EVENTS, payments::EVENTS].into_iter().flatten()
}

/// The event of this type, if there is one.
pub fn find(event_type: &str) -> Option<&'static Descriptor> {
    all().find(|event| event.event_type == event_type)
}
