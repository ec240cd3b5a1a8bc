//! Webhooks to a receiver on this machine: the messages of a whole shop, sent once more, as fast as it goes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use serde_json::json;
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

async fn measure(shop: Running, orders: usize) -> Result<Measured> {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let (router, tasks) = (Router::new().route("/hook", post(receive)).with_state(received.clone()), Tasks::new());
    tasks.spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
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
