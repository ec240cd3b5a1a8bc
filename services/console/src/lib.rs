//! The console: what happened, why, and what is stuck, gathered from all services.
//!
//! Not a [`service::Service`]: it has no store, no events and no reactions, only [`Peer`]s, which it asks.

mod accounts;
mod dead_letters;
mod event;
mod events;
mod gather;
mod keys;
mod peer;
mod redact;
mod republish;
mod settled;
mod story;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use kernel::Clock;
use service::Tasks;
use service::http::auth::Auth;
use service::http::{Policy, Routes};
use utoipa::openapi::OpenApi;
use utoipa_axum::routes;

pub use accounts::AskedAccounts;
pub use keys::keep_keys;
pub use peer::{Address, NotHttp, Peer, PeerError, innermost, is_loopback};

/// The sources of the console.
#[derive(Clone)]
pub struct Console {
    /// All services.
    pub peers: Arc<Vec<Peer>>,
    /// The rules of access.
    pub auth: Arc<Auth>,
    /// The time.
    pub clock: Clock,
    /// The greatest age of events that are republished.
    pub republish_window: Duration,
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

fn described() -> Routes<Console> {
    Routes::new()
        .add(Policy::Own, routes!(story::handler))
        .add(Policy::Admin, routes!(events::list))
        .add(Policy::Admin, routes!(event::handler))
        .add(Policy::Admin, routes!(tail::handler))
        .add(Policy::Admin, routes!(republish::handler))
        .add(Policy::Admin, routes!(dead_letters::list))
        .add(Policy::Admin, routes!(dead_letters::get))
        .add(Policy::Admin, routes!(dead_letters::replay))
        .add(Policy::Admin, routes!(dead_letters::discard))
        .add(Policy::Admin, routes!(settled::handler))
}
