//! Webhooks to a receiver on this machine: the messages of a whole shop, sent once more, as fast as it goes, and what they
//! cost the orders from which they follow.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use events::OrderPaid;
use kernel::Event;
use serde_json::{Value, json};
use server::config::BrokerSetting;
use server::shop::Shop;
use service::Tasks;
use service::storage::Location;
use tokio::net::TcpListener;

use crate::Measured;
use crate::bans::{Running, TOKEN};
use crate::servers::Started;

/// Orders whose events are sent: each becomes some ten of them.
pub(crate) const ORDERS: usize = 2_000;

/// Orders that are placed without endpoints, and as many with ten of them.
pub(crate) const PLACED: usize = 20_000;

/// Endpoints that each get a message of each paid order.
const ENDPOINTS: usize = 10;

/// The time between two looks at what has arrived.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Longer than it takes by far.
const PATIENCE: Duration = Duration::from_mins(5);

/// The ids of all messages, in the order in which they came.
type Received = Arc<Mutex<Vec<String>>>;

/// With the services' stores in a folder and the embedded broker.
pub(crate) async fn embedded(orders: usize) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let (store, broker) = (Location::Folder(folder.path().to_owned()), BrokerSetting::of_default(&Shop::tradepost()));
    measure(Running::start(folder.path(), store, broker).await?, orders).await
}

/// On PostgreSQL and RabbitMQ.
pub(crate) async fn on_servers(are_shared: bool, orders: usize) -> Result<Measured> {
    let (store, broker, _running) = Started::start(are_shared)?;
    let broker = BrokerSetting::parse(&Shop::tradepost(), &broker).map_err(anyhow::Error::msg)?;
    let folder = tempfile::tempdir()?;
    measure(Running::start(folder.path(), Location::Postgres(store.parse()?), broker).await?, orders).await
}

/// Orders with ten endpoints, beside the same without any, with the services' stores in a folder and the embedded broker.
pub(crate) async fn beside_orders(orders: usize) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let (store, broker) = (Location::Folder(folder.path().to_owned()), BrokerSetting::of_default(&Shop::tradepost()));
    let shop = Running::start(folder.path(), store, broker).await?;
    let (received, url) = receiver().await?;
    let product_id = shop.product().await?;
    shop.settled().await?;
    // The first orders of a process warm it up.
    orders_per_s(&shop, &product_id, orders / 10).await?;
    let alone = orders_per_s(&shop, &product_id, orders).await?;
    for _ in 0..ENDPOINTS {
        let endpoint = json!({"url": url, "event_types": [OrderPaid::TYPE]});
        shop.make("/v1/webhooks", Some(TOKEN), &endpoint, "webhook_id").await?;
    }
    let with_endpoints = orders_per_s(&shop, &product_id, orders).await?;
    let began = Instant::now();
    while received.lock().unwrap_or_else(PoisonError::into_inner).len() < ENDPOINTS * orders {
        ensure!(began.elapsed() < PATIENCE, "not all messages came within {PATIENCE:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let later = began.elapsed().as_secs_f64();
    shop.stop().await;
    let more = format!(
        "{:.0} paid/s, {:.2} × those without endpoints ({:.0} accepted/s, {:.0} paid/s); the last of {} messages came \
         {later:.1} s after the last order was paid",
        with_endpoints.paid,
        with_endpoints.paid / alone.paid,
        alone.accepted,
        alone.paid,
        taken(&received).len()
    );
    let ratio = Some((with_endpoints.accepted / alone.accepted, "without endpoints"));
    Ok(Measured { per_s: with_endpoints.accepted, unit: "accepted/s", more, ratio })
}

struct Rates {
    accepted: f64,
    /// From the first request until all are paid.
    paid: f64,
}

async fn orders_per_s(shop: &Running, product_id: &str, orders: usize) -> Result<Rates> {
    let began = Instant::now();
    shop.place(product_id, orders).await?;
    let accepted = orders as f64 / began.elapsed().as_secs_f64();
    for status in ["placed", "reserved"] {
        let path = format!("/v1/orders?status={status}&limit=1");
        loop {
            ensure!(began.elapsed() < PATIENCE, "not all orders were paid within {PATIENCE:?}");
            let left = shop.ask(Method::GET, &path, Some(TOKEN), &Value::Null).await?;
            ensure!(left.status == StatusCode::OK, "{left:?}");
            if left.value["items"].as_array().is_some_and(Vec::is_empty) {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(Rates { accepted, paid: orders as f64 / began.elapsed().as_secs_f64() })
}

/// A receiver that takes everything, and what it has received.
async fn receiver() -> Result<(Received, String)> {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let (router, tasks) = (Router::new().route("/hook", post(receive)).with_state(received.clone()), Tasks::new());
    tasks.spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok((received, url))
}

async fn measure(shop: Running, orders: usize) -> Result<Measured> {
    let (received, url) = receiver().await?;
    let product_id = shop.product().await?;
    let endpoint = json!({"url": url, "event_types": ["*"]});
    let webhook_id = shop.make("/v1/webhooks", Some(TOKEN), &endpoint, "webhook_id").await?;
    // Orders must know the product before one is placed.
    shop.settled().await?;
    let began = Instant::now();
    shop.place(&product_id, orders).await?;
    shop.settled().await?;
    let first = taken(&received);
    let live = first.len() as f64 / began.elapsed().as_secs_f64();
    ensure!(first.len() >= orders, "only {} messages came of {orders} orders", first.len());

    let began = Instant::now();
    let (path, since) = (format!("/v1/webhooks/{webhook_id}/resend"), json!({"since": "2020-01-01T00:00:00Z"}));
    let begun = shop.ask(Method::POST, &path, Some(TOKEN), &since).await?;
    ensure!(begun.status == StatusCode::ACCEPTED, "{begun:?}");
    while received.lock().unwrap_or_else(PoisonError::into_inner).len() < first.len() {
        ensure!(began.elapsed() < PATIENCE, "not all messages came within {PATIENCE:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = began.elapsed();
    shop.settled().await?;
    let again = taken(&received);
    let ids = |messages: &[String]| messages.iter().cloned().collect::<HashSet<String>>();
    ensure!(again.len() == first.len() && ids(&again).len() == again.len(), "a message came twice");
    ensure!(ids(&again) == ids(&first), "other messages came than were sent before");
    shop.stop().await;
    let more = format!("{} messages; beside the orders from which they followed {live:.0} messages/s", again.len());
    Ok(Measured { per_s: again.len() as f64 / took.as_secs_f64(), unit: "messages/s", more, ratio: None })
}

async fn receive(State(received): State<Received>, headers: HeaderMap) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    received.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    StatusCode::NO_CONTENT
}

/// All that came so far; what comes from now on is counted anew.
fn taken(received: &Received) -> Vec<String> {
    std::mem::take(&mut received.lock().unwrap_or_else(PoisonError::into_inner))
}
