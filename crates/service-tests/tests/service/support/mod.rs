//! Small services in one process, on a clock that stands still.

mod script;
mod services;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use bus::{Broker, Destination, Embedded, Message, PublishResult, Topology};
use kernel::{Clock, DeadLetterId, Ids, MockClock, SignedDuration, Timestamp, Uuid};
use serde_json::{Value, json};
use service::catch_up::{self, Beside};
use service::http::auth::{Auth, digest};
use service::http::overload::{Limits, Overload};
use service::shell::Shell;
use service::storage::Location;
use service::telemetry::Metrics;
use service::{
    AnyService, Backoff, CatchingUp, DeliveryStatus, Operator, Running, Runtime, Service, Settings, Tasks, Tracer,
};
use storage::archive::StoredEvent;
use storage::held::Held;
use storage::{Db, Migrations, Options};
use tower::ServiceExt;

pub use script::{Script, Step};
pub use services::{
    REMIND, REMIND_AFTER, batch_consumer, batch_listener, batch_timekeeper, consumer, emitter, listener,
    staged_timekeeper, timekeeper,
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(5);

pub const ADMIN_TOKEN: &str = "an-admin-token-for-tests-only-0123456789";

/// Attempts before a delivery is parked.
pub const ATTEMPTS: i64 = 3;

/// The longest wait between two of them.
pub const RETRY_MAX: SignedDuration = SignedDuration::from_mins(1);

/// The time at which the first process begins.
static START: LazyLock<Timestamp> = LazyLock::new(|| "2026-01-01T00:00:00Z".parse().expect("it is RFC 3339"));

static STARTS: AtomicI64 = AtomicI64::new(0);

/// Services that run in one process.
pub struct House {
    pub hands: MockClock,
    pub broker: Arc<Embedded>,
    pub runtime: Runtime,
    services: BTreeMap<&'static str, Running>,
}

impl House {
    /// Starts the services on a folder.
    pub async fn start(folder: &Path, services: Vec<Service<Script>>) -> Self {
        Self::start_with(folder, services, Settings::default()).await
    }

    /// The same; of the settings, the schedule of retries and the limits are those of all tests.
    pub async fn start_with(folder: &Path, services: Vec<Service<Script>>, settings: Settings) -> Self {
        Self::start_traced(folder, services, settings, Tracer::default()).await
    }

    pub async fn start_traced(
        folder: &Path,
        services: Vec<Service<Script>>,
        settings: Settings,
        tracer: Tracer,
    ) -> Self {
        Self::start_on(folder, services, settings, tracer, |broker| broker).await
    }

    /// The same, on a broker that stands around the embedded one.
    pub async fn start_on(
        folder: &Path,
        services: Vec<Service<Script>>,
        settings: Settings,
        tracer: Tracer,
        around: impl FnOnce(Arc<Embedded>) -> Arc<dyn Broker>,
    ) -> Self {
        // Each process begins a second after the one before, so that its ids sort after those of that one.
        let starts = STARTS.fetch_add(1, Ordering::Relaxed);
        let (clock, hands) = Clock::mock(*START + SignedDuration::from_secs(starts));
        let topology = services
            .iter()
            .fold(Topology::new(), |topology, service| topology.consumer(service.name(), service.subscriptions()));
        let broker = Arc::new(Embedded::new(topology));
        let settings = Settings {
            retry: Backoff { base: Duration::from_secs(1), max: RETRY_MAX.unsigned_abs() },
            retry_attempts: ATTEMPTS,
            limits: Limits::NONE,
            ..settings
        };
        let auth = Auth::new(vec![digest(ADMIN_TOKEN.as_bytes())], clock.clone());
        let runtime = Runtime {
            store: Location::Folder(folder.to_owned()),
            broker: around(broker.clone()),
            ids: Ids::new(clock.clone()),
            metrics: Arc::new(Metrics::new(clock.now())),
            clock,
            settings: Arc::new(settings),
            tracer,
            auth: Arc::new(auth),
            overload: Overload::new(&[]),
            catching_up: CatchingUp::default(),
            tasks: Tasks::new(),
        };
        let mut running = BTreeMap::new();
        let services: Vec<Box<dyn AnyService>> = services.into_iter().map(|it| Box::new(it) as _).collect();
        let mut consumers = Vec::new();
        for service in &services {
            let store = service.open(&runtime).await.expect("the folder can be written");
            consumers.push(catch_up::consumer(&**service, store, &[]));
        }
        catch_up::begin(&consumers).await.expect("the stores can be read");
        catch_up::catch_up_all(&consumers, &[], Beside::Nobody, drop).await.expect("the stores can be read");
        for (service, consumer) in services.into_iter().zip(consumers) {
            let name = service.name();
            running.insert(name, service.start(consumer.db, &runtime).await.expect("the folder can be written"));
        }
        let operators: Vec<Operator> = running.values().map(|it| it.operator.clone()).collect();
        hands.on_advance(move || operators.iter().for_each(Operator::wake));
        Self { hands, broker, runtime, services: running }
    }

    /// Lets begun work finish and closes every store; what was not begun is there at the next start.
    pub async fn stop(self) {
        let drained = self.runtime.tasks.stop(PATIENCE).await;
        assert!(drained, "work was still in progress after {PATIENCE:?}");
        for running in self.services.values() {
            Running::close(&running.operator, drained).await;
        }
    }

    /// A service's store as another instance of it has it, without the service's own tables.
    pub async fn open_again(&self, service: &'static str) -> Db {
        let Runtime { store, clock, ids, settings, .. } = &self.runtime;
        let options = Options {
            service,
            location: store.clone(),
            migrations: Migrations { set: "another", steps: &[] },
            destinations: HashMap::new(),
            shards: settings.shards,
            outbox_cap: settings.outbox_cap,
            clock: clock.clone(),
            ids: ids.clone(),
        };
        Db::open(options).await.expect("what one instance has open another opens too")
    }

    pub fn operator(&self, service: &str) -> &Operator {
        &self.services[service].operator
    }

    /// The HTTP surface of one service, with all that surrounds it.
    pub fn router(&self, service: &str) -> Router {
        let running = &self.services[service];
        let shell = Shell {
            asyncapi: || "{}".to_owned(),
            tracer: self.runtime.tracer.clone(),
            operators: self.services.values().map(|it| it.operator.clone()).collect(),
            broker: self.broker.clone(),
            metrics: self.runtime.metrics.clone(),
            auth: self.runtime.auth.clone(),
            ids: self.runtime.ids.clone(),
            clock: self.runtime.clock.clone(),
            settings: self.runtime.settings.clone(),
            overload: Overload::new(&[]),
            tasks: self.runtime.tasks.clone(),
        };
        shell.wrap(running.router.clone(), |_| "{}".to_owned(), |_| String::new())
    }

    /// Makes a service emit an event about each subject, in one commit: in this order, at these versions.
    pub async fn emit(&self, service: &str, facts: &[(Uuid, &str, i64)]) {
        let facts: Vec<Value> = facts
            .iter()
            .map(|(subject, name, version)| json!({"subject": subject, "name": name, "version": version}))
            .collect();
        let answer = self.post(service, "/v1/emit", &json!({ "facts": facts })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    }

    pub async fn post(&self, service: &str, path: &str, body: &Value) -> TestResponse {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        send(&self.router(service), request.body(body.to_string().into()).expect("a valid request")).await
    }

    /// The effects of a consumer: subject and name, in the order in which they were decided.
    pub async fn effects(&self, consumer: &str) -> Vec<(Uuid, String)> {
        let (router, mut effects, mut page) = (self.router(consumer), Vec::new(), String::new());
        loop {
            let uri = format!("/v1/effects?limit=100{page}");
            let answer = send(&router, Request::get(uri).body(Body::empty()).expect("a valid request")).await;
            let items = answer.json["items"].as_array().expect("a list has items").clone();
            effects.extend(items.into_iter().map(|item| {
                let subject = item["subject"].as_str().expect("an effect has a subject").parse().expect("a UUID");
                (subject, item["name"].as_str().expect("an effect has a name").to_owned())
            }));
            let Some(next) = answer.json["next"].as_str() else { return effects };
            page = format!("&cursor={next}");
        }
    }

    /// The names of what a consumer did about a subject, in order.
    pub async fn effects_on(&self, consumer: &str, subject: Uuid) -> Vec<String> {
        let effects = self.effects(consumer).await;
        effects.into_iter().filter(|(of, _)| *of == subject).map(|(_, name)| name).collect()
    }

    /// The events of a service, oldest first.
    pub async fn emitted(&self, service: &str) -> Vec<StoredEvent> {
        self.operator(service).events_after(0, 1_000).await.expect("the store can be read")
    }

    /// The status at a consumer of the `n`th event that a service emitted.
    pub async fn delivery(&self, consumer: &str, service: &str, n: usize) -> DeliveryStatus {
        let event = self.emitted(service).await.swap_remove(n);
        let events = [(event.envelope.id, event.envelope.event_type.as_str())];
        let mut statuses = self.operator(consumer).deliveries(&events).await.expect("the store can be read");
        statuses.remove(&event.envelope.id).expect("the consumer reacts to it")
    }

    pub async fn dead_letters(&self, consumer: &str) -> Vec<Held> {
        let newest: DeadLetterId = Uuid::max().into();
        self.operator(consumer).dead_letters(newest, 100).await.expect("the store can be read")
    }

    /// Hands a message to a consumer past the relay, as a broker that repeats itself would.
    pub async fn publish(&self, consumer: &str, message: Message) {
        let outcome = self.broker.publish(&Destination::new(consumer), message);
        let outcome = tokio::time::timeout(PATIENCE, outcome).await;
        assert_eq!(outcome, Ok(PublishResult::Stored));
    }

    /// Waits until nothing is in flight: nothing to send, to handle, to retry or to do by a timer.
    pub async fn settle(&self) {
        until("nothing is in flight", async || {
            let first = self.activities().await;
            first.iter().all(|(pending, _)| *pending == 0) && self.activities().await == first
        })
        .await;
    }

    /// Moves the clock, then settles what came due.
    pub async fn advance(&self, by: SignedDuration) {
        self.hands.advance(by);
        self.settle().await;
    }

    async fn activities(&self) -> Vec<(u64, i64)> {
        let mut activities = Vec::new();
        for running in self.services.values() {
            let activity = running.operator.activity().await.expect("the store can be read");
            activities.push((activity.pending, activity.newest_event));
        }
        activities
    }
}

/// An event as the relay sends it.
pub fn message(event: &StoredEvent) -> Message {
    Message { envelope: event.envelope.clone(), body: event.body.clone().into() }
}

/// The answer to a request.
pub struct TestResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    /// Null where the body is no JSON.
    pub json: Value,
}

pub async fn send(router: &Router, request: Request<Body>) -> TestResponse {
    let response = router.clone().oneshot(request).await.expect("a router answers everything");
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("an answer is complete");
    let json = serde_json::from_slice(&bytes).unwrap_or_default();
    TestResponse {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
        json,
    }
}

/// One handler at a time.
pub fn one_at_a_time() -> Settings {
    Settings { workers: 1, ..Settings::default() }
}

/// Waits until the condition holds; fails after [`PATIENCE`].
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
