//! Dead letters: deliveries that could not be handled, and the decisions about them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::{DeadLetterId, EventId, Timestamp, Uuid};
use serde::{Deserialize, Serialize};
use service::http::auth::Caller;
use service::http::{Listing, Page, PathId, Problem, ProblemBody, QueryOf};
use service::operator::{DeadLetterById, DeadLetters, Discard, Letter, OnBehalfOf, Replay};
use service::storage::held::{Held, LISTED_BYTES_MAX, SHOWN_BYTES_MAX};
use utoipa::{IntoParams, ToSchema};

use crate::dead_letter_groups::{group_of, names};
use crate::gather::{Missing, gather};
use crate::redact::shown;
use crate::{Console, Peer, PeerError};

/// An event that one consumer could not handle. Later events of its key wait behind it, in its lane.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    dead_letter_id: DeadLetterId,
    /// The service that could not handle it.
    consumer: &'static str,
    event_id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    /// Its subject.
    key: Uuid,
    /// The reason why the last attempt failed.
    reason: Option<String>,
    attempts: i64,
    first_failed_at: Option<Timestamp>,
    /// The original payload; payment tokens are redacted. One of more than 64 KiB is not listed, one of more than 16
    /// MiB not shown: a text says so.
    #[schema(value_type = Object)]
    body: serde_json::Value,
}

impl DeadLetter {
    fn new(consumer: &'static str, held: Held, bytes_max: usize) -> Self {
        let is_shown = held.body.len() <= bytes_max;
        let body =
            if is_shown { shown(&held.body) } else { format!("more than {bytes_max} bytes, not shown here").into() };
        Self {
            dead_letter_id: held.dead_letter_id,
            consumer,
            event_id: held.envelope.id,
            key: held.envelope.key,
            reason: held.reason,
            attempts: held.attempts,
            first_failed_at: held.first_failed_at,
            body,
            event_type: held.envelope.event_type,
        }
    }
}

/// The dead letters to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this service.
    consumer: Option<String>,
    /// Only those of this group: see `GET /v1/dead-letters/groups`.
    group: Option<String>,
}

/// Dead letters of all services, newest first.
#[utoipa::path(
    get, path = "/v1/dead-letters", operation_id = "list_dead_letters", tag = "console",
    params(Filter, Page),
    responses(
        (
            status = 200, body = Listing<DeadLetter>,
            headers(("x-tradepost-missing" = String, description = "services that are unreachable: their items are missing")),
        ),
        (status = 400, body = ProblemBody, description = "`invalid_query`: there is no such consumer"),
    )
)]
pub(crate) async fn list(
    State(console): State<Console>,
    page: Page,
    QueryOf(Filter { consumer, group }): QueryOf<Filter>,
) -> Result<(Missing, Json<Listing<DeadLetter>>), Problem> {
    let services = || console.peers.iter().map(Peer::service);
    if let Some(consumer) = consumer.as_deref().filter(|consumer| !services().any(|service| service == *consumer)) {
        let suggestion = kernel::suggestion(consumer, services());
        let detail = format!("consumer: there is no service {}{suggestion}", consumer.escape_debug());
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail));
    }
    let asked = console.peers.iter().filter(|peer| consumer.as_deref().is_none_or(|it| it == peer.service()));
    let gathered = gather(asked, |peer| {
        let group = group.clone();
        async move {
            match group {
                None => peer.ask(DeadLetters { before: page.before(), limit: page.rows() }).await,
                Some(group) => of_group(&peer, &group, &page).await,
            }
        }
    });
    let gathered = gathered.await?;
    let of_peer = |(peer, letters): (Peer, Vec<Letter>)| {
        let consumer = peer.service();
        letters.into_iter().map(move |Letter(held)| DeadLetter::new(consumer, held, LISTED_BYTES_MAX))
    };
    let mut found: Vec<DeadLetter> = gathered.answers.into_iter().flat_map(of_peer).collect();
    found.sort_unstable_by_key(|letter| std::cmp::Reverse(letter.dead_letter_id));
    Ok((gathered.missing, Json(page.listing(found, |letter| letter.dead_letter_id.into()))))
}

/// The dead letters of a group on a page. Few are read by name to find many, and their bodies one by one.
async fn of_group(peer: &Peer, group: &str, page: &Page) -> Result<Vec<Letter>, PeerError> {
    let before: DeadLetterId = page.before();
    let names = names(peer).await?;
    let wanted = names.iter().filter(|name| name.dead_letter_id < before && group_of(peer.service(), name) == group);
    let mut letters = Vec::new();
    for name in wanted.take(usize::try_from(page.rows()).unwrap_or(0)) {
        letters.extend(peer.ask(DeadLetterById { id: name.dead_letter_id }).await?);
    }
    Ok(letters)
}

/// One dead letter.
#[utoipa::path(
    get, path = "/v1/dead-letters/{id}", operation_id = "get_dead_letter", tag = "console",
    params(("id" = DeadLetterId, Path)),
    responses(
        (status = 200, body = DeadLetter),
        (status = 503, body = ProblemBody, description = "`peer_away`: it may be at a service that is unreachable"),
    )
)]
pub(crate) async fn get(
    State(console): State<Console>,
    PathId(id): PathId<DeadLetterId>,
) -> Result<Json<DeadLetter>, Problem> {
    find(&console, id).await.map(|(_, letter)| Json(letter))
}

/// Handles a dead letter again, with all its attempts before it. What waits behind it follows once it is handled.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/replay", operation_id = "replay_dead_letter", tag = "console",
    params(("id" = DeadLetterId, Path)),
    responses(
        (status = 202, body = DeadLetter),
        (status = 503, body = ProblemBody, description = "`peer_away`: it may be at a service that is unreachable"),
    )
)]
pub(crate) async fn replay(
    State(console): State<Console>,
    caller: Caller,
    PathId(id): PathId<DeadLetterId>,
) -> Result<(StatusCode, Json<DeadLetter>), Problem> {
    let (peer, letter) = find(&console, id).await?;
    if !peer.ask(Replay { id, caller: OnBehalfOf(caller.clone()) }).await? {
        return Err(missing());
    }
    record(&caller, "replay", &letter);
    Ok((StatusCode::ACCEPTED, Json(letter)))
}

/// Gives a dead letter up. What waits behind it follows.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/discard", operation_id = "discard_dead_letter", tag = "console",
    params(("id" = DeadLetterId, Path)),
    responses(
        (status = 200, body = DeadLetter),
        (status = 503, body = ProblemBody, description = "`peer_away`: it may be at a service that is unreachable"),
    )
)]
pub(crate) async fn discard(
    State(console): State<Console>,
    caller: Caller,
    PathId(id): PathId<DeadLetterId>,
) -> Result<Json<DeadLetter>, Problem> {
    let (peer, letter) = find(&console, id).await?;
    if !peer.ask(Discard { id, caller: OnBehalfOf(caller.clone()) }).await? {
        return Err(missing());
    }
    record(&caller, "discard", &letter);
    Ok(Json(letter))
}

/// Logs a decision and who took it. The consumer's store keeps both too, for as long as it knows what it has handled.
fn record(caller: &Caller, decision: &'static str, letter: &DeadLetter) {
    tracing::info!(
        actor = caller.actor(),
        decision,
        dead_letter_id = %letter.dead_letter_id,
        consumer = letter.consumer,
        event.id = %letter.event_id,
        event.r#type = letter.event_type,
        "a dead letter was decided"
    );
}

async fn find(console: &Console, id: DeadLetterId) -> Result<(Peer, DeadLetter), Problem> {
    let gathered =
        gather(console.peers.iter(), move |peer| async move { peer.ask(DeadLetterById { id }).await }).await?;
    let (peer, Letter(held)) = gathered.only(missing)?;
    let letter = DeadLetter::new(peer.service(), held, SHOWN_BYTES_MAX);
    Ok((peer, letter))
}

fn missing() -> Problem {
    Problem::not_found("dead letter: it may have been replayed or discarded")
}
