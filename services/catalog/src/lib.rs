//! Catalogue: what is for sale, at which price.
//!
//! Not here: how much of it there is. The inventory keeps the stock; this service only shows whether there is any.
//!
//! Start with `domain`, then `create_product`; for reviews with `domain/review`, then `create_review`.
//!
//! **Invariants**
//! - No two products that are for sale share a sku.
//! - Sales never change a product: the in-stock flag has a row and a version of its own, and emits nothing.
//! - The rating of a product is what its reviews that count say: each commit that changes one changes both. It has a
//!   row and a version of its own too, so reviews never change a product.

mod create_product;
mod create_review;
mod currency;
mod delete_product;
mod delete_review;
mod domain;
mod fields;
mod forget_reviewer;
mod hide_review;
mod on_external_product_changed;
mod on_inventory_updated;
mod on_shipment_delivered;
mod on_user_deleted;
mod product_tag;
mod queries;
mod refuse_other_currency;
mod renew_search_text;
mod review_path;
mod reviews;
pub mod settings;
mod store;
mod update_product;
mod update_review;

use events::{ExternalProductChanged, InventoryUpdated, ShipmentDelivered, UserDeleted};
use kernel::Currency;
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Migrations};

const MIGRATIONS: Migrations = Migrations {
    set: "catalog",
    steps: &[
        storage::migration!("0001_init"),
        storage::migration!("0002_search_form"),
        storage::migration!("0003_reviews"),
    ],
};

/// State that only this service's handlers see.
#[derive(Clone)]
pub struct Catalog {
    currency: Currency,
}

type Ctx = service::Ctx<Catalog>;

/// The catalogue service.
pub fn service(values: &Values) -> Service<Catalog> {
    Service::new("catalog", MIGRATIONS, store::STATEMENTS, Catalog { currency: settings::CURRENCY.of(values) })
        .settings(settings::ALL)
        .at_start(refuse_other_currency::run)
        .at_start(renew_search_text::run)
        .routes(Policy::Public, routes!(queries::list))
        .routes(Policy::Admin, routes!(create_product::handler))
        .routes(Policy::Public, routes!(queries::get))
        .routes(Policy::Public, routes!(currency::handler))
        .routes(Policy::Admin, routes!(update_product::handler, delete_product::handler))
        .routes(Policy::Guest, routes!(reviews::list))
        .routes(Policy::Customer, routes!(create_review::handler))
        .routes(Policy::Guest, routes!(reviews::get))
        .routes(Policy::Customer, routes!(update_review::handler, delete_review::handler))
        .routes(Policy::Admin, routes!(hide_review::handler))
        .on_many::<InventoryUpdated>(on_inventory_updated::handle_many)
        .on_many::<ShipmentDelivered>(on_shipment_delivered::handle_many)
        .on::<UserDeleted>(on_user_deleted::handle)
        .on::<ExternalProductChanged>(on_external_product_changed::handle)
        .timer(store::FORGET_REVIEWER, forget_reviewer::handle)
}
