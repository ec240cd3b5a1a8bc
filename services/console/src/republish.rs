//! Sending again what was told: for a broker that lost its data, or a binding that was missing for a while.

use axum::Json;
use axum::extract::State;
use kernel::{EventId, SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use service::http::{Body, Fields, Problem, ProblemBody};
use service::storage::inbox;
use utoipa::ToSchema;

use crate::Console;

/// Events of one step: the pointers of so many are written within a second.
const STEP: i64 = 1_000;

/// What to send again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Republish {
    /// Whose events.
    service: String,
    /// Since when: within `republish_window`, for consumers remember for longer what they have handled.
    since: Timestamp,
    /// The `next` of the step before.
    after: Option<EventId>,
}

/// What one step did.
#[derive(Serialize, ToSchema)]
pub(crate) struct Republished {
    /// Whose events.
    service: &'static str,
    /// How many are sent again: those that some service reacts to.
    events: usize,
    /// Where the next step goes on; null after the last.
    next: Option<EventId>,
}

/// Sends a service's events again, a thousand at a time. Consumers know what they have handled, and take what they missed.
#[utoipa::path(
    post, path = "/v1/events/republish", tag = "console", request_body = Republish,
    responses(
        (status = 200, body = Republished),
        (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody, description = "`peer_away`: the service is away"),
    )
)]
pub(crate) async fn handler(
    State(console): State<Console>,
    Body(input): Body<Republish>,
) -> Result<Json<Republished>, Problem> {
    let peer = console.peers.iter().find(|peer| peer.service() == input.service);
    let window = SignedDuration::try_from(console.republish_window).unwrap_or(SignedDuration::MAX);
    let earliest = console.clock.now().checked_sub(window).unwrap_or(Timestamp::MIN);
    let mut fields = Fields::new();
    fields.check(peer.is_some(), "service", "unknown", "the name of a service that emits events");
    fields.check(input.since >= earliest, "since", "range", "a time within republish_window");
    fields.finish()?;
    let Some(peer) = peer else { return Err(Problem::not_found("service")) };
    let after = input.after.unwrap_or_else(|| inbox::first_id_of(input.since).into());
    let done = peer.republish(after, STEP).await?;
    Ok(Json(Republished { service: peer.service(), events: done.events, next: done.up_to }))
}
