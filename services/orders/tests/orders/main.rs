//! Orders in a whole shop: what changes around them, and who may see what of their end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account_changes;
mod bans;
mod cancelled_by;
mod external;
mod permutations;
mod product_changes;
mod refund_errors;
mod stores;

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use testkit::{Customer, TestShop};

/// A time after which no request is open that began before.
const NOBODY_IS_IN: Duration = Duration::from_secs(121);

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// An order of the customer at the account's address: paid if there is a token.
async fn order(shop: &TestShop, customer: &Customer, product: &str, token: Option<&str>) -> String {
    let mut order = json!({"lines": [{"product_id": product, "quantity": 1}]});
    if let Some(token) = token {
        order["payment"] = json!({"token": token});
    }
    let placed = customer.asks(shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
    placed.text("/order_id")
}

async fn status(shop: &TestShop, order_id: &str) -> String {
    shop.order_now(order_id).await.text("/status")
}

/// The bodies of the events of a type about an order or an account.
async fn published(shop: &TestShop, event_type: &str, subject: &str) -> Vec<Value> {
    let path = format!("/v1/events?type={event_type}&subject={subject}&limit=100");
    let events = shop.get(&path).await.expect(200).items();
    events.iter().map(|event| event["data"].clone()).collect()
}
