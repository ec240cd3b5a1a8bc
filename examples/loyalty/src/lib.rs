//! Points for what customers paid, in a program of its own that joins a running shop.
//!
//! [`shop`] is the whole program: Tradepost's services, which other programs run, and [`service`], which this one runs.
//!
//! Start with `domain`, then `on_order_paid`.
//!
//! **Invariant:** a customer's points follow from the payments of their orders and the refunds of these, in whatever order
//! the events arrive, and are never below zero.

mod domain;
mod on_order_paid;
mod on_payment_refunded;
mod queries;
mod store;

use events::{OrderPaid, PaymentRefunded};
use server::shop::Shop;
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::storage::{self, Migrations};

const MIGRATIONS: Migrations = Migrations { set: "loyalty", steps: &[storage::migration!("0001_init")] };

/// The shop that it joins, and the service that it runs, which listens on this port.
pub fn shop() -> Shop {
    Shop::tradepost().joined().service(7301, |_| service())
}

/// The service's wiring.
pub fn service() -> Service {
    Service::new("loyalty", MIGRATIONS, store::STATEMENTS, ())
        .projection()
        .routes(Policy::Admin, routes!(queries::list))
        .routes(Policy::Customer, routes!(queries::get))
        .on::<OrderPaid>(on_order_paid::handle)
        .on::<PaymentRefunded>(on_payment_refunded::handle)
}
