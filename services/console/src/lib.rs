//! The console: what happened, why, and what is stuck, gathered from all services.
//!
//! Not a [`service::Service`]: it has no store, no events and no reactions, only operator handles.

mod dead_letters;
mod events;
mod redact;
mod settled;
mod story;
mod tail;

use std::sync::Arc;

use axum::extract::FromRef;
use kernel::Clock;
use service::http::auth::Auth;
use service::{Operator, Tasks};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the console gathers from.
#[derive(Clone)]
pub struct Console {
    /// All services.
    pub operators: Arc<Vec<Operator>>,
    /// Who is let in.
    pub auth: Arc<Auth>,
    /// The time.
    pub clock: Clock,
    /// Tells when tails must end.
    pub tasks: Tasks,
}

impl FromRef<Console> for Arc<Auth> {
    fn from_ref(console: &Console) -> Self {
        console.auth.clone()
    }
}

/// The console's routes.
pub fn routes(console: Console) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(story::handler))
        .routes(routes!(events::list))
        .routes(routes!(events::get))
        .routes(routes!(tail::handler))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::get))
        .routes(routes!(dead_letters::replay))
        .routes(routes!(dead_letters::discard))
        .routes(routes!(settled::handler))
        .with_state(console)
}
