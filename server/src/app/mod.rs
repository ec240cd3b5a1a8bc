//! All services in one process.

mod backup;
mod banner;
mod broker;
mod catch_up;
mod demo;
mod docs;
mod doctor;
mod folder;
mod migrate;
mod peers;
pub(crate) mod provider;
mod run;
mod token;
mod traces;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use console::{Address, Peer};
use futures_util::future::try_join_all;
use kernel::{Clock, Ids};
use payments::{Provider, Simulated};
use service::http::Keyring;
use service::http::auth::{Auth, digest};
use service::http::overload::Overload;
use service::setting::Values;
use service::shell::{Shell, served_by};
use service::storage::{Db, Location};
use service::telemetry::Metrics;
use service::{AnyService, CatchingUp, Operator, Running, Runtime, Settings, Tasks, Tracer};

use crate::config::BrokerSetting;
use crate::shop::{CONSOLE, Outside, Shop, topology};
use folder::Folder;

pub use backup::{Copied, backup};
pub use doctor::{Check, Status, doctor};
pub use migrate::{Migrated, migrate};
pub use peers::peers;
pub use run::{RunOptions, run};
pub use token::{retire, rotate};
pub use traces::{Target, Traces};

/// The time that a drain waits for work that has begun.
const DRAIN: Duration = Duration::from_secs(20);

/// The folder of the simulated provider's ledger, inside of the data folder.
const PROVIDER_FOLDER: &str = "payment-provider";

/// The file that they are in.
const PROVIDER_STORE: &str = "payment-provider.db";

/// The services of this process.
#[derive(Clone, Debug)]
pub enum Scope {
    /// The whole shop, with a data folder that no other process uses: the admin token, the provider's ledger, the lock.
    Whole {
        /// The path of the folder.
        data: PathBuf,
    },
    /// Some of the services, beside other processes that run the others and these.
    Part {
        /// Their names: some of [`Shop::names`].
        services: Vec<String>,
    },
}

impl Scope {
    fn includes(&self, service: &str) -> bool {
        match self {
            Self::Whole { .. } => true,
            Self::Part { services } => services.iter().any(|name| name == service),
        }
    }
}

/// The parts that an app is started with.
pub struct Options {
    /// The services and brokers that there are.
    pub shop: Shop,
    /// The services of this process.
    pub scope: Scope,
    /// Location of the services' stores.
    pub store: Location,
    /// The message broker.
    pub broker: BrokerSetting,
    /// The parts that all services share.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// The admin token, unless one is made. A part of a shop needs the one that all its processes have.
    pub admin_token: Option<String>,
    /// The admin token before, good beside it.
    pub admin_token_previous: Option<String>,
    /// Settings that services declare.
    pub services: Values,
    /// The time that the simulated provider takes for a slow charge.
    pub slow_charge: Duration,
    /// Spans of what happens, if anybody wants them.
    pub tracer: Tracer,
    /// The addresses at which a console asks the services of other processes.
    pub peers: BTreeMap<&'static str, Address>,
    /// Gets a line about what takes its time before the services run.
    pub report: fn(String),
}

/// Services, started.
pub struct App {
    /// The whole HTTP surface.
    pub router: Router,
    /// The operator's handles.
    pub operators: Arc<Vec<Operator>>,
    /// The admin token, if it was made at this start: it is shown nowhere else.
    pub made_token: Option<String>,
    tasks: Tasks,
    /// Lets the process itself in, for seeding.
    own_token: String,
    provider: Option<Arc<Simulated>>,
    folder: Option<Folder>,
}

impl App {
    /// Opens what is needed and starts the services.
    pub async fn start(mut options: Options) -> anyhow::Result<Self> {
        let ids = Ids::new(options.clock.clone());
        let own_token = ids.secret().reveal();
        // The services are described before anything is opened: the folder is checked against their tables.
        let described = options.shop.described();
        let (folder, token) = home(&options, &described, &ids)?;
        let admins = token.digests.iter().copied().chain([digest(own_token.as_bytes())]).collect();
        let object_tokens = described.iter().filter_map(|service| service.object_token()).collect();
        let auth = Arc::new(Auth::new(admins, options.clock.clone()).with_object_tokens(object_tokens));
        let here: Vec<&str> =
            described.iter().map(|service| service.name()).filter(|name| options.scope.includes(name)).collect();
        if here.is_empty() {
            // A console alone: it uses neither, and says what is wrong with others while they are unreachable.
            options.broker = BrokerSetting::embedded();
        } else {
            prepare(&options.store, here).await?;
        }
        if let Scope::Part { .. } = &options.scope {
            broker::refuse_unusable(&options.broker).await?;
        }
        let provider = provider::open(&options, &ids).await?;
        let outside = Outside { provider: or_absent(provider.as_ref()), settings: options.services };
        let services = options.shop.make(&outside);
        options.settings.late_after = late_after(&services).unwrap_or(options.settings.late_after);
        let setup = broker::setup(topology(&services), options.settings.shards, &options.clock);
        let broker = options.broker.adapter.connect(options.broker.url.reveal(), setup.clone())?;
        let metrics = Arc::new(Metrics::new(options.clock.now()));
        let tasks = Tasks::new();
        let runtime = Runtime {
            store: options.store,
            broker: broker.clone(),
            clock: options.clock.clone(),
            ids: ids.clone(),
            settings: Arc::new(options.settings),
            metrics: metrics.clone(),
            tracer: options.tracer.clone(),
            auth: auth.clone(),
            overload: Overload::new(&console::SLOW_ROUTES),
            catching_up: CatchingUp::default(),
            tasks: tasks.clone(),
        };
        let here: Vec<_> = services.into_iter().filter(|service| options.scope.includes(service.name())).collect();
        let stores = try_join_all(here.iter().map(|service| service.open(&runtime))).await?;
        if let Scope::Whole { .. } = &options.scope {
            catch_up::before_start(&options.broker, setup, &here, &stores, options.report).await?;
        }
        let running = start_all(here, stores, &runtime).await?;
        let settings = runtime.settings.clone();
        let operators: Arc<Vec<Operator>> = Arc::new(running.iter().map(|it| it.operator.clone()).collect());

        // What all services share takes a token that any of them knows the key of.
        let auth = Arc::new(auth.with_keys(running.iter().map(|it| it.keys.clone()).collect()));
        let of_console = if options.scope.includes(CONSOLE) {
            let peers = peers(&options.shop, &options.peers, options.admin_token.as_deref(), &operators)?;
            start_console(&options.scope, peers, &running, &runtime)
        } else {
            Router::new()
        };
        let routes = running.into_iter().fold(of_console, |routes, service| routes.merge(service.router));
        let shell = Shell {
            operators: operators.to_vec(),
            broker,
            metrics,
            tracer: options.tracer,
            auth,
            ids: ids.clone(),
            clock: options.clock,
            settings,
            overload: runtime.overload,
            tasks: tasks.clone(),
        };
        let shop = options.shop;
        let router = shell.wrap(routes, move || docs::openapi(&shop.described()), docs::page);
        Ok(Self { router, operators, made_token: token.made, tasks, own_token, provider, folder })
    }

    /// The data folder, if this process has one.
    pub fn data(&self) -> Option<&Path> {
        self.folder.as_ref().map(Folder::path)
    }

    /// Keeps the token that was made at this start, once it was shown.
    pub fn keep_made_token(&self) -> anyhow::Result<()> {
        match (&self.made_token, self.data()) {
            (Some(token), Some(data)) => token::keep(data, token),
            _ => Ok(()),
        }
    }

    /// Lets begun work finish, then closes every store. What was not begun is still there at the next start.
    pub async fn stop(self) {
        let drained = self.tasks.stop(DRAIN).await;
        if !drained {
            tracing::warn!("some work was still in progress after {DRAIN:?}; it goes on at the next start");
        }
        for operator in self.operators.iter() {
            Running::close(operator, drained).await;
        }
        if let Some(provider) = &self.provider {
            provider.close().await;
        }
    }
}

/// The age from which work is late for the service that can't wait longer.
fn late_after(services: &[Box<dyn AnyService>]) -> Option<Duration> {
    services.iter().filter_map(|service| service.late_after()).min()
}

/// The provider of this process, or one that refuses: only a process with the payments service has one.
fn or_absent(provider: Option<&Arc<Simulated>>) -> Arc<dyn Provider> {
    match provider {
        Some(provider) => provider.clone(),
        None => Arc::new(provider::Absent),
    }
}

/// The console, which asks the services of this process in it, and the others where they are.
fn start_console(scope: &Scope, peers: Vec<Peer>, running: &[Running], runtime: &Runtime) -> Router {
    let (keyring, tasks) = (Keyring::default(), runtime.tasks.clone());
    if let Scope::Part { .. } = scope {
        tasks.spawn(console::keep_keys(peers.clone(), keyring.clone(), tasks.clone()));
    }
    let keys = running.iter().map(|it| it.keys.clone()).chain([keyring]).collect();
    let routes = console::routes(console::Console {
        peers: Arc::new(peers),
        auth: Arc::new(runtime.auth.with_keys(keys)),
        clock: runtime.clock.clone(),
        republish_window: runtime.settings.republish_window,
        tasks,
    });
    served_by(CONSOLE, routes)
}

/// The folder of a whole shop, and who is let in as admin.
fn home(
    options: &Options,
    services: &[Box<dyn AnyService>],
    ids: &Ids,
) -> anyhow::Result<(Option<Folder>, token::AdminToken)> {
    let (now, previous) = (options.admin_token.as_deref(), options.admin_token_previous.as_deref());
    let configured = token::Configured { token: now, previous };
    match &options.scope {
        Scope::Whole { data } => {
            let folder = Folder::open(data, services)?;
            let token = token::admin_token(folder.path(), &configured, ids)?;
            Ok((Some(folder), token))
        }
        Scope::Part { .. } => {
            now.context("admin_token: the processes of a shop need one that all of them have")?;
            Ok((None, token::AdminToken { digests: configured.digests(), made: None }))
        }
    }
}

/// Makes a folder, or waits for a server: here, so that one line is logged about it and not one for each service.
async fn prepare(store: &Location, services: impl IntoIterator<Item = &'static str>) -> anyhow::Result<()> {
    match store {
        Location::Folder(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
        }
        Location::Postgres(server) if server.is_apart() => {
            for service in services {
                server.of(service)?.ready().await?;
            }
        }
        Location::Postgres(server) => server.ready().await?,
    }
    Ok(())
}

async fn start_all(
    services: Vec<Box<dyn AnyService>>,
    stores: Vec<Db>,
    runtime: &Runtime,
) -> anyhow::Result<Vec<Running>> {
    let started = services.into_iter().zip(stores).map(|(service, store)| service.start(store, runtime));
    Ok(try_join_all(started).await?)
}
