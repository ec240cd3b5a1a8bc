//! Every event that one service publishes to the others: one file per emitting service.
//!
//! This crate is the whole contract between services: a service knows another by these structs and by nothing else.
//! Not here: how events are stored, sent or handled.
//!
//! **Invariant:** a version never changes its meaning. Fields may be added as `Option` or with a default;
//! anything else is a new struct with a new version in its type.
//! `golden/` holds one example of every version, and a test decodes them all.

#[macro_use]
mod macros;
pub mod redact;

pub use admin::{AlertId, AlertKind, DigestId, DigestKind};
pub use catalog::{ProductId, ProductKind, ReviewId, ReviewKind};
pub use kernel::{Event, Lane};
pub use orders::{OrderId, OrderKind};
pub use payments::{PaymentId, PaymentKind, RefundId, RefundKind};
pub use shipping::{ShipmentId, ShipmentKind};
pub use suppliers::{PurchaseOrderId, PurchaseOrderKind, ReceiptId, ReceiptKind, SupplierId, SupplierKind};
pub use webhooks::{EndpointId, EndpointKind};

// One line for each service that emits events: its file, and its structs re-exported here.
emitting! { users, catalog, inventory, orders, payments, shipping, suppliers, admin, webhooks, bridge }

/// The description of an event's type, for the catalogue, the runner and the console.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// The struct's name.
    pub name: &'static str,
    /// The name on the wire.
    pub event_type: &'static str,
    /// The service that emits it.
    pub source: &'static str,
    /// Its urgency.
    pub lane: Lane,
    /// The field by which it is kept in order.
    pub key: &'static str,
    /// The payload's fields.
    pub fields: &'static [&'static str],
    /// The struct's documentation.
    pub doc: &'static str,
    /// Reads a payload and writes it again: bytes of this version come back as they were.
    pub round_trip: fn(&[u8]) -> Result<Vec<u8>, serde_json::Error>,
}

/// The event of this name, which is that of its struct or that on the wire: `OrderPlaced` or `orders.order_placed.v1`.
///
/// # Errors
///
/// For an unknown name, a text that begins with `: did you mean` and names the closest one; empty if none is close.
pub fn named(name: &str) -> Result<&'static Descriptor, String> {
    let found = all().find(|event| event.name == name || event.event_type == name);
    found.ok_or_else(|| kernel::suggestion(name, all().flat_map(|event| [event.name, event.event_type])))
}

/// The event of this type, if there is one.
pub fn find(event_type: &str) -> Option<&'static Descriptor> {
    all().find(|event| event.event_type == event_type)
}
