//! Shipping: what is to be sent, what has left, what arrived, and what a cancellation could still stop.
//!
//! Start with `domain.rs`: [`domain::Shipment`] is a shipment's life, [`domain::cancel`] is where a dispatch and a
//! cancellation meet, and [`domain::withhold`] where a dispatch and a refund do. `on_order_paid.rs` is the hot path.

mod deliver_shipment;
mod dispatch_shipment;
mod domain;
mod on_cancellation_requested;
mod on_order_anonymized;
mod on_order_paid;
mod on_payment_refunded;
mod queries;
mod store;

use events::{CancellationRequested, OrderAnonymized, OrderPaid, PaymentRefunded};
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::storage::{self, Migrations};

const MIGRATIONS: Migrations =
    Migrations { set: "shipping", steps: &[storage::migration!("0001_init"), storage::migration!("0002_refunds")] };

/// The shipping service's wiring.
pub fn service() -> Service {
    Service::new("shipping", MIGRATIONS, store::STATEMENTS, ())
        .routes(Policy::Admin, routes!(queries::list))
        .routes(Policy::Admin, routes!(queries::get))
        .routes(Policy::Admin, routes!(dispatch_shipment::handler))
        .routes(Policy::Admin, routes!(deliver_shipment::handler))
        .on_many::<OrderPaid>(on_order_paid::handle_many)
        .on::<CancellationRequested>(on_cancellation_requested::handle)
        .on::<PaymentRefunded>(on_payment_refunded::handle)
        .on::<OrderAnonymized>(on_order_anonymized::handle)
}
