//! Republishing events: for a broker that lost its data, or a binding that was missing for a while.

use axum::Json;
use axum::extract::State;
use kernel::{EventId, SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use service::http::{Body, Fields, Problem, ProblemBody};
use service::operator::RepublishAfter;
use service::storage::inbox;
use utoipa::ToSchema;

use crate::Console;

/// Margin of the first step beyond the window: clocks differ, and a request takes a while.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(10);

/// Events of one step: the pointers of so many are written within a second.
const STEP: i64 = 1_000;

/// The events to republish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Republish {
    /// The service that emitted the events.
    #[schema(example = "orders", min_length = 1, max_length = 64)]
    service: String,
    /// The earliest time of an event, within `republish_window`: consumers remember for longer what they have handled.
    since: Timestamp,
    /// The `next` of the step before.
    after: Option<EventId>,
}

/// The result of one step.
#[derive(Serialize, ToSchema)]
pub(crate) struct Republished {
    /// The service whose events these are.
    service: &'static str,
    /// Number of republished events: those to which some service reacts.
    events: usize,
    /// The start of the next step; null after the last.
    next: Option<EventId>,
}

/// Sends a service's events again, a thousand at a time. Consumers know what they have handled, and take what they
/// missed.
#[utoipa::path(
    post, path = "/v1/events/republish", operation_id = "republish_events", tag = "console", request_body = Republish,
    responses(
        (status = 200, body = Republished),
        (status = 503, body = ProblemBody, description = "`peer_away`: the service is unreachable"),
    )
)]
pub(crate) async fn handler(
    State(console): State<Console>,
    Body(input): Body<Republish>,
) -> Result<Json<Republished>, Problem> {
    let peer = console.peers.iter().find(|peer| peer.service() == input.service);
    let window = SignedDuration::try_from(console.republish_window).unwrap_or(SignedDuration::MAX);
    let before = |span: SignedDuration| console.clock.now().checked_sub(span).unwrap_or(Timestamp::MIN);
    let (earliest, tolerated) = (before(window), before(window.saturating_add(TOLERANCE)));
    let mut fields = Fields::new();
    fields.check(peer.is_some(), "service", "unknown", "the name of a service that emits events");
    let is_within = input.since >= tolerated || input.after.is_some();
    fields.check(is_within, "since", "range", "a time within republish_window");
    fields.finish()?;
    let Some(peer) = peer else { return Err(Problem::not_found("service")) };
    // Whatever is asked for, nothing older goes out: consumers may have forgotten that they handled it.
    let oldest: EventId = inbox::first_id_of(input.since.max(earliest)).into();
    let after = input.after.map_or(oldest, |after| after.max(oldest));
    let done = peer.ask(RepublishAfter { after, limit: STEP }).await?;
    Ok(Json(Republished { service: peer.service(), events: done.events, next: done.up_to }))
}
