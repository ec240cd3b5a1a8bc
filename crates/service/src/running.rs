//! A service that runs: its store is open, its relays, consumers and timers are at work.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use axum::Router;
use bus::{Broker, Destination};
use futures_util::future::BoxFuture;
use http::auth::Auth;
use http::idempotency::Idempotency;
use http::overload::{Overload, YieldsTo};
use http::{Accounts, Keyring, ObjectToken};
use kernel::{Clock, Ids, Lane, SignedDuration};
use storage::{Db, Location, Migrations, Options, Registered};
use tokio::sync::watch;
use utoipa::openapi::OpenApi;

use crate::accounts::StoredAccounts;
use crate::definition::Definition;
use crate::membership::Membership;
use crate::on_demand::Bindings;
use crate::reaction::{Handler, Reaction};
use crate::relay::Relay;
use crate::runner::Runner;
use crate::setting::AnySetting;
use crate::shell::served_by;
use crate::telemetry::Metrics;
use crate::traces::Tracer;
use crate::watch_backlog::{self, Work};
use crate::{
    CannotStart, CatchingUp, Ctx, CtxParts, History, OnDemand, Operator, Service, Settings, Tasks, catching_up,
    operator,
};

/// The parts that a service gets from the process that runs it.
#[derive(Clone)]
pub struct Runtime {
    /// The location of stores.
    pub store: Location,
    /// The message broker.
    pub broker: Arc<dyn Broker>,
    /// The time.
    pub clock: Clock,
    /// Ids and randomness.
    pub ids: Ids,
    /// The parts that all services share.
    pub settings: Arc<Settings>,
    /// Counters and histograms of the process.
    pub metrics: Arc<Metrics>,
    /// Spans of what its services do.
    pub tracer: Tracer,
    /// The tokens of the admin.
    pub auth: Arc<Auth>,
    /// Bounds on load, to which background work yields.
    pub overload: Overload,
    /// Consumers that handle their backlog.
    pub catching_up: CatchingUp,
    /// The tasks of background work.
    pub tasks: Tasks,
}

/// A service at work.
pub struct Running {
    /// Its routes.
    pub router: Router,
    /// The operator's handle.
    pub operator: Operator,
    /// The keys by which it checks tokens.
    pub keys: Keyring,
    /// The accounts that it refuses, and those that it lets in as admin.
    pub accounts: Arc<dyn Accounts>,
}

/// Rows of a table that one sweep forgets at the most, so that it never holds up commits.
const SWEEP_ROWS: i64 = 5_000;

/// The time between two sweeps when the first left some.
const SWEEP_AGAIN: Duration = Duration::from_millis(100);

/// The time between two sweeps when the first left none.
const SWEEP_EVERY: Duration = Duration::from_mins(5);

/// A service whose state's type is of no interest: what a process has a list of.
pub trait AnyService: Send {
    /// The service's name.
    fn name(&self) -> &'static str;

    /// The event types to which it reacts, with their lanes.
    fn subscriptions(&self) -> Vec<(&'static str, Lane)>;

    /// Those of them that it wants only at times.
    fn on_demand(&self) -> Option<&OnDemand>;

    /// Its statements, for the tests that walk all of them.
    fn statements(&self) -> &'static [Registered];

    /// Its tables.
    fn migrations(&self) -> Migrations;

    /// The settings that it reads.
    fn settings(&self) -> &'static [&'static dyn AnySetting];

    /// Age of unfinished work from which it wants new work refused.
    fn late_after(&self) -> Option<Duration>;

    /// The token that opens one of its objects.
    fn object_token(&self) -> Option<&'static ObjectToken>;

    /// The description of its routes.
    fn openapi(&self) -> OpenApi;

    /// The reason why the service's tables can't be built anew from the archives of others; none for a projection.
    fn refuse_rebuild(&self) -> Option<String>;

    /// Opens the store and brings its tables up to date. From now on what is committed there has the destinations of
    /// this process's consumers.
    fn open<'a>(&'a self, runtime: &'a Runtime) -> BoxFuture<'a, Result<Db, storage::Error>>;

    /// Starts relays, consumers and timers on the open store.
    fn start(self: Box<Self>, db: Db, runtime: &Runtime) -> BoxFuture<'_, Result<Running, CannotStart>>;

    /// Starts the same on a store that is built anew: this history is handled first.
    fn rebuild(
        self: Box<Self>,
        db: Db,
        runtime: &Runtime,
        history: Arc<History>,
    ) -> BoxFuture<'_, Result<Running, CannotStart>>;
}

impl<S: Send + Sync + 'static> AnyService for Service<S> {
    fn name(&self) -> &'static str {
        self.definition.name
    }

    fn subscriptions(&self) -> Vec<(&'static str, Lane)> {
        self.definition.reactions.iter().map(|reaction| (reaction.event_type, reaction.lane)).collect()
    }

    fn on_demand(&self) -> Option<&OnDemand> {
        self.definition.on_demand.as_ref()
    }

    fn statements(&self) -> &'static [Registered] {
        self.definition.statements
    }

    fn migrations(&self) -> Migrations {
        self.definition.migrations
    }

    fn settings(&self) -> &'static [&'static dyn AnySetting] {
        self.definition.settings
    }

    fn late_after(&self) -> Option<Duration> {
        self.definition.late_after
    }

    fn object_token(&self) -> Option<&'static ObjectToken> {
        self.definition.object_token
    }

    fn openapi(&self) -> OpenApi {
        self.routes.openapi()
    }

    fn refuse_rebuild(&self) -> Option<String> {
        let Definition { name, timers, is_projection, .. } = &self.definition;
        let emitted = events::all().find(|event| event.source == *name).map(|event| event.event_type);
        if let Some(event_type) = emitted {
            return Some(format!("it emits events of its own, such as {event_type}, which would be emitted once more"));
        }
        if let Some(timer) = timers.first() {
            return Some(format!("it has timers, such as {}, whose work would be done once more", timer.kind.name));
        }
        (!is_projection)
            .then(|| "it is not declared as a projection: its tables may hold what no event says".to_owned())
    }

    fn open<'a>(&'a self, runtime: &'a Runtime) -> BoxFuture<'a, Result<Db, storage::Error>> {
        Box::pin(open(self.definition.name, self.definition.migrations, runtime))
    }

    fn start(self: Box<Self>, db: Db, runtime: &Runtime) -> BoxFuture<'_, Result<Running, CannotStart>> {
        let (definition, router) = self.split();
        Box::pin(definition.start(router, db, runtime, None))
    }

    fn rebuild(
        self: Box<Self>,
        db: Db,
        runtime: &Runtime,
        history: Arc<History>,
    ) -> BoxFuture<'_, Result<Running, CannotStart>> {
        let (definition, router) = self.split();
        Box::pin(definition.start(router, db, runtime, Some(history)))
    }
}

impl<S: Send + Sync + 'static> Service<S> {
    fn split(self) -> (Definition, MakeRouter) {
        let Self { definition, routes, state } = self;
        (definition, Box::new(move |parts, auth| routes.finish(Ctx::new(parts, state), auth)))
    }
}

async fn open(name: &'static str, migrations: Migrations, runtime: &Runtime) -> Result<Db, storage::Error> {
    Db::open(Options {
        service: name,
        location: runtime.store.clone(),
        migrations,
        shards: runtime.settings.shards,
        destinations: destinations(name, &*runtime.broker),
        outbox_cap: runtime.settings.outbox_cap,
        clock: runtime.clock.clone(),
        ids: runtime.ids.clone(),
    })
    .await
}

/// Makes the router of a service's routes.
type MakeRouter = Box<dyn FnOnce(Arc<CtxParts>, Arc<Auth>) -> Router + Send>;

impl Definition {
    /// Starts relays, consumers and timers on the open store.
    async fn start(
        self,
        router: MakeRouter,
        db: Db,
        runtime: &Runtime,
        history: Option<Arc<History>>,
    ) -> Result<Running, CannotStart> {
        catching_up::refuse_blind(&db, self.reactions.iter().map(|reaction| reaction.event_type)).await?;
        storage::outbox::redirect(&db).await?;
        let after_crash = db.mark_running().await?;
        runtime.metrics.register_all(self.counters);
        let membership = join(&db, runtime);
        if self.yields_to == YieldsTo::Others {
            runtime.overload.yielding.add_service(self.name);
        }
        let bindings = Bindings::new(self.on_demand.clone(), &runtime.broker);
        let ctx = Arc::new(CtxParts {
            db: db.clone(),
            clock: runtime.clock.clone(),
            ids: runtime.ids.clone(),
            settings: runtime.settings.clone(),
            metrics: runtime.metrics.clone(),
            tracer: runtime.tracer.clone(),
            keys: Keyring::default(),
            idempotency: Idempotency::new(db.clone(), runtime.clock.clone()),
            store_unavailable: AtomicBool::new(false),
            overload: runtime.overload.clone(),
            yields_to: self.yields_to,
            catching_up: runtime.catching_up.clone(),
            bindings: bindings.clone(),
        });
        crate::keys::load(&ctx).await?;
        for run in self.at_start {
            run(ctx.clone()).await?;
        }
        let operator = Operator {
            broker: runtime.broker.clone(),
            subscriptions: Arc::new(self.reactions.iter().map(|reaction| reaction.event_type).collect()),
            on_demand: self.on_demand.as_ref().map(|it| it.types().clone()).unwrap_or_default().into(),
            ctx: ctx.clone(),
            access: self.access,
            sums: self.sums,
            state: self.state,
            at_stop: self.at_stop,
            wake: watch::Sender::new(()),
            busy: Arc::new(AtomicUsize::new(0)),
        };
        let work = Work {
            broker: runtime.broker.clone(),
            destinations: start_relays(&ctx, runtime, &membership),
            timers: self.timers.iter().map(|timer| timer.kind.name).collect(),
        };
        runtime.tasks.spawn(bindings.keep(ctx.db.clone(), runtime.tasks.clone()));
        runtime.tasks.spawn(watch_backlog::watch(ctx.clone(), work, operator.wake.subscribe(), runtime.tasks.clone()));
        // Where nothing is bound, everything is delivered.
        let unbound = self.on_demand.filter(|_| runtime.broker.guarantees().destination_per_consumer);
        for runner in runners(&ctx, self.reactions, runtime, &membership, &operator, after_crash) {
            // In whichever lane its events were: one runner keeps each key's order.
            let history = history.clone().filter(|_| runner.lane() == Lane::Background);
            let runner = runner.with_history(history).without_unwanted(unbound.clone());
            runtime.tasks.spawn(runner.run(runtime.tasks.clone()));
        }
        for timer in self.timers {
            let wake = operator.wake.subscribe();
            runtime.tasks.spawn(crate::timers::run(ctx.clone(), timer, wake, runtime.tasks.clone()));
        }
        for task in self.tasks {
            runtime.tasks.spawn(task(ctx.clone(), runtime.tasks.clone()));
        }
        runtime.tasks.spawn(sweep(ctx.clone(), runtime.tasks.clone()));
        runtime.tasks.spawn(crate::keys::keep(ctx.clone(), runtime.tasks.clone()));
        let keys = ctx.keys.clone();
        let accounts: Arc<dyn Accounts> = Arc::new(StoredAccounts(operator.ctx.db.clone()));
        let auth = Arc::new(runtime.auth.with_keys(vec![keys.clone()]).with_accounts(accounts.clone()));
        let router = router(ctx, auth.clone());
        let router = router.merge(operator::route::of(&operator, auth, runtime.tasks.clone()));
        Ok(Running { router: served_by(self.name, router), operator, keys, accounts })
    }
}

/// Takes part among the instances of the service, where there can be several.
fn join(db: &Db, runtime: &Runtime) -> Membership {
    if !runtime.broker.guarantees().is_shared() {
        return Membership::alone(db.shards());
    }
    let membership = Membership::of_many();
    let keep = membership.clone().keep(db.clone(), runtime.ids.next(), runtime.tasks.clone());
    runtime.tasks.spawn(keep);
    membership
}

/// The destinations of the service's own events, type by type.
fn destinations(service: &str, broker: &dyn Broker) -> HashMap<String, Vec<String>> {
    events::all()
        .filter(|event| event.source == service)
        .map(|event| {
            let names = broker.destinations(event.event_type).iter().map(ToString::to_string).collect();
            (event.event_type.to_owned(), names)
        })
        .collect()
}

/// Answers with the destinations and lanes that types have today.
fn start_relays(ctx: &CtxParts, runtime: &Runtime, membership: &Membership) -> Vec<(String, Lane)> {
    let mut targets = HashSet::new();
    for event in events::all().filter(|event| event.source == ctx.db.service()) {
        for destination in runtime.broker.destinations(event.event_type) {
            targets.insert((destination, event.lane));
        }
    }
    let relays = targets.iter().map(|(destination, lane)| (destination.to_string(), *lane)).collect();
    let destinations: HashSet<&Destination> = targets.iter().map(|(destination, _)| destination).collect();
    // In every lane: what a version before emitted may wait in another lane than its type has today.
    for (destination, lane) in destinations.into_iter().flat_map(|name| Lane::ALL.map(|lane| (name.clone(), lane))) {
        let has_types = targets.contains(&(destination.clone(), lane));
        let relay = Relay::new(ctx, runtime.broker.clone(), destination, lane, membership);
        let relay = if has_types { relay } else { relay.of_former_types() };
        runtime.tasks.spawn(relay.run(runtime.tasks.clone()));
    }
    relays
}

fn runners(
    ctx: &Arc<CtxParts>,
    reactions: Vec<Reaction>,
    runtime: &Runtime,
    membership: &Membership,
    operator: &Operator,
    after_crash: bool,
) -> impl Iterator<Item = Runner> {
    let handlers: HashMap<&'static str, Handler> =
        reactions.into_iter().map(|reaction| (reaction.event_type, reaction.handler)).collect();
    // In every lane all types: what a version before emitted may still arrive in another lane than its type has today.
    Lane::ALL.into_iter().map(move |lane| {
        let broker = runtime.broker.clone();
        Runner::new(ctx.clone(), lane, handlers.clone(), broker, membership, after_crash, operator)
    })
}

/// Forgets handled events after `inbox_retention`, and idempotency keys that no longer stand.
async fn sweep(ctx: Arc<CtxParts>, tasks: Tasks) {
    let retention = SignedDuration::try_from(ctx.settings.inbox_retention).expect("the retention is days long");
    while !tasks.is_stopping() {
        let now = ctx.clock.now();
        let events = storage::inbox::forget(&ctx.db, now - retention, SWEEP_ROWS).await;
        let keys = storage::idempotency::forget(&ctx.db, now, SWEEP_ROWS).await;
        let forgotten = events.and_then(|events| Ok(events.max(keys?))).unwrap_or_else(|error| {
            kernel::warn_limited!(service = ctx.db.service(), %error, "what is no longer needed can't be forgotten");
            0
        });
        let there_is_more = i64::try_from(forgotten).is_ok_and(|rows| rows >= SWEEP_ROWS);
        tokio::select! {
            () = tokio::time::sleep(if there_is_more { SWEEP_AGAIN } else { SWEEP_EVERY }) => {}
            () = tasks.stopping() => {}
        }
    }
}

impl Running {
    /// After the tasks have stopped: runs what the service does at a stop, marks the store as closed cleanly if all work was
    /// finished, and closes it.
    pub async fn close(operator: &Operator, drained: bool) {
        if let Some(run) = &operator.at_stop
            && let Err(error) = run(operator.ctx.clone()).await
        {
            tracing::warn!(service = operator.service(), %error, "what the service does at its stop can't be done");
        }
        if drained && let Err(error) = operator.ctx.db.mark_stopped().await {
            tracing::warn!(service = operator.service(), %error, "the store can't be marked as stopped");
        }
        operator.ctx.db.close().await;
    }
}
