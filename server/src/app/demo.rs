//! A shop to look at: a dozen products, two customers, two suppliers, and orders in every state, made through the same
//! routes that anybody uses.
//!
//! Products and the first customer are there when the shop is ready, and the others too, unless they take longer than a
//! start may: where the broker is unreachable, nothing is paid.

mod client;
mod orders;
mod suppliers;

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::App;
use tokio::sync::oneshot;

use client::Client;

/// sku, name, category, price in cents, stock.
const PRODUCTS: [(&str, &str, &str, i64, i64); 12] = [
    ("123", "Laptop", "computers", 129_900, 10),
    ("456", "Mouse", "accessories", 2_990, 50),
    ("457", "Keyboard", "accessories", 7_990, 40),
    ("458", "Monitor 27\"", "computers", 32_900, 15),
    ("459", "USB-C hub", "accessories", 4_990, 80),
    ("460", "Webcam", "accessories", 6_990, 25),
    ("461", "Headphones", "audio", 14_900, 30),
    ("462", "Microphone", "audio", 11_900, 12),
    ("463", "Desk lamp", "office", 3_990, 60),
    ("464", "Office chair", "office", 24_900, 8),
    ("465", "Notebook A5", "office", 590, 500),
    ("466", "Backpack", "accessories", 8_990, 20),
];

/// The password of the demo's customers, for a shop to play with: it opens nothing but their accounts.
const PASSWORD: &str = "correct horse battery";

/// The time that a start waits for the orders, which take a part of a second. They are made all the same.
const ORDERS_WITHIN: Duration = Duration::from_secs(5);

/// The customers by name; the address of each is theirs at example.com.
const CUSTOMERS: [&str; 2] = ["ada", "grace"];

fn email_of(customer: &str) -> String {
    format!("{customer}@example.com")
}

/// Fills the shop with what it doesn't have yet, and begins to make its orders.
pub(super) async fn seed(app: &App) -> anyhow::Result<()> {
    let client = Client::new(app.router.clone(), app.own_token.clone());
    let mut is_new = false;
    let currency = client.get("/v1/currency").await?;
    for (sku, name, category, cents, stock) in PRODUCTS {
        let product = json!({
            "sku": sku, "name": name, "category": category,
            "description": format!("{name}, from the demo shop"),
            "price": {"amount": cents, "currency": currency["code"]}, "stock": stock,
        });
        is_new |= create(&client, "/v1/products", &product).await?;
    }
    is_new |= register(&client, CUSTOMERS[0]).await?;
    if is_new {
        client.settle().await?;
    }
    let (stopping, (ended, end)) = (app.tasks.stopping(), oneshot::channel::<()>());
    app.tasks.spawn(async move {
        tokio::select! {
            () = stopping => {}
            () = rest(&client, &currency["code"]) => {}
        }
        drop(ended);
    });
    // What is logged about them stands before what the start prints, the admin token among it.
    let _ = tokio::time::timeout(ORDERS_WITHIN, end).await;
    Ok(())
}

/// Makes what follows from events: suppliers know the products by them, and orders move on by them.
async fn rest(client: &Client, currency: &Value) {
    if let Err(error) = suppliers::make(client, currency).await {
        tracing::warn!("the suppliers of the demo are incomplete: {error:#}");
    }
    if let Err(error) = orders::make(client).await {
        tracing::warn!("the orders of the demo are incomplete: {error:#}");
    }
}

async fn register(client: &Client, customer: &str) -> anyhow::Result<bool> {
    let user = json!({"username": customer, "email": email_of(customer), "password": PASSWORD});
    create(client, "/v1/users", &user).await
}

/// True if it was made; false if the shop has it from an earlier start.
async fn create(client: &Client, path: &str, body: &Value) -> anyhow::Result<bool> {
    let answer = client.ask(Method::POST, path, Some(body), None).await?;
    match answer.status {
        StatusCode::CREATED => Ok(true),
        StatusCode::CONFLICT => Ok(false),
        _ => Err(answer.refused(path)),
    }
}
