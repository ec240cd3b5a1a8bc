//! Events as they happen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{self, KeepAlive};
use futures_util::future::{FutureExt, select_all};
use futures_util::stream::{self, Stream};
use service::Operator;
use service::http::Problem;
use tokio::sync::watch;

use crate::Console;
use crate::events::Event;

/// Events that are read from one service at once.
const READ: i64 = 100;

/// The longest sleep: the safety net should a wake-up be missed.
const POLL: Duration = Duration::from_secs(1);

/// Where a tail is in one service.
struct Position {
    operator: Operator,
    after: i64,
    emitted: watch::Receiver<()>,
}

struct Tail {
    console: Console,
    positions: Vec<Position>,
    ready: VecDeque<Event>,
}

/// Events of all services from now on, as server-sent events: `id`, `event` (the type) and `data` (the event).
#[utoipa::path(
    get, path = "/v1/events/tail", tag = "console",
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub(crate) async fn handler(
    State(console): State<Console>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let mut positions = Vec::with_capacity(console.operators.len());
    for operator in console.operators.iter() {
        let emitted = operator.emitted();
        let after = operator.newest_position().await?;
        positions.push(Position { operator: operator.clone(), after, emitted });
    }
    let tail = Tail { console, positions, ready: VecDeque::new() };
    let events = stream::unfold(tail, |mut tail| async move { tail.next().await.map(|event| (Ok(event), tail)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

impl Tail {
    /// The next event; `None` when the process drains.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                let data = serde_json::to_string(&event).expect("an event has text keys and no failing fields");
                return Some(sse::Event::default().id(event.event_id.to_string()).event(event.event_type).data(data));
            }
            self.read().await;
            if self.ready.is_empty() && !self.wait().await {
                return None;
            }
        }
    }

    async fn read(&mut self) {
        for position in &mut self.positions {
            position.emitted.mark_unchanged();
            // A store that can't be read now is read at the next turn, from the same position.
            let events = position.operator.events_after(position.after, READ).await.unwrap_or_default();
            for event in events {
                position.after = event.position;
                self.ready.push_back(Event::new(position.operator.service(), event));
            }
        }
        self.ready.make_contiguous().sort_unstable_by_key(|event| event.event_id);
    }

    async fn wait(&mut self) -> bool {
        let emitted = self.positions.iter_mut().map(|position| position.emitted.changed().boxed());
        tokio::select! {
            _ = select_all(emitted) => true,
            () = tokio::time::sleep(POLL) => true,
            () = self.console.tasks.stopping() => false,
        }
    }
}
