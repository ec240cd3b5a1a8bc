//! The flow of events through the shop, live: what a dashboard shows.
//!
//! One task of the process asks the services and makes a snapshot four times a second, whoever and however many watch;
//! while nobody does, it asks every five seconds, for the history alone.

mod books;
mod rates;
mod snapshot;
mod watcher;

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Sse};
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use service::http::{Problem, QueryOf};
use tokio::time::{Instant, sleep_until};
use utoipa::{IntoParams, ToSchema};

use crate::Console;
use snapshot::{Point, Snapshot};

pub use watcher::Watcher;

/// Snapshots a second at the most, and if no number is said.
const HZ_MAX: u64 = 4;

/// The name of an event of the stream.
const FLOW: &str = "flow";

/// The shop at this moment: services, the events between them, and whether the books of services agree.
#[utoipa::path(
    get, path = "/v1/flow", operation_id = "get_flow", tag = "console",
    responses((status = 200, body = Snapshot))
)]
pub(crate) async fn now(State(console): State<Console>) -> impl IntoResponse {
    let snapshot = console.flow.fresh().await;
    ([(header::CONTENT_TYPE, "application/json")], snapshot.to_string())
}

/// The speed of a stream.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Speed {
    /// Snapshots a second at the most.
    #[param(minimum = 1, maximum = 4, default = 4)]
    hz: Option<u64>,
}

/// The shop from now on, as server-sent events of the name `flow`: each is what `GET /v1/flow` answers. A client that reads
/// slowly gets fewer, and always the newest.
#[utoipa::path(
    get, path = "/v1/flow/live", operation_id = "watch_flow", tag = "console",
    params(Speed),
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub(crate) async fn live(
    State(console): State<Console>,
    QueryOf(Speed { hz }): QueryOf<Speed>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let hz = hz.unwrap_or(HZ_MAX);
    if !(1..=HZ_MAX).contains(&hz) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", format!("hz: 1 to {HZ_MAX}")));
    }
    let every = Duration::from_millis(1_000 / hz);
    let begin = (console.flow.watch(), Instant::now(), console.tasks.clone());
    let snapshots = stream::unfold(begin, move |(mut snapshots, next, tasks)| async move {
        sleep_until(next).await;
        tokio::select! {
            changed = snapshots.changed() => changed.ok()?,
            () = tasks.stopping() => return None,
        }
        let snapshot = snapshots.borrow_and_update().clone();
        let event = Event::default().event(FLOW).data(&*snapshot);
        // A little earlier than the next one is made, so that none of four a second is skipped.
        let next = Instant::now() + every.saturating_sub(watcher::SAMPLE_EVERY / 2);
        Some((Ok(event), (snapshots, next, tasks)))
    });
    Ok(Sse::new(snapshots).keep_alive(KeepAlive::default()))
}

/// The last quarter of an hour, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = FlowHistory)]
pub(crate) struct History {
    points: Vec<Point>,
}

/// The last quarter of an hour, a point each five seconds. It begins anew when the process does.
#[utoipa::path(
    get, path = "/v1/flow/history", operation_id = "get_flow_history", tag = "console",
    responses((status = 200, body = History))
)]
pub(crate) async fn history(State(console): State<Console>) -> Json<History> {
    Json(History { points: console.flow.history() })
}
