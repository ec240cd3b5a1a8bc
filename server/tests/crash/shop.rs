//! The products that the tests sell.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Mutex;

use crate::archive::{Archive, SUBSCRIPTIONS};
use crate::client::Client;
use crate::receiver::{Endpoint, Receiver};
use crate::supplies::Supplies;

/// Products that never run out.
const PLENTIFUL: usize = 8;

/// Products that more is asked of than there is, so that orders are rejected.
const SCARCE: usize = 2;

/// Far more than all orders of the longest run could ask for.
const PLENTY: i64 = 100_000_000;

/// Units of a scarce product that each round has anew: about a third of what its orders ask for.
const SCARCE_UNITS: i64 = 60;

/// Products that suppliers deliver: one whenever it is low, one if it is ordered by hand.
const SUPPLIED: usize = 2;

/// Units of a supplied product at the beginning, and those of which it is low.
const SUPPLIED_UNITS: (i64, i64) = (8, 5);

/// Units of a purchase order.
const ORDERED_UNITS: i64 = 10;

/// The address of all suppliers.
pub const SUPPLIER: &str = "orders@nordic.example";

/// A product, and all units that were ever put on its shelf, but for those that suppliers delivered.
#[derive(Clone)]
pub struct Shelf {
    pub product_id: String,
    pub price: i64,
    pub stocked: i64,
}

/// A product that a supplier delivers.
#[derive(Clone)]
pub struct Supplied {
    pub shelf: usize,
    pub supplier_id: String,
    /// It is ordered when it is low.
    pub is_replenished: bool,
}

#[derive(Clone)]
pub struct Shop {
    /// Plentiful products, scarce ones, and those that suppliers deliver.
    pub shelves: Vec<Shelf>,
    pub supplied: Vec<Supplied>,
    pub supplies: Arc<Supplies>,
    pub webhooks: Arc<Endpoint>,
    pub archive: Arc<Mutex<Archive>>,
}

impl Shop {
    pub const PRODUCTS: usize = PLENTIFUL + SCARCE;
    pub const SHELVES: usize = Self::PRODUCTS + SUPPLIED;

    pub async fn open(client: &Client) -> Self {
        let mut shelves = Vec::new();
        for product in 0..Self::SHELVES {
            let price = 1_000 + i64::try_from(product).expect("there are few products");
            let stocked = match product {
                0..PLENTIFUL => PLENTY,
                Self::PRODUCTS.. => SUPPLIED_UNITS.0,
                _ => 0,
            };
            let body = json!({
                "sku": format!("sku-{product}"), "name": format!("Thing {product}"), "stock": stocked,
                "price": {"amount": price, "currency": "EUR"}, "low_stock_threshold": SUPPLIED_UNITS.1,
            });
            let created = client.create("/v1/products", &body).await;
            let product_id = created["product_id"].as_str().expect("a product has an id").to_owned();
            shelves.push(Shelf { product_id, price, stocked });
        }
        // Only now does everybody know the products.
        client.settle().await;
        let mut supplied = Vec::new();
        for (shelf, is_replenished) in (Self::PRODUCTS..).zip([true, false]) {
            let body = json!({
                "name": "Nordic", "email": SUPPLIER, "lead_time_days": 7, "auto_replenish": is_replenished,
                "products": [{"product_id": shelves[shelf].product_id, "order_quantity": ORDERED_UNITS,
                    "unit_cost": {"amount": 500, "currency": "EUR"}}],
            });
            let created = client.create("/v1/suppliers", &body).await;
            let supplier_id = created["supplier_id"].as_str().expect("a supplier has an id").to_owned();
            supplied.push(Supplied { shelf, supplier_id, is_replenished });
        }
        let receiver = Receiver::start().await;
        let endpoint = json!({"url": receiver.url, "event_types": SUBSCRIPTIONS});
        let created = client.create("/v1/webhooks", &endpoint).await;
        let since = created["created_at"].as_str().and_then(|time| time.parse().ok());
        let webhooks = Arc::new(Endpoint { receiver, since: since.expect("an endpoint has a time") });
        client.settle().await;
        Self { shelves, supplied, supplies: Arc::default(), webhooks, archive: Arc::default() }
    }

    /// Puts more of the scarce products on their shelves.
    pub async fn restock(&mut self, client: &Client) {
        let delta = json!({"delta": SCARCE_UNITS, "reason": "restocked"});
        for shelf in &mut self.shelves[PLENTIFUL..Self::PRODUCTS] {
            client.create(&format!("/v1/stock/{}/adjustments", shelf.product_id), &delta).await;
            shelf.stocked += SCARCE_UNITS;
        }
    }
}
