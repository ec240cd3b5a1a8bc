//! Sample: the orders that were paid.
//!
//! Start with `domain`, then `on_order_paid`.
//!
//! **Invariant:** an order has at most one row, however often its event is delivered.

mod domain;
mod on_order_paid;
mod queries;
mod store;

use events::OrderPaid;
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::storage::{self, Migrations};

const MIGRATIONS: Migrations = Migrations { set: "sample", steps: &[storage::migration!("0001_init")] };

/// The service's wiring.
pub fn service() -> Service {
    Service::new("sample", MIGRATIONS, store::STATEMENTS, ())
        .routes(Policy::Admin, routes!(queries::list))
        .on::<OrderPaid>(on_order_paid::handle)
}
