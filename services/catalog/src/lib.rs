//! Catalogue: what is for sale, at which price.
//!
//! Not here: how much of it there is. The inventory keeps the stock; this service only shows whether there is any.
//!
//! Start with `domain`, then `create_product`.
//!
//! **Invariants**
//! - No two products that are for sale share a sku.
//! - Sales never change a product: the in-stock flag has a row and a version of its own, and emits nothing.

mod create_product;
mod currency;
mod delete_product;
mod domain;
mod fields;
mod on_inventory_updated;
mod queries;
mod refuse_other_currency;
mod renew_search_text;
pub mod settings;
mod store;
mod update_product;

use events::InventoryUpdated;
use kernel::Currency;
use service::Service;
use service::http::Policy;
use service::setting::Values;
use service::storage::{self, Migrations};
use utoipa_axum::routes;

const MIGRATIONS: Migrations =
    Migrations { set: "catalog", steps: &[storage::migration!("0001_init"), storage::migration!("0002_search_form")] };

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
        .on_many::<InventoryUpdated>(on_inventory_updated::handle_many)
}
