//! Webhooks to a receiver on this machine: the messages of a whole shop, sent once more, as fast as it goes, and what they
//! cost the orders from which they follow.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::routing::post;
use events::OrderPaid;
use kernel::Event;
use serde_json::{Value, json};
use service::Tasks;
use tokio::net::TcpListener;

use crate::Measured;
use crate::whole_shop::{Running, TOKEN};

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

/// The path to which a message was sent, and its id.
type Message = (String, String);

/// All messages, in the order in which they came.
type Received = Arc<Mutex<Vec<Message>>>;

/// Orders with ten endpoints, between the same without any: before each part the shop has settled, so none of them does
/// the work of another.
pub(crate) async fn beside_orders(shop: Running, orders: usize) -> Result<Measured> {
    let (received, url) = receiver().await?;
    let product_id = shop.product().await?;
    // The first orders of a process warm it up.
    orders_per_s(&shop, &product_id, orders / 10).await?;
    let before = orders_per_s(&shop, &product_id, orders).await?;
    let mut endpoints = Vec::new();
    for number in 0..ENDPOINTS {
        let endpoint = json!({"url": format!("{url}/{number}"), "event_types": [OrderPaid::TYPE]});
        endpoints.push(shop.make("/v1/webhooks", Some(TOKEN), &endpoint, "webhook_id").await?);
    }
    let beside = orders_per_s(&shop, &product_id, orders).await?;
    shop.settled().await?;
    let messages: HashSet<Message> = taken(&received).into_iter().collect();
    ensure!(messages.len() == ENDPOINTS * orders, "{} of {} messages came", messages.len(), ENDPOINTS * orders);
    for endpoint in endpoints {
        shop.ask(Method::DELETE, &format!("/v1/webhooks/{endpoint}"), Some(TOKEN), &Value::Null).await?;
    }
    let after = orders_per_s(&shop, &product_id, orders).await?;
    shop.stop().await;
    let without = Rates { accepted: mean(before.accepted, after.accepted), paid: mean(before.paid, after.paid) };
    let more = format!(
        "{:.0} paid and mailed/s, {:.2} × those without endpoints ({:.0} and {:.0} accepted/s, {:.0} and {:.0} paid and mailed/s, \
         before and after); {} messages",
        beside.paid,
        beside.paid / without.paid,
        before.accepted,
        after.accepted,
        before.paid,
        after.paid,
        messages.len()
    );
    let ratio = Some((beside.accepted / without.accepted, "without endpoints"));
    Ok(Measured { per_s: beside.accepted, unit: "accepted/s", more, ratio })
}

fn mean(one: f64, other: f64) -> f64 {
    f64::midpoint(one, other)
}

struct Rates {
    accepted: f64,
    /// From the first request until all are paid and have their mail.
    paid: f64,
}

/// Places orders and waits until they are paid and have their mail. Whatever follows later is settled before the next are placed.
async fn orders_per_s(shop: &Running, product_id: &str, orders: usize) -> Result<Rates> {
    shop.settled().await?;
    let paid_before = paid(shop).await?;
    let began = Instant::now();
    shop.place(product_id, orders).await?;
    let accepted = orders as f64 / began.elapsed().as_secs_f64();
    let wanted = paid_before + orders as u64;
    while paid(shop).await? < wanted {
        ensure!(began.elapsed() < PATIENCE, "not all orders were paid within {PATIENCE:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(Rates { accepted, paid: orders as f64 / began.elapsed().as_secs_f64() })
}

/// Orders that were paid so far and whose customers have a mail about it in the outbox of mails.
async fn paid(shop: &Running) -> Result<u64> {
    let labels = format!("consumer=\"notifications\",type=\"{}\",outcome=\"done\"", OrderPaid::TYPE);
    let line = format!("tradepost_events_handled_total{{{labels}}} ");
    let metrics = shop.metrics().await?;
    metrics.lines().find_map(|it| it.strip_prefix(&line)).map_or(Ok(0), |count| Ok(count.parse()?))
}

/// A receiver that takes everything, and what it has received.
async fn receiver() -> Result<(Received, String)> {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let (router, tasks) = (Router::new().fallback(post(receive)).with_state(received.clone()), Tasks::new());
    tasks.spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok((received, url))
}

/// Messages of a shop, sent once more.
pub(crate) async fn measure(shop: Running, orders: usize) -> Result<Measured> {
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
    let ids = |messages: &[Message]| messages.iter().cloned().collect::<HashSet<Message>>();
    ensure!(again.len() == first.len() && ids(&again).len() == again.len(), "a message came twice");
    ensure!(ids(&again) == ids(&first), "other messages came than were sent before");
    shop.stop().await;
    let more = format!("{} messages; beside the orders from which they followed {live:.0} messages/s", again.len());
    Ok(Measured { per_s: again.len() as f64 / took.as_secs_f64(), unit: "messages/s", more, ratio: None })
}

async fn receive(State(received): State<Received>, uri: Uri, headers: HeaderMap) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    received.lock().unwrap_or_else(PoisonError::into_inner).push((uri.path().to_owned(), id));
    StatusCode::NO_CONTENT
}

/// All that came so far; what comes from now on is counted anew.
fn taken(received: &Received) -> Vec<Message> {
    std::mem::take(&mut received.lock().unwrap_or_else(PoisonError::into_inner))
}
