//! The products that the tests sell.

use serde_json::json;

use crate::client::Client;

/// Products that never run out.
const PLENTIFUL: usize = 8;

/// Products that more is asked of than there is, so that orders are rejected.
const SCARCE: usize = 2;

/// Far more than all orders of the longest run could ask for.
const PLENTY: i64 = 100_000_000;

/// Units of a scarce product that each round has anew: about a third of what its orders ask for.
const SCARCE_UNITS: i64 = 60;

/// A product, and all units that were ever put on its shelf.
#[derive(Clone)]
pub struct Shelf {
    pub product_id: String,
    pub price: i64,
    pub stocked: i64,
}

#[derive(Clone)]
pub struct Shop {
    pub shelves: Vec<Shelf>,
}

impl Shop {
    pub const PRODUCTS: usize = PLENTIFUL + SCARCE;

    pub async fn open(client: &Client) -> Self {
        let mut shelves = Vec::new();
        for product in 0..Self::PRODUCTS {
            let price = 1_000 + i64::try_from(product).expect("there are ten products");
            let stocked = if product < PLENTIFUL { PLENTY } else { 0 };
            let body = json!({
                "sku": format!("sku-{product}"), "name": format!("Thing {product}"), "stock": stocked,
                "price": {"amount": price, "currency": "EUR"},
            });
            let created = client.create("/v1/products", &body).await;
            let product_id = created["product_id"].as_str().expect("a product has an id").to_owned();
            shelves.push(Shelf { product_id, price, stocked });
        }
        // Only now does everybody know the products.
        client.settle().await;
        Self { shelves }
    }

    /// Puts more of the scarce products on their shelves.
    pub async fn restock(&mut self, client: &Client) {
        let delta = json!({"delta": SCARCE_UNITS, "reason": "restocked"});
        for shelf in &mut self.shelves[PLENTIFUL..] {
            client.create(&format!("/v1/stock/{}/adjustments", shelf.product_id), &delta).await;
            shelf.stocked += SCARCE_UNITS;
        }
    }
}
