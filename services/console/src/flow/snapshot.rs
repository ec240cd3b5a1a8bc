//! The flow as its viewers get it.

use kernel::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The shop at one moment. What is `null` is not known: a service is unreachable, or nothing has happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FlowSnapshot)]
pub(crate) struct Snapshot {
    pub(super) at: Timestamp,
    pub(super) services: Vec<ServiceState>,
    pub(super) edges: Vec<Edge>,
    pub(super) totals: Totals,
    pub(super) books: Option<Books>,
}

/// A service at one moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FlowService)]
pub(crate) struct ServiceState {
    pub(super) service: &'static str,
    #[schema(value_type = State, inline)]
    pub(super) state: &'static str,
    /// The reason why it is not ready.
    pub(super) reason: Option<String>,
    /// Events that are committed and not sent.
    pub(super) outbox_pending: Option<i64>,
    /// The age of the oldest of them.
    pub(super) oldest_unsent_seconds: Option<f64>,
    /// Deliveries that wait in the broker.
    pub(super) queued: Option<u64>,
    /// Deliveries that will be tried again.
    pub(super) retrying: Option<i64>,
    pub(super) dead_letters: Option<i64>,
    pub(super) timers_due: Option<i64>,
    /// Processes that run it and answered lately.
    pub(super) instances: usize,
}

/// The state of a service.
#[derive(Clone, Copy)]
pub(super) enum State {
    Ready,
    /// It can't send or receive events.
    Degraded,
    /// It does not answer, or its store does not.
    Unreachable,
}

kernel::named!(State { Ready = "ready", Degraded = "degraded", Unreachable = "unreachable" });

/// The events of one service at another.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FlowEdge)]
pub(crate) struct Edge {
    pub(super) from: String,
    pub(super) to: &'static str,
    pub(super) types: Vec<EdgeType>,
}

/// The deliveries of one event type.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FlowEdgeType)]
pub(crate) struct EdgeType {
    /// As in `orders.order_placed.v1`.
    pub(super) r#type: String,
    /// As in `OrderPlaced`.
    pub(super) name: String,
    /// Effects a second, over five seconds.
    pub(super) per_second: f64,
    /// Failed attempts a second, over five seconds.
    pub(super) failed_per_second: f64,
    /// From the commit of an event to its effect, of the last half minute.
    pub(super) p99_ms: Option<f64>,
    /// Effects since the processes began.
    pub(super) total: u64,
}

/// The shop as a whole.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = FlowTotals)]
pub(crate) struct Totals {
    /// Orders that inventory decided, a second.
    pub(super) orders_per_second: Option<f64>,
    /// From the order to its payment, of the last minute.
    pub(super) paid_ms: PaidIn,
    /// Events and timers that wait or are being handled.
    pub(super) in_flight: Option<u64>,
    pub(super) outbox_pending: Option<i64>,
    pub(super) oldest_unsent_seconds: Option<f64>,
    pub(super) dead_letters: Option<i64>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[schema(as = FlowPaidIn)]
pub(crate) struct PaidIn {
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
}

/// Sums of the same units and the same money at several services.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FlowBooks)]
pub(crate) struct Books {
    /// False if two services differ and nothing is in flight.
    pub(super) balanced: bool,
    pub(super) checked_at: Timestamp,
    pub(super) checks: Vec<Check>,
}

/// One sum that two services have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FlowBookCheck)]
pub(crate) struct Check {
    pub(super) name: &'static str,
    pub(super) ok: bool,
    pub(super) detail: String,
}

/// The shop at one moment of the last quarter of an hour.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FlowPoint)]
pub(crate) struct Point {
    pub(super) at: Timestamp,
    pub(super) orders_per_second: Option<f64>,
    pub(super) paid_p99_ms: Option<f64>,
    /// `null` while nobody watched: it asks the broker.
    pub(super) in_flight: Option<u64>,
    pub(super) dead_letters: Option<i64>,
}
