//! A shop of one's own: all services of Tradepost, and `bestsellers`, which counts what was sold.
//!
//! [`shop`] is the whole difference to the program `tradepost`. The service has the shape of those in `services/`.

mod bestsellers;
mod domain;
mod on_order_paid;
mod store;

use events::OrderPaid;
use server::shop::Shop;
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::storage::{self, Migrations};

const MIGRATIONS: Migrations = Migrations { set: "bestsellers", steps: &[storage::migration!("0001_init")] };

/// Tradepost and one more service, which listens on this port where it runs in a process of its own.
pub fn shop() -> Shop {
    Shop::tradepost().service(7201, |_| service())
}

/// The service's wiring.
pub fn service() -> Service {
    Service::new("bestsellers", MIGRATIONS, store::STATEMENTS, ())
        .projection()
        .routes(Policy::Public, routes!(bestsellers::list))
        .on::<OrderPaid>(on_order_paid::handle)
}
