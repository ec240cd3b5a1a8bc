//! The metrics of a service, under the names that dashboards rely on.

mod counter;
mod flow;
mod process;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kernel::{Lane, Timestamp};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter as Total;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use storage::Committed;

pub use counter::Counter;
pub(crate) use counter::Register;
pub use flow::{BOUNDS_US, Tally};
pub use process::Process;

/// Bounds in seconds, from a commit in memory to a retry after minutes.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// Bounds of group sizes, up to the writer's largest.
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// All metrics of one process.
pub struct Metrics {
    registry: Mutex<Registry>,
    published: Family<Published, Total>,
    handled: Family<Handled, Total>,
    handling: Family<Consumed, Histogram>,
    latency: Family<Consumed, Histogram>,
    outbox_pending: Family<InLane, Gauge>,
    outbox_oldest: Family<InLane, Gauge<f64, std::sync::atomic::AtomicU64>>,
    parked: Family<OfConsumer, Gauge>,
    timers_due: Family<OfService, Gauge>,
    http: Family<Answered, Histogram>,
    commit: Family<OfService, Histogram>,
    group_size: Family<OfService, Histogram>,
    redelivered: Family<OfConsumer, Total>,
    degraded: Gauge,
    flow: flow::Flow,
    process: Process,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Published {
    service: &'static str,
    r#type: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Handled {
    consumer: &'static str,
    r#type: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Consumed {
    consumer: &'static str,
    r#type: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct InLane {
    service: &'static str,
    lane: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfConsumer {
    consumer: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfService {
    service: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    service: &'static str,
    route: String,
    status: u16,
}

/// The outcome of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is committed.
    Done,
    /// It had been handled before.
    Duplicate,
    /// It will be tried again.
    Retried,
    /// It is a dead letter.
    Parked,
}

impl Outcome {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Duplicate => "duplicate",
            Self::Retried => "retried",
            Self::Parked => "parked",
        }
    }
}

impl Metrics {
    /// Those of a process that started then.
    pub fn new(started: Timestamp) -> Self {
        let seconds = || Histogram::new(SECONDS);
        let sizes = || Histogram::new(SIZES);
        let metrics = Self {
            registry: Mutex::default(),
            published: Family::default(),
            handled: Family::default(),
            handling: Family::new_with_constructor(seconds),
            latency: Family::new_with_constructor(seconds),
            outbox_pending: Family::default(),
            outbox_oldest: Family::default(),
            parked: Family::default(),
            timers_due: Family::default(),
            http: Family::new_with_constructor(seconds),
            commit: Family::new_with_constructor(seconds),
            group_size: Family::new_with_constructor(sizes),
            redelivered: Family::default(),
            degraded: Gauge::default(),
            flow: flow::Flow::default(),
            process: Process::started(started),
        };
        metrics.register(started);
        metrics
    }

    fn register(&self, started: Timestamp) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the name that every client of Prometheus uses for it.
        let start = ConstGauge::new(started.as_duration().as_secs_f64());
        registry.register("process_start_time_seconds", "When the process started, since 1970", start);
        let r = registry.sub_registry_with_prefix("tradepost");
        r.register("events_published", "Events that a destination confirmed", self.published.clone());
        r.register("events_handled", "Deliveries by how they ended", self.handled.clone());
        r.register("event_handling_seconds", "Time in a handler and its commit", self.handling.clone());
        r.register("event_latency_seconds", "From the event's commit to its effect", self.latency.clone());
        r.register("outbox_pending", "Unsent events, counted to 100,000", self.outbox_pending.clone());
        r.register("outbox_oldest_seconds", "Age of the oldest unsent event", self.outbox_oldest.clone());
        r.register("parked", "Dead letters", self.parked.clone());
        r.register("timers_due", "Timers whose time has come", self.timers_due.clone());
        r.register("http_requests_seconds", "Requests by route and status", self.http.clone());
        r.register("commit_seconds", "From the call of a commit to its answer", self.commit.clone());
        r.register("commit_group_size", "Batches that shared a transaction", self.group_size.clone());
        r.register(
            "events_redelivered",
            "Redeliveries: from a process that ended, or a shard that moved",
            self.redelivered.clone(),
        );
        r.register("degraded", "1 while events can't be sent or received, else 0", self.degraded.clone());
    }

    /// Shows the counters of a service.
    pub(crate) fn register_all(&self, counters: Vec<Register>) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        for register in counters {
            register(&mut registry);
        }
    }

    /// Everything, as Prometheus text.
    pub fn render(&self) -> String {
        let mut rendered = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        text::encode(&mut rendered, &registry).expect("text can always be added to a string");
        rendered
    }

    pub(crate) fn set_degraded(&self, is_degraded: bool) {
        self.degraded.set(i64::from(is_degraded));
    }

    /// Shows counters of this service from the start: a rise from nothing is no rise to Prometheus.
    pub(crate) fn prepare(&self, service: &'static str) {
        let _ = self.redelivered.get_or_create(&OfConsumer { consumer: service });
    }

    pub(crate) fn set_outbox(&self, service: &'static str, lane: Lane, pending: i64, oldest_seconds: f64) {
        let labels = InLane { service, lane: lane.as_str() };
        self.outbox_pending.get_or_create(&labels).set(pending);
        self.outbox_oldest.get_or_create(&labels).set(oldest_seconds);
    }

    pub(crate) fn set_parked(&self, consumer: &'static str, parked: i64) {
        self.parked.get_or_create(&OfConsumer { consumer }).set(parked);
    }

    pub(crate) fn set_timers_due(&self, service: &'static str, due: i64) {
        self.timers_due.get_or_create(&OfService { service }).set(due);
    }

    pub(crate) fn committed(&self, service: &'static str, committed: &Committed) {
        let labels = OfService { service };
        self.commit.get_or_create(&labels).observe(committed.took.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a group has at most 256 batches")]
        self.group_size.get_or_create(&labels).observe(committed.group_size as f64);
    }

    pub(crate) fn published(&self, service: &'static str, event_type: &str) {
        self.published.get_or_create(&Published { service, r#type: event_type.to_owned() }).inc();
    }

    pub(crate) fn handled(&self, consumer: &'static str, event_type: &str, outcome: Outcome) {
        let labels = Handled { consumer, r#type: event_type.to_owned(), outcome: outcome.as_str() };
        self.handled.get_or_create(&labels).inc();
        self.flow.ended(consumer, event_type, outcome);
    }

    /// The process as it is now.
    pub(crate) fn process(&self) -> Process {
        self.process.now()
    }

    /// The deliveries of a consumer by event type, since the process began.
    pub(crate) fn flow_of(&self, consumer: &str) -> HashMap<String, Tally> {
        self.flow.of(consumer)
    }

    /// Number of deliveries of these types that a consumer has dealt with: each once, unless it was redelivered.
    pub fn dealt_with(&self, consumer: &'static str, types: &[String]) -> u64 {
        let ended = [Outcome::Done, Outcome::Duplicate, Outcome::Parked];
        let labels = types.iter().flat_map(|event_type| {
            let of_type =
                move |outcome: Outcome| Handled { consumer, r#type: event_type.clone(), outcome: outcome.as_str() };
            ended.into_iter().map(of_type)
        });
        labels.map(|labels| self.handled.get_or_create(&labels).get()).sum()
    }

    pub(crate) fn took_effect(
        &self,
        consumer: &'static str,
        event_type: &str,
        handling: Duration,
        latency: Option<Duration>,
    ) {
        let labels = Consumed { consumer, r#type: event_type.to_owned() };
        self.handling.get_or_create(&labels).observe(handling.as_secs_f64());
        if let Some(latency) = latency {
            self.flow.took(consumer, event_type, latency);
            self.latency.get_or_create(&labels).observe(latency.as_secs_f64());
        }
    }

    pub(crate) fn redelivered(&self, consumer: &'static str, count: usize) {
        self.redelivered.get_or_create(&OfConsumer { consumer }).inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    pub(crate) fn answered(&self, service: &'static str, route: String, status: u16, took: Duration) {
        self.http.get_or_create(&Answered { service, route, status }).observe(took.as_secs_f64());
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}
