//! The task that asks the services, and what it has found.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernel::{Clock, SignedDuration, Uuid};
use service::operator::{CountFlow, EventsBefore, Flow, Gauges, LookForActivity, ReadGauges};
use service::{Activity, Tasks};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::books;
use super::rates::{OfType, Rates};
use super::snapshot::{Books, Edge, EdgeType, PaidIn, Point, ServiceState, Snapshot, State, Totals};
use crate::Peer;
use crate::gather::ask_each;
use crate::services::{Instance, Outbox, Reaction, ServiceDetails, Services};

/// The time between two snapshots while somebody watches.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_millis(250);

/// The time between two snapshots while nobody does, and between two points of the history.
const POINT_EVERY: Duration = Duration::from_secs(5);

/// The time between two looks into the stores, while somebody watches.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Points of a quarter of an hour.
const POINTS_MAX: usize = 180;

/// A service that takes longer counts as unreachable, so that it delays what is known of the others only so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Orders whose way to their payment is measured.
const PAID_MAX: i64 = 100;

/// The time within which they must have been paid.
const PAID_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// A snapshot that is older is made anew before it is shown.
const FRESH_FOR: Duration = Duration::from_millis(500);

/// Watches the flow of a shop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The newest snapshot as JSON, which all viewers share.
    newest: watch::Sender<Arc<str>>,
    made_at: Mutex<Option<Instant>>,
    services: Mutex<Vec<ServiceDetails>>,
    history: Mutex<VecDeque<Point>>,
    /// Somebody wants a snapshot now.
    asked: Notify,
}

impl Default for Watcher {
    fn default() -> Self {
        let (newest, _) = watch::channel(Arc::from("{}"));
        let shared = Shared {
            newest,
            made_at: Mutex::default(),
            services: Mutex::default(),
            history: Mutex::default(),
            asked: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Watcher {
    /// The snapshots to come.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<str>> {
        let receiver = self.shared.newest.subscribe();
        self.shared.asked.notify_one();
        receiver
    }

    /// A snapshot of this moment.
    pub(super) async fn fresh(&self) -> Arc<str> {
        let mut newest = self.shared.newest.subscribe();
        let made_at = *self.shared.made_at.lock().unwrap_or_else(PoisonError::into_inner);
        if made_at.is_none_or(|at| at.elapsed() > FRESH_FOR) {
            self.shared.asked.notify_one();
            // The sender is in `self`, so there is one.
            let _ = newest.changed().await;
        }
        let snapshot = newest.borrow();
        snapshot.clone()
    }

    /// The services at this moment.
    pub(crate) async fn services(&self) -> Services {
        self.fresh().await;
        Services { items: self.shared.services.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }

    /// The points of the last quarter of an hour.
    pub(super) fn history(&self) -> Vec<Point> {
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Asks the services until the tasks stop.
    pub async fn run(self, peers: Arc<Vec<Peer>>, clock: Clock, tasks: Tasks) {
        let mut sampler = Sampler::new(peers, clock);
        // A start has other work, and a process that ends at once needs none of this.
        self.pause(POINT_EVERY, &tasks).await;
        while !tasks.is_stopping() {
            let is_watched = self.shared.newest.receiver_count() > 0;
            let snapshot = sampler.sample(is_watched).await;
            if let Some(point) = sampler.point(&snapshot) {
                let mut history = self.shared.history.lock().unwrap_or_else(PoisonError::into_inner);
                history.push_back(point);
                let surplus = history.len().saturating_sub(POINTS_MAX);
                history.drain(..surplus);
            }
            let json = serde_json::to_string(&snapshot).expect("a snapshot is plain data");
            *self.shared.services.lock().unwrap_or_else(PoisonError::into_inner) = sampler.details(&snapshot);
            *self.shared.made_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            self.shared.newest.send_replace(json.into());
            let pause = if is_watched { SAMPLE_EVERY } else { POINT_EVERY };
            self.pause(pause, &tasks).await;
        }
    }

    /// Ends early if somebody wants a snapshot.
    async fn pause(&self, pause: Duration, tasks: &Tasks) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.shared.asked.notified() => {}
            () = tasks.stopping() => {}
        }
    }
}

/// The services as they answered last.
struct Sampler {
    peers: Arc<Vec<Peer>>,
    clock: Clock,
    rates: Rates,
    /// By service, of the last look into the stores.
    gauges: HashMap<&'static str, Gauges>,
    /// By service, the same, while somebody watches.
    activities: HashMap<&'static str, Activity>,
    paid: PaidIn,
    books: Option<Books>,
    /// Reasons why services do not answer, by service.
    unreachable: HashMap<&'static str, String>,
    degraded: HashMap<&'static str, String>,
    read_at: Option<Instant>,
    books_due: Option<Instant>,
    point_at: Option<Instant>,
}

impl Sampler {
    fn new(peers: Arc<Vec<Peer>>, clock: Clock) -> Self {
        Self {
            peers,
            clock,
            rates: Rates::default(),
            gauges: HashMap::new(),
            activities: HashMap::new(),
            paid: PaidIn::default(),
            books: None,
            unreachable: HashMap::new(),
            degraded: HashMap::new(),
            read_at: None,
            books_due: None,
            point_at: None,
        }
    }

    async fn sample(&mut self, is_watched: bool) -> Snapshot {
        self.count().await;
        if self.read_at.is_none_or(|at| at.elapsed() >= READ_EVERY) {
            self.read(is_watched).await;
            self.read_at = Some(Instant::now());
        }
        let began = Instant::now();
        if is_watched && self.books_due.is_none_or(|due| began >= due) {
            self.books = books::compare(&self.peers, &self.clock, self.books.as_ref()).await;
            // In a large shop the sums take time: a twentieth of it at the most.
            self.books_due = Some(Instant::now() + READ_EVERY.max(began.elapsed() * 20));
        }
        self.snapshot()
    }

    /// Asks what deliveries became of: from memory, so often.
    async fn count(&mut self) {
        let answers = ask_each(&self.peers, ANSWER_WITHIN, || CountFlow {}).await;
        let now = Instant::now();
        self.unreachable.clear();
        self.degraded.clear();
        for (service, answer) in answers {
            match answer {
                Ok(flow) => {
                    let Flow { degraded, .. } = &flow;
                    self.degraded.extend(degraded.clone().map(|reason| (service, reason)));
                    self.rates.learn(service, flow, now);
                }
                Err(error) => {
                    self.unreachable.insert(service, error.to_string());
                }
            }
        }
        self.rates.keep(now);
    }

    /// Asks what waits in the stores and, for those who watch, in the broker.
    async fn read(&mut self, is_watched: bool) {
        self.gauges.clear();
        for (service, answer) in ask_each(&self.peers, ANSWER_WITHIN, || ReadGauges {}).await {
            match answer {
                Ok(gauges) => {
                    self.gauges.insert(service, gauges);
                }
                Err(error) => {
                    self.unreachable.entry(service).or_insert_with(|| error.to_string());
                }
            }
        }
        self.activities.clear();
        if is_watched {
            let answers = ask_each(&self.peers, ANSWER_WITHIN, || LookForActivity {}).await;
            self.activities.extend(answers.into_iter().filter_map(|(service, answer)| Some((service, answer.ok()?))));
        }
        self.paid = self.paid_in().await;
    }

    /// From the order, whose id has its time, to the event that says that it is paid.
    async fn paid_in(&self) -> PaidIn {
        let Some(orders) = self.peers.iter().find(|peer| peer.service() == "orders") else { return PaidIn::default() };
        let event_type = events::named("OrderPaid").ok().map(|event| event.event_type.to_owned());
        let question = EventsBefore { before: Uuid::max().into(), event_type, subject: None, limit: PAID_MAX };
        let Ok(paid) = orders.ask_within(question, ANSWER_WITHIN).await else { return PaidIn::default() };
        let since = self.clock.now() - PAID_WITHIN;
        let recent = paid.iter().map(|event| &event.0.envelope).filter(|envelope| envelope.time > since);
        let mut millis: Vec<f64> = recent
            .filter_map(|envelope| {
                let took = envelope.time.duration_since(kernel::made_at(envelope.key)?);
                Some((took.as_secs_f64() * 1_000.0).max(0.0))
            })
            .collect();
        millis.sort_unstable_by(f64::total_cmp);
        let at = |share: usize| millis.get((millis.len() * share / 100).min(millis.len().saturating_sub(1))).copied();
        PaidIn { p50: at(50), p99: at(99) }
    }

    /// The history has a point each five seconds.
    fn point(&mut self, snapshot: &Snapshot) -> Option<Point> {
        let now = Instant::now();
        if self.point_at.is_some_and(|at| now.duration_since(at) + SAMPLE_EVERY < POINT_EVERY) {
            return None;
        }
        self.point_at = Some(now);
        let Totals { orders_per_second, paid_ms, in_flight, dead_letters, .. } = snapshot.totals;
        Some(Point { at: snapshot.at, orders_per_second, paid_p99_ms: paid_ms.p99, in_flight, dead_letters })
    }

    fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let mut edges: BTreeMap<(String, &'static str), Vec<EdgeType>> = BTreeMap::new();
        let mut orders_per_second = None;
        for service in self.peers.iter().map(Peer::service) {
            for (event_type, counted) in self.rates.of(service, now) {
                if (service, &*event_type) == ("inventory", "orders.order_placed.v1") {
                    orders_per_second = Some(counted.per_second);
                }
                let Some((from, _)) = event_type.split_once('.') else { continue };
                let of_edge = edges.entry((from.to_owned(), service)).or_default();
                of_edge.push(edge_type(event_type.clone(), &counted));
            }
        }
        let edges = edges.into_iter().map(|((from, to), mut types)| {
            types.sort_unstable_by(|a, b| a.r#type.cmp(&b.r#type));
            Edge { from, to, types }
        });
        Snapshot {
            at: self.clock.now(),
            services: self.peers.iter().map(|peer| self.state(peer.service(), now)).collect(),
            edges: edges.collect(),
            totals: self.totals(orders_per_second),
            books: self.books.clone(),
        }
    }

    fn state(&self, service: &'static str, now: Instant) -> ServiceState {
        let (state, reason) = match (self.unreachable.get(service), self.degraded.get(service)) {
            (Some(reason), _) => (State::Unreachable, Some(reason.clone())),
            (None, Some(reason)) => (State::Degraded, Some(reason.clone())),
            (None, None) => (State::Ready, None),
        };
        let gauges = self.gauges.get(service).filter(|_| !self.unreachable.contains_key(service));
        ServiceState {
            service,
            state: state.as_str(),
            reason,
            outbox_pending: gauges.map(|it| it.outbox_pending),
            oldest_unsent_seconds: gauges.map(|it| it.oldest_unsent_seconds),
            queued: self.activities.get(service).and_then(|it| it.queued),
            retrying: gauges.map(|it| it.retrying),
            dead_letters: gauges.map(|it| it.dead_letters),
            timers_due: gauges.map(|it| it.timers_due),
            instances: self.rates.instances(service, now).len(),
        }
    }

    /// The services with their instances and reactions.
    fn details(&self, snapshot: &Snapshot) -> Vec<ServiceDetails> {
        let now = Instant::now();
        let details = |state: &ServiceState| {
            let instances = self.rates.instances(state.service, now).into_iter().map(|process| Instance {
                name: format!("{:x}", process.id.as_u128() & 0xffff_ffff),
                version: process.version,
                started_at: process.started_at,
                memory_bytes: process.memory_bytes,
            });
            let mut consumers: Vec<Reaction> = self
                .rates
                .of(state.service, now)
                .into_iter()
                .map(|(event_type, it)| reaction(event_type, &it))
                .collect();
            consumers.sort_unstable_by(|a, b| a.r#type.cmp(&b.r#type));
            ServiceDetails {
                service: state.service,
                state: state.state,
                reason: state.reason.clone(),
                instances: instances.collect(),
                consumers,
                outbox: Outbox { pending: state.outbox_pending, oldest_seconds: state.oldest_unsent_seconds },
                timers_due: state.timers_due,
                dead_letters: state.dead_letters,
            }
        };
        snapshot.services.iter().map(details).collect()
    }

    /// Sums of what is known; what no service answers is not known.
    fn totals(&self, orders_per_second: Option<f64>) -> Totals {
        let known = || self.gauges.values();
        let is_known = !self.gauges.is_empty();
        Totals {
            orders_per_second: orders_per_second
                .or_else(|| (!self.unreachable.contains_key("inventory")).then_some(0.0)),
            paid_ms: self.paid,
            in_flight: (self.activities.len() == self.peers.len())
                .then(|| self.activities.values().map(|it| it.pending).sum()),
            outbox_pending: is_known.then(|| known().map(|it| it.outbox_pending).sum()),
            oldest_unsent_seconds: is_known.then(|| known().map(|it| it.oldest_unsent_seconds).fold(0.0, f64::max)),
            dead_letters: is_known.then(|| known().map(|it| it.dead_letters).sum()),
        }
    }
}

fn name(event_type: &str) -> String {
    events::find(event_type).map_or_else(|| event_type.to_owned(), |event| event.name.to_owned())
}

fn reaction(event_type: String, counted: &OfType) -> Reaction {
    Reaction {
        name: name(&event_type),
        r#type: event_type,
        handled: counted.all.done,
        failed: counted.all.parked,
        retried: counted.all.retried,
        per_second: counted.per_second,
        p50_ms: counted.recent.quantile_ms(0.5),
        p90_ms: counted.recent.quantile_ms(0.9),
        p99_ms: counted.recent.quantile_ms(0.99),
    }
}

fn edge_type(event_type: String, counted: &OfType) -> EdgeType {
    EdgeType {
        name: name(&event_type),
        r#type: event_type,
        per_second: counted.per_second,
        failed_per_second: counted.failed_per_second,
        p99_ms: counted.recent.quantile_ms(0.99),
        total: counted.all.done,
    }
}
