//! The story of an order: what happened, when, caused by what, handled by whom, after how many attempts.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use kernel::{EventId, OrderId, Timestamp, Uuid};
use serde::Serialize;
use service::DeliveryStatus;
use service::http::auth::Caller;
use service::http::{PathId, Problem, ProblemBody};
use utoipa::ToSchema;

use crate::Console;
use crate::events::Event;

/// Events of a story at the most. An order has about ten.
const EVENTS_MAX: i64 = 1_000;

/// All that happened about an order, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Story {
    items: Vec<Step>,
}

/// An event, and what became of it at each service that reacts to it.
#[derive(Serialize, ToSchema)]
struct Step {
    #[serde(flatten)]
    event: Event,
    deliveries: Vec<Delivery>,
}

/// What became of an event at one service.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct Delivery {
    consumer: &'static str,
    /// `pending`, `done`, `retrying`, `waiting` or `parked`.
    status: &'static str,
    /// How often handling began.
    attempts: i64,
    handled_at: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<DeliveryStatus> for Delivery {
    fn from(status: DeliveryStatus) -> Self {
        let DeliveryStatus { consumer, status, attempts, handled_at, reason } = status;
        Self { consumer, status, attempts, handled_at, reason }
    }
}

/// The story of an order.
#[utoipa::path(
    get, path = "/v1/orders/{id}/events", tag = "console",
    params(("id" = OrderId, Path)),
    responses((status = 200, body = Story), (status = 404, body = ProblemBody))
)]
pub(crate) async fn handler(
    State(console): State<Console>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
) -> Result<Json<Story>, Problem> {
    let subject = Uuid::from(order_id);
    if !may_read(&console, subject, &caller).await? {
        return Err(Problem::not_found("order, or it is not yours"));
    }
    let mut events = Vec::new();
    for operator in console.operators.iter() {
        let found = operator.events_about(subject, EVENTS_MAX).await?;
        events.extend(found.into_iter().map(|event| Event::new(operator.service(), event)));
    }
    events.sort_unstable_by_key(|event| event.event_id);
    let mut deliveries = deliveries(&console, &events).await?;
    let steps = events.into_iter().map(|event| {
        let deliveries = deliveries.remove(&event.event_id).unwrap_or_default();
        Step { event, deliveries }
    });
    Ok(Json(Story { items: steps.collect() }))
}

async fn may_read(console: &Console, subject: Uuid, caller: &Caller) -> Result<bool, Problem> {
    for operator in console.operators.iter() {
        if let Some(allowed) = operator.may_read(subject, caller.clone()).await? {
            return Ok(allowed);
        }
    }
    Ok(false)
}

async fn deliveries(console: &Console, events: &[Event]) -> Result<HashMap<EventId, Vec<Delivery>>, Problem> {
    let ids: Vec<(EventId, &str)> = events.iter().map(|event| (event.event_id, event.event_type.as_str())).collect();
    let mut all: HashMap<EventId, Vec<Delivery>> = HashMap::new();
    for operator in console.operators.iter() {
        for (event_id, status) in operator.deliveries(&ids).await? {
            all.entry(event_id).or_default().push(status.into());
        }
    }
    Ok(all)
}
