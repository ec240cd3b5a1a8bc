//! One event.

use axum::Json;
use axum::extract::State;
use kernel::EventId;
use service::http::auth::Caller;
use service::http::{PathId, Problem, ProblemBody};
use service::operator::{ArchivedEvent, EventById};

use crate::Console;
use crate::events::Event;
use crate::gather::{Missing, gather};
use crate::story::{StoryEvent, with_deliveries};

/// One event, and its status at each service that reacts to it.
#[utoipa::path(
    get, path = "/v1/events/{id}", operation_id = "get_event", tag = "console", params(("id" = EventId, Path)),
    responses(
        (
            status = 200, body = StoryEvent,
            headers(("x-tradepost-missing" = String, description = "services that are unreachable: their deliveries are missing")),
        ),
        (status = 503, body = ProblemBody, description = "`peer_away`: it may be at a service that is unreachable"),
    )
)]
pub(crate) async fn handler(
    State(console): State<Console>,
    caller: Caller,
    PathId(event_id): PathId<EventId>,
) -> Result<(Missing, Json<StoryEvent>), Problem> {
    let missing = || Problem::not_found("event");
    let gathered =
        gather(console.peers.iter(), move |peer| async move { peer.ask(EventById { event_id }).await }).await?;
    let (peer, ArchivedEvent(event)) = gathered.only(missing)?;
    let event = Event::new(peer.service(), event);
    let (events, silent) = with_deliveries(&console, vec![event], &caller).await?;
    Ok((silent, Json(events.into_iter().next().ok_or_else(missing)?)))
}
