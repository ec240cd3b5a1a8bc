//! The story of an order: what happened, when, caused by what, handled by whom, after how many attempts.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use events::OrderId;
use kernel::{DeadLetterId, EventId, Timestamp, Uuid};
use serde::Serialize;
use service::DeliveryStatus;
use service::http::auth::Caller;
use service::http::{PathId, Problem, ProblemBody};
use service::operator::{EventsAbout, MayRead, OnBehalfOf};
use service::storage::decisions::Decision;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::Console;
use crate::events::{Event, of_peer};
use crate::gather::{Missing, gather};
use crate::redact::for_caller;

/// Events of a story at the most. An order has about ten.
const EVENTS_MAX: i64 = 1_000;

/// All that happened about an order, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Story {
    items: Vec<StoryEvent>,
    /// Services that did not answer: their events, and the status of events there, are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    missing: Vec<&'static str>,
}

/// An event, and its status at each service that reacts to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct StoryEvent {
    #[serde(flatten)]
    event: Event,
    deliveries: Vec<Delivery>,
}

/// The status of an event at one service.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct Delivery {
    consumer: &'static str,
    #[schema(schema_with = known_statuses)]
    status: &'static str,
    /// Number of attempts that began.
    attempts: i64,
    handled_at: Option<Timestamp>,
    /// The time of the next attempt, if there will be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    /// Its id as a dead letter, if it is one: for the admin only.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_id: Option<DeadLetterId>,
    /// The reason why the last attempt failed: for the admin only, for it quotes internal errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The last decision about it, if it was a dead letter: for the admin only, as long as `inbox_retention`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Decision>)]
    decision: Option<&'static str>,
    /// The id of the account that took it, or `automation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Timestamp>,
}

fn known_statuses() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(DeliveryStatus::STATUSES)).build()
}

impl Delivery {
    fn new(consumer: &'static str, status: DeliveryStatus, caller: &Caller) -> Self {
        let DeliveryStatus { status, attempts, handled_at, reason, due_at, dead_letter_id, decided } = status;
        let decided = decided.filter(|_| caller.is_admin);
        Self {
            consumer,
            status,
            attempts,
            handled_at,
            due_at,
            dead_letter_id: dead_letter_id.filter(|_| caller.is_admin),
            reason: reason.filter(|_| caller.is_admin),
            decision: decided.as_ref().map(|decided| decided.decision.as_str()),
            decided_at: decided.as_ref().map(|decided| decided.decided_at),
            decided_by: decided.map(|decided| decided.decided_by),
        }
    }
}

/// The story of an order.
#[utoipa::path(
    get, path = "/v1/orders/{id}/events", operation_id = "get_order_story", tag = "console",
    params(("id" = OrderId, Path)),
    responses(
        (
            status = 200, body = Story,
            headers(("x-tradepost-missing" = String, description = "services that did not answer: see `missing`")),
        ),
        (status = 503, body = ProblemBody, description = "`peer_away`: nobody can say whose the order is"),
    )
)]
pub(crate) async fn handler(
    State(console): State<Console>,
    caller: Caller,
    PathId(order_id): PathId<OrderId>,
) -> Result<(Missing, Json<Story>), Problem> {
    let subject = Uuid::from(order_id);
    let unasked = check_access(&console, subject, &caller).await?;
    let found =
        gather(
            console.peers.iter(),
            move |peer| async move { peer.ask(EventsAbout { subject, limit: EVENTS_MAX }).await },
        )
        .await?;
    let mut events: Vec<Event> = found.answers.into_iter().flat_map(of_peer).collect();
    events.sort_unstable_by_key(|event| event.event_id);
    for event in &mut events {
        for_caller(&caller, &event.event_type, &mut event.data);
    }
    let (items, silent) = with_deliveries(&console, events, &caller).await?;
    let missing = unasked.and(found.missing).and(silent);
    Ok((missing.clone(), Json(Story { items, missing: missing.services() })))
}

/// 404 unless a service lets the caller in. While one that could is unreachable, only the admin is let in.
pub(crate) async fn check_access(console: &Console, subject: Uuid, caller: &Caller) -> Result<Missing, Problem> {
    let asked = gather(console.peers.iter(), |peer| {
        let question = MayRead { subject, caller: OnBehalfOf(caller.clone()) };
        async move { peer.ask(question).await }
    });
    let asked = asked.await?;
    match asked.answers.into_iter().find_map(|(_, allowed)| allowed) {
        Some(true) => Ok(asked.missing),
        None if caller.is_admin && !asked.missing.is_empty() => Ok(asked.missing),
        None => Err(if asked.missing.is_empty() { not_theirs() } else { asked.missing.for_guests() }),
        Some(false) => Err(not_theirs()),
    }
}

fn not_theirs() -> Problem {
    Problem::not_found("order, or it is not yours")
}

/// The events, each with its status at every service that reacts to it.
pub(crate) async fn with_deliveries(
    console: &Console,
    events: Vec<Event>,
    caller: &Caller,
) -> Result<(Vec<StoryEvent>, Missing), Problem> {
    let (mut deliveries, missing) = deliveries(console, &events, caller).await?;
    let steps = events.into_iter().map(|event| {
        let deliveries = deliveries.remove(&event.event_id).unwrap_or_default();
        StoryEvent { event, deliveries }
    });
    Ok((steps.collect(), missing))
}

type Deliveries = HashMap<EventId, Vec<Delivery>>;

async fn deliveries(console: &Console, events: &[Event], caller: &Caller) -> Result<(Deliveries, Missing), Problem> {
    let ids: Vec<(EventId, &str)> = events.iter().map(|event| (event.event_id, event.event_type.as_str())).collect();
    let found = gather(console.peers.iter(), |peer| {
        let ids = &ids;
        async move { peer.deliveries(ids).await }
    });
    let found = found.await?;
    let mut all = Deliveries::new();
    for (peer, statuses) in found.answers {
        for (event_id, status) in statuses {
            all.entry(event_id).or_default().push(Delivery::new(peer.service(), status, caller));
        }
    }
    Ok((all, found.missing))
}

#[cfg(test)]
mod tests {
    use service::storage::decisions::Decided;

    use super::*;

    #[test]
    fn the_reason_of_a_failure_and_who_decided_about_it_are_for_the_admin_only() {
        let status = DeliveryStatus {
            status: "retrying",
            attempts: 2,
            handled_at: None,
            reason: Some("no such table: reservations".to_owned()),
            due_at: None,
            dead_letter_id: None,
            decided: Some(Decided {
                decision: Decision::Replay,
                decided_by: "automation".to_owned(),
                decided_at: Timestamp::UNIX_EPOCH,
            }),
        };
        let seen_by = |is_admin| {
            let caller = Caller { is_admin, user_id: None, session_id: None, object_token: None };
            let Delivery { reason, decision, decided_by, decided_at, .. } =
                Delivery::new("inventory", status.clone(), &caller);
            (reason, decision, decided_by, decided_at)
        };
        let of_admin =
            (status.reason.clone(), Some("replay"), Some("automation".to_owned()), Some(Timestamp::UNIX_EPOCH));
        assert_eq!((seen_by(true), seen_by(false)), (of_admin, (None, None, None, None)));
    }
}
