//! The life of an order after it was accepted: it is paid, leaves and arrives.

use std::time::Duration;

use events::OrderId;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;

use super::Target;

/// The time that an order may take from one step to the next.
const STEP_PATIENCE: Duration = Duration::from_secs(30);

/// The wait before an order is looked at again: at first about as long as a step takes in a shop that is idle, and
/// longer in one that is busy, for looks cost it time.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
struct Shipments {
    items: Vec<Shipment>,
}

#[derive(Deserialize)]
struct Shipment {
    shipment_id: String,
}

#[derive(Deserialize)]
struct Order {
    status: String,
}

/// An order whose life is followed over a connection.
pub(super) struct Life<'a> {
    pub target: &'a Target,
    pub sender: &'a mut SendRequest<Full<Bytes>>,
    pub order_id: OrderId,
}

impl Life<'_> {
    /// Sends and delivers the order once it is paid, and waits until it says that it arrived. The error is the step that
    /// failed.
    pub async fn follow(&mut self) -> Result<(), String> {
        let shipments = format!("/v1/shipments?order_id={}", self.order_id);
        let shipment = self.until(&shipments, "paid", |found: Shipments| found.items.into_iter().next()).await?;
        for verb in ["dispatch", "deliver"] {
            let path = format!("/v1/shipments/{}/{verb}", shipment.shipment_id);
            let (status, _) = self.ask(Method::POST, &path, "{}").await.ok_or("connection closed")?;
            if status != StatusCode::OK {
                return Err(format!("{verb}: {}", status.as_u16()));
            }
        }
        let order = format!("/v1/orders/{}", self.order_id);
        self.until(&order, "delivered", |order: Order| (order.status == "delivered").then_some(())).await
    }

    /// Reads until something is found.
    async fn until<T: for<'de> Deserialize<'de>, F>(
        &mut self,
        path: &str,
        step: &str,
        find: impl Fn(T) -> Option<F>,
    ) -> Result<F, String> {
        let (began, mut pause) = (Instant::now(), LOOK_AGAIN);
        while began.elapsed() < STEP_PATIENCE {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LOOK_AGAIN_MAX);
            let (status, body) = self.ask(Method::GET, path, "").await.ok_or("connection closed")?;
            let found = (status == StatusCode::OK).then(|| serde_json::from_slice(&body).ok()).flatten();
            if let Some(found) = found.and_then(&find) {
                return Ok(found);
            }
        }
        Err(format!("not {step} in {STEP_PATIENCE:?}"))
    }

    async fn ask(&mut self, method: Method, path: &str, body: &'static str) -> Option<(StatusCode, Bytes)> {
        self.target.ask(self.sender, method, path, Bytes::from_static(body.as_bytes())).await
    }
}
