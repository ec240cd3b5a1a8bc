//! Suppliers: who delivers what, what is ordered when stock is low, and what came.
//!
//! Start with `domain.rs`: [`domain::replenish`] decides about a shortage, and [`domain::PurchaseOrder`] is a purchase
//! order's life. `on_stock_low.rs` places orders by itself, `receive_purchase_order.rs` ends them.

mod cancel_purchase_order;
mod change_purchase_order;
mod create_supplier;
mod delete_supplier;
mod deliver;
mod domain;
mod fields;
mod on_product_created;
mod on_product_deleted;
mod on_product_updated;
mod on_stock_low;
mod place_purchase_order;
mod purchase_orders;
mod queries;
mod receive_purchase_order;
mod report_overdue;
pub mod settings;
mod store;
mod update_supplier;

use events::{ProductCreated, ProductDeleted, ProductUpdated, StockLow};
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Migrations};

use settings::Settings;

const MIGRATIONS: Migrations = Migrations { set: "suppliers", steps: &[storage::migration!("0001_init")] };

/// State that only this service's handlers see.
#[derive(Clone)]
pub struct Suppliers {
    settings: Settings,
}

type Ctx = service::Ctx<Suppliers>;

/// The suppliers' wiring.
pub fn service(values: &Values) -> Service<Suppliers> {
    let state = Suppliers { settings: Settings::of(values) };
    Service::new("suppliers", MIGRATIONS, store::STATEMENTS, state)
        .settings(settings::ALL)
        .routes(Policy::Admin, routes!(queries::list, create_supplier::handler))
        .routes(Policy::Admin, routes!(queries::get, update_supplier::handler, delete_supplier::handler))
        .routes(Policy::Admin, routes!(purchase_orders::list, place_purchase_order::handler))
        .routes(Policy::Admin, routes!(purchase_orders::get, change_purchase_order::handler))
        .routes(Policy::Admin, routes!(receive_purchase_order::handler))
        .routes(Policy::Admin, routes!(cancel_purchase_order::handler))
        .on::<ProductCreated>(on_product_created::handle)
        .on::<ProductUpdated>(on_product_updated::handle)
        .on::<ProductDeleted>(on_product_deleted::handle)
        .on::<StockLow>(on_stock_low::handle)
        .timer(store::REPORT_OVERDUE, report_overdue::handle)
        .timer(store::DELIVER, deliver::handle)
}
