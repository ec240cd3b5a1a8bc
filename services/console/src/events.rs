//! Events of all services.

use axum::Json;
use axum::extract::State;
use kernel::{EventId, Timestamp, Uuid};
use serde::{Deserialize, Serialize};
use service::http::{Listing, Page, PathId, Problem, ProblemBody, QueryOf};
use service::storage::archive::StoredEvent;
use utoipa::ToSchema;

use crate::Console;
use crate::redact::shown;

/// An event as it was committed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Event {
    pub event_id: EventId,
    /// As in `orders.order_placed.v1`.
    #[serde(rename = "type")]
    pub event_type: String,
    pub time: Timestamp,
    /// The service that emitted it.
    pub service: &'static str,
    /// What it is about.
    pub subject: Uuid,
    /// The version that the change made.
    pub sequence: i64,
    /// The event or request that caused it.
    pub caused_by: Uuid,
    /// The request from which it followed.
    pub correlation_id: Uuid,
    /// The payload; payment tokens are redacted.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

impl Event {
    pub fn new(service: &'static str, event: StoredEvent) -> Self {
        Self {
            event_id: event.event_id,
            time: event.time,
            service,
            subject: event.key,
            sequence: event.sequence,
            caused_by: event.causation_id,
            correlation_id: event.correlation_id,
            data: shown(&event.body),
            event_type: event.event_type,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Filter {
    r#type: Option<String>,
    subject: Option<Uuid>,
}

/// Events of all services, newest first.
#[utoipa::path(
    get, path = "/v1/events", tag = "console",
    params(
        ("type" = Option<String>, Query), ("subject" = Option<Uuid>, Query),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 20"), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Listing<Event>))
)]
pub(crate) async fn list(
    State(console): State<Console>,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Listing<Event>>, Problem> {
    let mut found = Vec::new();
    for operator in console.operators.iter().filter(|operator| may_emit(operator.service(), filter.r#type.as_deref())) {
        let events = operator.events_before(page.before(), filter.r#type.clone(), filter.subject, page.rows()).await?;
        found.extend(events.into_iter().map(|event| Event::new(operator.service(), event)));
    }
    found.sort_unstable_by_key(|event| std::cmp::Reverse(event.event_id));
    Ok(Json(page.listing(found, |event| event.event_id.into())))
}

/// A type begins with the name of the service that emits it: no other has to search its events in vain.
fn may_emit(service: &str, event_type: Option<&str>) -> bool {
    event_type.is_none_or(|name| name.strip_prefix(service).is_some_and(|rest| rest.starts_with('.')))
}

/// One event.
#[utoipa::path(
    get, path = "/v1/events/{id}", tag = "console", params(("id" = EventId, Path)),
    responses((status = 200, body = Event), (status = 404, body = ProblemBody))
)]
pub(crate) async fn get(
    State(console): State<Console>,
    PathId(event_id): PathId<EventId>,
) -> Result<Json<Event>, Problem> {
    for operator in console.operators.iter() {
        if let Some(event) = operator.event(event_id).await? {
            return Ok(Json(Event::new(operator.service(), event)));
        }
    }
    Err(Problem::not_found("event"))
}
