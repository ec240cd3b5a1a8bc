//! The inventory: what is on hand, what is held for whom.
//!
//! Start with `domain.rs`: [`domain::Shelf`] is where every unit is decided. `on_order_placed.rs` is the hot path.

mod adjust_stock;
mod book_units;
mod domain;
mod mirror_stock;
mod on_external_order_placed;
mod on_external_product_changed;
mod on_external_stock_changed;
mod on_order_cancelled;
mod on_order_paid;
mod on_order_placed;
mod on_payment_refunded;
mod on_product_created;
mod on_product_deleted;
mod on_product_updated;
mod on_purchase_order_received;
mod queries;
mod serve_waiting;
mod store;

use events::{
    ExternalOrderPlaced, ExternalProductChanged, ExternalStockChanged, OrderCancelled, OrderPaid, OrderPlaced,
    PaymentRefunded, ProductCreated, ProductDeleted, ProductUpdated, PurchaseOrderReceived,
};
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::storage::{self, Migrations};

const MIGRATIONS: Migrations = Migrations {
    set: "inventory",
    steps: &[
        storage::migration!("0001_init"),
        storage::migration!("0002_shortages"),
        storage::migration!("0003_returns"),
        storage::migration!("0004_waiting"),
        storage::migration!("0005_receipts"),
    ],
};

/// The inventory's wiring.
pub fn service() -> Service {
    Service::new("inventory", MIGRATIONS, store::STATEMENTS, ())
        .sums(|ctx| store::sums(ctx.db.clone()))
        .routes(Policy::Admin, routes!(queries::list))
        .routes(Policy::Admin, routes!(queries::get))
        .routes(Policy::Admin, routes!(queries::adjustments, adjust_stock::handler))
        .on::<ProductCreated>(on_product_created::handle)
        .on::<ProductUpdated>(on_product_updated::handle)
        .on::<ProductDeleted>(on_product_deleted::handle)
        .on_many::<OrderPlaced>(on_order_placed::handle_many)
        .on_many::<OrderPaid>(on_order_paid::handle_many)
        .on_many::<OrderCancelled>(on_order_cancelled::handle_many)
        .on::<PaymentRefunded>(on_payment_refunded::handle)
        .on::<PurchaseOrderReceived>(on_purchase_order_received::handle)
        .on_many::<ExternalOrderPlaced>(on_external_order_placed::handle_many)
        .on::<ExternalProductChanged>(on_external_product_changed::handle)
        .on::<ExternalStockChanged>(on_external_stock_changed::handle)
        .timer(store::SERVE_WAITING, serve_waiting::handle)
}
