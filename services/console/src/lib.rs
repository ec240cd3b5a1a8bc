//! The console: what happened, why, and what is stuck, gathered from all services.
//!
//! Not a [`service::Service`]: it has no store, no events and no reactions, only [`Peer`]s, which it asks.

mod accounts;
mod dead_letter_groups;
mod dead_letter_replays;
mod dead_letters;
mod event;
mod events;
mod flow;
mod gather;
mod keys;
mod peer;
mod redact;
mod republish;
mod services;
mod settled;
mod story;
mod tail;
mod ui;
mod why;

use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use kernel::Clock;
use service::Tasks;
use service::http::auth::{Auth, Caller};
use service::http::routes;
use service::http::{Policy, Routes};
use utoipa::openapi::OpenApi;

pub use accounts::AskedAccounts;
pub use dead_letter_replays::Replays;
pub use flow::Watcher;
pub use keys::keep_keys;
pub use peer::{Address, NotHttp, Peer, PeerError, innermost, is_loopback};
pub use ui::{Api, Features, Pages};

/// The sources of the console.
#[derive(Clone)]
pub struct Console {
    /// All services.
    pub peers: Arc<Vec<Peer>>,
    /// The rules of access.
    pub auth: Arc<Auth>,
    /// The time.
    pub clock: Clock,
    /// The shop, live.
    pub flow: Watcher,
    /// The greatest age of events that are republished.
    pub republish_window: Duration,
    /// Replays of many dead letters.
    pub replays: Replays,
    /// Completes when tails must end.
    pub tasks: Tasks,
}

/// Routes that take longer than others, and how long at most.
pub const SLOW_ROUTES: [(&str, Duration); 1] =
    [("/internal/settled", settled::TIMEOUT_MAX.saturating_add(Duration::from_secs(5)))];

/// The console's routes as they run.
pub fn routes(console: Console) -> Router {
    let auth = console.auth.clone();
    described().finish(console, auth)
}

/// The description of the console's routes.
pub fn openapi() -> OpenApi {
    described().openapi()
}

/// Says who is asking: for the pages, where somebody signs in.
async fn caller(caller: Caller) -> Json<serde_json::Value> {
    Json(serde_json::json!({"actor": caller.actor()}))
}

fn described() -> Routes<Console> {
    Routes::new()
        .add(Policy::Own, routes!(story::handler))
        .add(Policy::Own, routes!(why::handler))
        .add(Policy::Admin, routes!(events::list))
        .add(Policy::Admin, routes!(event::handler))
        .add(Policy::Admin, routes!(tail::handler))
        .add(Policy::Admin, routes!(republish::handler))
        .add(Policy::Admin, routes!(dead_letters::list))
        .add(Policy::Admin, routes!(dead_letter_groups::list))
        .add(Policy::Admin, routes!(dead_letter_replays::begin))
        .add(Policy::Admin, routes!(dead_letter_replays::get, dead_letter_replays::stop))
        .add(Policy::Admin, routes!(dead_letters::get))
        .add(Policy::Admin, routes!(dead_letters::replay))
        .add(Policy::Admin, routes!(dead_letters::discard))
        .add(Policy::Admin, routes!(settled::handler))
        .add(Policy::Admin, routes!(flow::now))
        .add(Policy::Admin, routes!(flow::live))
        .add(Policy::Admin, routes!(flow::history))
        .add(Policy::Admin, routes!(services::list))
        .add_internal(Policy::Admin, ui::CALLER_PATH, get(caller))
}
