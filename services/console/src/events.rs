//! Events of all services.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::{EventId, Timestamp, Uuid};
use serde::{Deserialize, Serialize};
use service::http::{Listing, Page, Problem, ProblemBody, QueryOf};
use service::operator::{ArchivedEvent, EventsBefore};
use service::storage::archive::StoredEvent;
use utoipa::{IntoParams, ToSchema};

use crate::gather::{Missing, gather};
use crate::redact::shown;
use crate::{Console, Peer};

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
    /// Its subject.
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
        let StoredEvent { position: _, envelope, body } = event;
        Self {
            event_id: envelope.id,
            time: envelope.time,
            service,
            subject: envelope.key,
            sequence: envelope.sequence,
            caused_by: envelope.causation_id,
            correlation_id: envelope.correlation_id,
            data: shown(&body),
            event_type: envelope.event_type,
        }
    }
}

/// The events to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only events of this type: `OrderPlaced` or `orders.order_placed.v1`.
    r#type: Option<String>,
    /// Only events about this thing.
    subject: Option<Uuid>,
    /// Only events that this service emitted.
    service: Option<String>,
    /// Only events from then on.
    from: Option<Timestamp>,
    /// Only events before then.
    to: Option<Timestamp>,
}

/// Events of all services, newest first.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "list_events", tag = "console",
    params(Filter, Page),
    responses(
        (
            status = 200, body = Listing<Event>,
            headers(("x-tradepost-missing" = String, description = "services that are unreachable: their items are missing")),
        ),
        (status = 400, body = ProblemBody, description = "`invalid_query`: there is no such type"),
    )
)]
pub(crate) async fn list(
    State(console): State<Console>,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<(Missing, Json<Listing<Event>>), Problem> {
    let Filter { r#type, subject, service, from, to } = filter;
    let before: EventId = to.map_or(page.before(), |to| page.before::<EventId>().min(kernel::first_id_at(to).into()));
    let named = r#type.as_deref().map(events::named);
    let r#type = match named {
        Some(Ok(known)) => Some(known.event_type.to_owned()),
        // An earlier version may have emitted events of a type that this one doesn't have any more.
        Some(Err(_)) | None => r#type,
    };
    let wanted = |peer: &&Peer| service.as_deref().is_none_or(|service| service == peer.service());
    let emitters = console.peers.iter().filter(|peer| may_emit(peer.service(), r#type.as_deref())).filter(wanted);
    let gathered = gather(emitters, |peer| {
        let question = EventsBefore { before, event_type: r#type.clone(), subject, limit: page.rows() };
        async move { peer.ask(question).await }
    });
    let gathered = gathered.await?;
    let mut found: Vec<Event> = gathered.answers.into_iter().flat_map(of_peer).collect();
    if let (Some(Err(suggestion)), true) = (named, found.is_empty()) {
        let detail = format!("type: there is no event {}{suggestion}", r#type.unwrap_or_default().escape_debug());
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail));
    }
    // Events that are older end the list.
    found.retain(|event| from.is_none_or(|from| event.time >= from));
    found.sort_unstable_by_key(|event| std::cmp::Reverse(event.event_id));
    Ok((gathered.missing, Json(page.listing(found, |event| event.event_id.into()))))
}

/// The events that a service answered.
pub(crate) fn of_peer((peer, events): (Peer, Vec<ArchivedEvent>)) -> impl Iterator<Item = Event> {
    let service = peer.service();
    events.into_iter().map(move |ArchivedEvent(event)| Event::new(service, event))
}

/// A type begins with the name of the service that emits it: no other has to search its events in vain.
fn may_emit(service: &str, event_type: Option<&str>) -> bool {
    event_type.is_none_or(|name| name.strip_prefix(service).is_some_and(|rest| rest.starts_with('.')))
}
