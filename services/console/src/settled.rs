//! A barrier for tests and scripts: waits until nothing is in flight.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::future::try_join_all;
use kernel::{Clock, EventId, SignedDuration, Uuid};
use serde::{Deserialize, Serialize};
use service::http::{Problem, ProblemBody, QueryOf};
use service::operator::{EventsBefore, LookForActivity};
use service::{Activity, DeliveryStatus};
use utoipa::ToSchema;

use crate::{Console, Peer, PeerError};

/// The wait if the request states none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The longest wait of a request.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_mins(5);

/// The time between two looks in one process.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The time between two looks where they go over the network.
const LOOK_ELSEWHERE_AGAIN: Duration = Duration::from_millis(50);

/// The newest events of each service whose deliveries are looked for: more than a broker hands out at once, and what
/// it has yet to hand out it counts itself.
const RECENT: i64 = 256;

/// Older events are not looked for: a delivery is handled or redelivered long before, and some reactions are
/// younger than an event.
const RECENT_FOR: SignedDuration = SignedDuration::from_hours(1);

#[derive(Deserialize)]
pub(crate) struct Wait {
    timeout: Option<String>,
}

/// Nothing is in flight.
#[derive(Serialize, ToSchema)]
pub(crate) struct Settled {
    settled: bool,
}

/// Answers once nothing is pending anywhere: no unsent event, no due retry, no due timer, no running handler.
#[utoipa::path(
    get, path = "/internal/settled", operation_id = "wait_until_settled", tag = "console",
    params(("timeout" = Option<String>, Query, description = "as in 10s or 500ms; at most 300s")),
    responses(
        (status = 200, body = Settled),
        (status = 408, body = ProblemBody, description = "`not_settled`"),
        (status = 503, body = ProblemBody, description = "`peer_away`: a service was unreachable until the end"),
    )
)]
pub(crate) async fn handler(
    State(console): State<Console>,
    QueryOf(wait): QueryOf<Wait>,
) -> Result<Json<Settled>, Problem> {
    let timeout = timeout(wait.timeout.as_deref())?;
    let mut unreachable = None;
    let settled = tokio::time::timeout(timeout, until_settled(&console, &mut unreachable)).await;
    settled.unwrap_or_else(|_| {
        let detail = format!("work is still in progress after {timeout:?}");
        Err(unreachable.map_or_else(|| Problem::new(StatusCode::REQUEST_TIMEOUT, "not_settled", detail), Problem::from))
    })?;
    Ok(Json(Settled { settled: true }))
}

/// `unreachable` is a service that did not answer at the last look: it may come back in time.
async fn until_settled(
    Console { peers, clock, .. }: &Console,
    unreachable: &mut Option<PeerError>,
) -> Result<(), Problem> {
    // Else a delivery that an instance has and did not begin is counted nowhere.
    let all_is_counted = peers.iter().all(Peer::sent_means_handled);
    loop {
        match are_settled(peers, (!all_is_counted).then_some(clock)).await {
            Ok(true) => return Ok(()),
            Ok(false) => *unreachable = None,
            Err(error @ PeerError::Unreachable { .. }) => *unreachable = Some(error),
            Err(error @ PeerError::Store(_)) => return Err(error.into()),
        }
        tokio::time::sleep(if all_is_counted { LOOK_AGAIN } else { LOOK_ELSEWHERE_AGAIN }).await;
    }
}

/// With a clock, the newest events are looked for where they are handled too.
async fn are_settled(peers: &[Peer], looking: Option<&Clock>) -> Result<bool, PeerError> {
    // Two looks with nothing pending and nothing emitted between them: while one service was looked at,
    // no event can have moved from it to one that was looked at before.
    let first = look(peers).await?;
    if first.iter().any(|activity| activity.pending > 0) {
        return Ok(false);
    }
    if let Some(clock) = looking
        && !are_delivered(peers, clock).await?
    {
        return Ok(false);
    }
    Ok(look(peers).await? == first)
}

async fn look(peers: &[Peer]) -> Result<Vec<Activity>, PeerError> {
    try_join_all(peers.iter().map(|peer| peer.ask(LookForActivity {}))).await
}

/// True if the newest events are handled or held by all their consumers.
async fn are_delivered(peers: &[Peer], clock: &Clock) -> Result<bool, PeerError> {
    let (newest, since) = (EventId::from(Uuid::max()), clock.now() - RECENT_FOR);
    let question = || EventsBefore { before: newest, event_type: None, subject: None, limit: RECENT };
    let recent = try_join_all(peers.iter().map(|peer| peer.ask(question()))).await?;
    let recent = recent.iter().flatten().map(|event| &event.0).filter(|event| event.envelope.time > since);
    let recent: Vec<(EventId, &str)> =
        recent.map(|event| (event.envelope.id, event.envelope.event_type.as_str())).collect();
    let statuses = try_join_all(peers.iter().map(|peer| peer.deliveries(&recent))).await?;
    Ok(statuses.iter().flat_map(HashMap::values).all(|delivery| delivery.status != DeliveryStatus::PENDING))
}

fn timeout(text: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(TIMEOUT_DEFAULT) };
    let parsed = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => millis.parse().ok().map(Duration::from_millis),
        (None, Some(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        (None, None) => None,
    };
    parsed.filter(|timeout| *timeout <= TIMEOUT_MAX).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_query", "timeout: as in 10s or 500ms, at most 300s")
    })
}
