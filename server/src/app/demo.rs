//! A shop to look at: a dozen products and a user, made through the same routes that anybody uses.

use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::App;

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

/// The time that the services may take to learn of the new products.
const SETTLE: &str = "/internal/settled?timeout=10s";

/// Fills the shop with what it doesn't have yet.
pub(super) async fn seed(app: &App) -> anyhow::Result<()> {
    let mut is_new = false;
    let (_, answer) = call(app, Method::GET, "/v1/currency", None).await?;
    let currency: Value = serde_json::from_str(&answer).context("the shop's currency can't be read")?;
    for (sku, name, category, cents, stock) in PRODUCTS {
        let product = json!({
            "sku": sku, "name": name, "category": category,
            "description": format!("{name}, from the demo shop"),
            "price": {"amount": cents, "currency": currency["code"]}, "stock": stock,
        });
        is_new |= create(app, "/v1/products", &product).await?;
    }
    // The password is for a shop to play with: it opens nothing but this account.
    let user = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse battery"});
    is_new |= create(app, "/v1/users", &user).await?;
    if is_new {
        call(app, Method::GET, SETTLE, None).await?;
    }
    Ok(())
}

/// True if it was made; false if the shop has it from an earlier start.
async fn create(app: &App, path: &str, body: &Value) -> anyhow::Result<bool> {
    let (status, answer) = call(app, Method::POST, path, Some(body)).await?;
    match status {
        StatusCode::CREATED => Ok(true),
        StatusCode::CONFLICT => Ok(false),
        _ => bail!("the demo can't be made: POST {path} answered {status}: {answer}"),
    }
}

async fn call(app: &App, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(StatusCode, String)> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", app.own_token))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))?;
    let answered = tokio::time::timeout(Duration::from_secs(30), app.router.clone().oneshot(request)).await;
    let response = answered.with_context(|| format!("{path} did not answer"))??;
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}
