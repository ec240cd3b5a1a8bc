//! The services and their instances, with what each handles.

use axum::Json;
use axum::extract::State;
use kernel::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Console;

/// All services.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServiceList)]
pub(crate) struct Services {
    pub(crate) items: Vec<ServiceDetails>,
}

/// A service, its instances and its reactions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ServiceDetails {
    pub(crate) service: &'static str,
    /// `ready`, `degraded` or `unreachable`.
    pub(crate) state: &'static str,
    /// The reason why it is not ready.
    pub(crate) reason: Option<String>,
    /// Processes that run it and answered lately. Of several behind one address, those that happened to answer.
    pub(crate) instances: Vec<Instance>,
    /// Its reactions by event type.
    pub(crate) consumers: Vec<Reaction>,
    pub(crate) outbox: Outbox,
    pub(crate) timers_due: Option<i64>,
    pub(crate) dead_letters: Option<i64>,
}

/// A process that runs a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServiceInstance)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) started_at: Timestamp,
    /// Memory of the process, in bytes, where the system says so.
    pub(crate) memory_bytes: Option<u64>,
}

/// A service's reaction to one event type.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServiceReaction)]
pub(crate) struct Reaction {
    pub(crate) r#type: String,
    pub(crate) name: String,
    /// Effects since the processes began.
    pub(crate) handled: u64,
    /// Deliveries that became dead letters since the processes began.
    pub(crate) failed: u64,
    /// Attempts that failed since the processes began.
    pub(crate) retried: u64,
    /// Effects a second, over five seconds.
    pub(crate) per_second: f64,
    /// From the commit of an event to its effect, of the last half minute.
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p90_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

/// Events of a service that are committed and not sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServiceOutbox)]
pub(crate) struct Outbox {
    pub(crate) pending: Option<i64>,
    pub(crate) oldest_seconds: Option<f64>,
}

/// All services with their instances, what each handles, and what waits.
#[utoipa::path(
    get, path = "/v1/services", operation_id = "list_services", tag = "console",
    responses((status = 200, body = Services))
)]
pub(crate) async fn list(State(console): State<Console>) -> Json<Services> {
    Json(console.flow.services().await)
}
