//! Two suppliers of the demo's products. One delivers by itself some seconds after it was asked, and the orders at the
//! other wait for somebody to receive them.

use anyhow::Context;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Client;

/// A supplier, and its products by sku: cost in cents, units that are ordered at once.
struct Supplier {
    name: &'static str,
    email: &'static str,
    lead_time_days: i64,
    products: &'static [(&'static str, i64, i64)],
}

/// The first has the address of suppliers that deliver by themselves.
const SUPPLIERS: [Supplier; 2] = [
    Supplier {
        name: "Instant Wholesale",
        email: "orders@simulated.example",
        lead_time_days: 1,
        products: &[("123", 98_000, 10), ("458", 24_500, 10), ("462", 8_000, 10), ("464", 17_500, 10)],
    },
    Supplier {
        name: "Paper & Pens",
        email: "orders@paper.example",
        lead_time_days: 7,
        products: &[("463", 2_400, 50), ("465", 290, 500)],
    },
];

/// Makes the suppliers that the shop does not have, each known by its address.
pub(super) async fn make(client: &Client, currency: &Value) -> anyhow::Result<()> {
    let known = client.get("/v1/suppliers?limit=100").await?;
    let known: Vec<&Value> = known["items"].as_array().into_iter().flatten().map(|it| &it["email"]).collect();
    for supplier in SUPPLIERS.iter().filter(|supplier| !known.contains(&&json!(supplier.email))) {
        // A shop of an earlier version may still read its products into the service.
        client.settle().await?;
        let mut products = Vec::new();
        for (sku, cents, units) in supplier.products {
            let product = client.first(&format!("/v1/products?sku={sku}&limit=1")).await?;
            let product = product.with_context(|| format!("the shop has no product {sku} any more"))?;
            products.push(json!({"product_id": product["product_id"],
                "unit_cost": {"amount": cents, "currency": currency}, "order_quantity": units}));
        }
        let body = json!({"name": supplier.name, "email": supplier.email, "lead_time_days": supplier.lead_time_days,
            "auto_replenish": true, "products": products});
        let answer = client.ask(Method::POST, "/v1/suppliers", Some(&body), None).await?;
        if answer.status != StatusCode::CREATED {
            return Err(answer.refused("POST /v1/suppliers"));
        }
    }
    Ok(())
}
