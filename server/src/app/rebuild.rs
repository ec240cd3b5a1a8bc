//! Building the tables of a projection anew from the archives of its sources.
//!
//! They are built beside those that are there, by the same machinery that runs the service, and replace them when every
//! event was handled. A rebuild that ends before that changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bus::{Adapter, Topology};
use kernel::{Clock, Ids};
use service::catch_up::{self, Consumer};
use service::http::auth::Auth;
use service::http::overload::Overload;
use service::storage::{Db, Location, Rebuild, held};
use service::telemetry::Metrics;
use service::{AnyService, CatchingUp, Operator, Running, Runtime, Tasks, Tracer};

use super::folder::{Folder, MissingStores};
use super::migrate;
use super::retry::while_unavailable;
use super::run::shared_settings;
use super::start::prepare;
use super::stores::open;
use super::{DRAIN, broker, neighbours};
use crate::config;
use crate::shop::Shop;

/// The time between two looks at the events that were handled.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The time between two looks at the work that is left, which counts rows.
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// The progress of a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebuildProgress {
    /// A step that takes its time, in words.
    Line(String),
    /// Number of events that were handled, and of all that are to be.
    Handled {
        /// Those that were handled.
        done: u64,
        /// All of them.
        of: u64,
    },
}

/// The result of a rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Number of events that were taken from the archives.
    pub events: u64,
    /// Number of those that can't be handled and are parked.
    pub parked: u64,
}

/// Builds a service's tables anew. No process may run the service meanwhile; of files, none may run the shop.
///
/// `report` gets the progress, several times a second.
pub async fn rebuild(
    shop: &Shop,
    settings: &config::Settings,
    name: &str,
    mut report: impl FnMut(RebuildProgress) + Send,
) -> anyhow::Result<Rebuilt> {
    let services = shop.described();
    let service =
        services.iter().find(|it| it.name() == name).with_context(|| format!("there is no service {name}"))?;
    if let Some(reason) = service.refuse_rebuild() {
        bail!("{name} can't be rebuilt: {reason}");
    }
    let store = settings.location();
    let mut folder = match &store {
        Location::Folder(_) => {
            Some(Folder::open(&settings.data_dir, &store, &services, MissingStores::AcceptOf(service.name()))?)
        }
        Location::Postgres(_) => None,
    };
    let rebuilt =
        while_unavailable(&store, async || try_to_rebuild(shop, settings, service.name(), &mut report).await).await?;
    if let Some(folder) = &mut folder {
        folder.list_stores()?;
    }
    Ok(rebuilt)
}

async fn try_to_rebuild(
    shop: &Shop,
    settings: &config::Settings,
    name: &'static str,
    report: &mut (impl FnMut(RebuildProgress) + Send),
) -> anyhow::Result<Rebuilt> {
    let (store, clock) = (settings.location(), Clock::system());
    let services = shop.configured(&settings.services);
    prepare(&store, shop.own_services().chain(neighbours::sources(shop, &services))).await?;
    let mut line = |line| report(RebuildProgress::Line(line));
    let _turn = migrate::turn(&store, &mut line).await?;
    let rebuild = Rebuild::begin(&store, name).await?;
    if settings.broker.is_shared() {
        // What is committed from now on waits in the service's queues.
        broker::declare(&settings.broker, broker::setup(shop.topology(), settings.shards, &clock), &mut line).await?;
    }
    let mut sources = neighbours::open(shop, &services, settings, &store, &clock).await?;
    let mut projection = None;
    for service in services.into_iter().filter(|service| shop.is_own(service.name())) {
        if service.name() == name {
            projection = Some(service);
        } else {
            sources.push(open(&*service, settings, &store, &clock).await?);
        }
    }
    let projection = projection.context("the shop has the service")?;
    if let Location::Postgres(_) = &store {
        // Only rows are replaced, so the tables must be up to date.
        open(&*projection, settings, &store, &clock).await?.close().await;
    }
    let rebuilt = build(projection, settings, &rebuild, &sources, report).await;
    for source in &sources {
        source.close().await;
    }
    let rebuilt = rebuilt?;
    rebuild.replace().await?;
    Ok(rebuilt)
}

/// Has the service handle the whole history in the new store, and closes it.
async fn build(
    service: Box<dyn AnyService>,
    settings: &config::Settings,
    rebuild: &Rebuild,
    sources: &[Db],
    report: &mut (impl FnMut(RebuildProgress) + Send),
) -> anyhow::Result<Rebuilt> {
    let runtime = runtime(&*service, settings, rebuild.location())?;
    let db = service.open(&runtime).await?;
    let consumer: Consumer = catch_up::consumer(&*service, db.clone(), &[]);
    let types: Vec<String> = consumer.types.iter().copied().map(str::to_owned).collect();
    report(RebuildProgress::Line(format!(
        "{}: reads the archives of the services to whose events it reacts",
        db.service()
    )));
    let history = catch_up::history(&consumer, sources).await?;
    let events = history.events();
    let running = service.rebuild(db.clone(), &runtime, history.clone()).await?;
    let handled = handle(&db, &running.operator, || {
        // Some may be redelivered.
        let done = runtime.metrics.dealt_with(db.service(), &types).min(events);
        report(RebuildProgress::Handled { done, of: events });
        history.is_handled()
    });
    let handled = handled.await;
    let drained = runtime.tasks.stop(DRAIN).await;
    Running::close(&running.operator, drained).await;
    Ok(Rebuilt { events, parked: handled? })
}

/// Waits until every event was handled or is parked; answers with the number of the latter. `report` answers if none is left
/// in the archives.
async fn handle(db: &Db, operator: &Operator, mut report: impl FnMut() -> bool) -> anyhow::Result<u64> {
    let mut counted: Option<Instant> = None;
    loop {
        // What waits for a retry is counted.
        if report() && counted.is_none_or(|at| at.elapsed() > COUNT_EVERY) {
            counted = Some(Instant::now());
            // In this order: what is being handled may be held a moment later.
            let pending = operator.activity().await?.pending;
            let counts = held::counts(db).await?;
            if pending == 0 && counts.due == 0 {
                return Ok(u64::try_from(counts.parked).unwrap_or_default());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Surroundings in which the service receives nothing but its backlog.
fn runtime(service: &dyn AnyService, settings: &config::Settings, location: Location) -> anyhow::Result<Runtime> {
    let clock = Clock::system();
    let alone = Topology::new().consumer(service.name(), service.subscriptions());
    let broker = bus::EmbeddedAdapter.connect("", broker::setup(alone, settings.shards, &clock))?;
    Ok(Runtime {
        store: location,
        broker,
        clock: clock.clone(),
        ids: Ids::new(clock.clone()),
        settings: Arc::new(shared_settings(settings)),
        metrics: Arc::new(Metrics::new(clock.now())),
        tracer: Tracer::default(),
        auth: Arc::new(Auth::new(Vec::new(), clock)),
        overload: Overload::new(&[]),
        catching_up: CatchingUp::default(),
        tasks: Tasks::new(),
    })
}
