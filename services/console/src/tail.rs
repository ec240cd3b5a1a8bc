//! Events as they happen.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{self, KeepAlive};
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use service::http::Problem;
use service::operator::{EventsToCome, NewestPosition};

use crate::events::{Event, of_peer};
use crate::gather::{Missing, gather};
use crate::{Console, Peer, PeerError};

/// Events that are read from one service at once.
const READ: i64 = 100;

/// The wait before a service is asked again that was unreachable, or whose store could not be read.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The position of a tail in one service.
struct Position {
    peer: Peer,
    /// `None` while the service has been unreachable since the tail began: it is followed from the time when it comes
    /// back.
    after: Option<i64>,
    is_unreachable: bool,
}

/// Events of all services from now on, as server-sent events: `id`, `event` (the type) and `data` (the event).
///
/// A service that is unreachable is followed again when it comes back.
#[utoipa::path(
    get, path = "/v1/events/tail", operation_id = "tail_events", tag = "console",
    responses((
        status = 200, content_type = "text/event-stream", body = String,
        headers(("x-tradepost-missing" = String, description = "services that were unreachable when it began")),
    ))
)]
pub(crate) async fn handler(
    State(console): State<Console>,
) -> Result<(Missing, Sse<impl Stream<Item = Result<sse::Event, Infallible>>>), Problem> {
    let newest = gather(console.peers.iter(), move |peer| async move { peer.ask(NewestPosition {}).await }).await?;
    let follow = |peer: &Peer| {
        let found = newest.answers.iter().find(|(answering, _)| answering.service() == peer.service());
        let after = found.map(|(_, position)| *position);
        Position { peer: peer.clone(), after, is_unreachable: after.is_none() }.follow().boxed()
    };
    let events = stream::select_all(console.peers.iter().map(follow));
    // Events that are there at the same time are sent in the order of their times.
    let events = events.ready_chunks(console.peers.len().max(1)).flat_map(|chunks| {
        let mut events: Vec<Event> = chunks.into_iter().flatten().collect();
        events.sort_unstable_by_key(|event| event.event_id);
        stream::iter(events.into_iter().map(|event| Ok(sent(event))))
    });
    let events = events.take_until(Box::pin(console.tasks.stopping()));
    Ok((newest.missing, Sse::new(events).keep_alive(KeepAlive::default())))
}

fn sent(event: Event) -> sse::Event {
    let data = serde_json::to_string(&event).expect("an event has text keys and no failing fields");
    sse::Event::default().id(event.event_id.to_string()).event(event.event_type).data(data)
}

impl Position {
    /// The service's events, as many at a time as there are.
    fn follow(self) -> impl Stream<Item = Vec<Event>> {
        stream::unfold(self, |mut position| async move {
            loop {
                match position.next().await {
                    Ok(events) if events.is_empty() => position.is_unreachable = false,
                    Ok(events) => return Some((events, position)),
                    Err(error) => {
                        if !std::mem::replace(&mut position.is_unreachable, true) {
                            kernel::warn_limited!(%error, "a tail lacks what this service emits until it answers again");
                        }
                        tokio::time::sleep(ASK_AGAIN).await;
                    }
                }
            }
        })
    }

    async fn next(&mut self) -> Result<Vec<Event>, PeerError> {
        let after = match self.after {
            Some(after) => after,
            None => self.peer.ask(NewestPosition {}).await?,
        };
        self.after = Some(after);
        let events = self.peer.ask(EventsToCome { position: after, limit: READ }).await?;
        self.after = events.last().map_or(self.after, |event| Some(event.0.position));
        Ok(of_peer((self.peer.clone(), events)).collect())
    }
}
