//! All services in one process.

mod backup;
mod demo;
mod docs;
mod folder;
mod peers;
mod provider;
mod run;
mod token;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use bus::{Broker, Embedded, Topology};
use kernel::{Clock, Currency, Ids};
use notifications::Mailer;
use payments::Simulated;
use service::http::Capacity;
use service::http::auth::{Auth, digest};
use service::http::shell::{Shell, served_by};
use service::storage::Location;
use service::telemetry::Metrics;
use service::{Admission, AnyService, Operator, Running, Runtime, Settings, Tasks};

use crate::services::{Outside, all};
use folder::Folder;

pub use backup::{Copied, backup};
pub use peers::peers;
pub use run::{UpOptions, run};

/// How long a drain waits for work that has begun.
const DRAIN: Duration = Duration::from_secs(20);

/// Where the simulated provider has its books, inside of the data folder.
const PROVIDER_FOLDER: &str = "payment-provider";

/// The file that they are in.
const PROVIDER_STORE: &str = "payment-provider.db";

/// What an app is started with.
pub struct Options {
    /// Where the data is that is no service's: the admin token, the provider's ledger, the lock.
    pub data: PathBuf,
    /// Where the services' stores are.
    pub store: Location,
    /// What all services share.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// The admin token, unless one is made.
    pub admin_token: Option<String>,
    /// Who carries the mail.
    pub mailer: Mailer,
    /// How long the simulated provider takes over a slow charge.
    pub slow_charge: Duration,
}

/// All services, started.
pub struct App {
    /// The whole HTTP surface.
    pub router: Router,
    /// The operator's handles.
    pub operators: Arc<Vec<Operator>>,
    /// The admin token, if it was made at this start: it is shown nowhere else.
    pub made_token: Option<String>,
    ids: Ids,
    tasks: Tasks,
    /// Lets the process itself in, for seeding.
    own_token: String,
    currency: Currency,
    provider: Arc<Simulated>,
    folder: Folder,
}

impl App {
    /// Opens the data folder and starts every service.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let ids = Ids::new(options.clock.clone());
        let provider_folder = options.data.join(PROVIDER_FOLDER);
        // The services are described before anything is opened: the folder is checked against their tables.
        let folder = Folder::open(&options.data, &described()?)?;
        let token = token::admin_token(folder.path(), options.admin_token.as_deref(), &ids)?;
        let own_token = ids.secret().reveal();
        let currency = options.settings.currency;
        let auth = Arc::new(Auth::new(vec![token.digest, digest(own_token.as_bytes())], options.clock.clone()));

        std::fs::create_dir_all(&provider_folder)
            .with_context(|| format!("{} can't be made", provider_folder.display()))?;
        let provider = Simulated::open(&provider_folder, options.clock.clone(), ids.clone()).await?;
        let provider = Arc::new(provider.with_slowness(options.slow_charge));
        let services = all(Outside { provider: provider.clone(), mailer: options.mailer });
        let broker: Arc<dyn Broker> = Arc::new(Embedded::new(topology(&services)));
        let metrics = Arc::new(Metrics::default());
        let tasks = Tasks::new();
        let runtime = Runtime {
            store: options.store,
            broker: broker.clone(),
            clock: options.clock.clone(),
            ids: ids.clone(),
            settings: Arc::new(options.settings),
            metrics: metrics.clone(),
            auth: auth.clone(),
            admission: Admission::default(),
            capacity: Capacity::new(&console::SLOW_ROUTES),
            tasks: tasks.clone(),
        };
        prepare(&runtime.store).await?;
        let running = start_all(services, &runtime).await?;
        let settings = runtime.settings.clone();
        let operators: Arc<Vec<Operator>> = Arc::new(running.iter().map(|it| it.operator.clone()).collect());

        // What all services share takes a token that any of them knows the key of.
        let auth = Arc::new(auth.with_keys(running.iter().map(|it| it.keys.clone()).collect()));
        let console = console::Console {
            peers: Arc::new(operators.iter().cloned().map(console::Peer::here).collect()),
            auth: auth.clone(),
            clock: options.clock.clone(),
            tasks: tasks.clone(),
        };
        let (routes, mut openapi) = console::routes(console);
        let mut routes = served_by("console", routes);
        for service in running {
            routes = routes.merge(service.router);
            openapi.merge(service.openapi);
        }
        docs::describe(&mut openapi);
        let shell = Shell {
            operators: operators.to_vec(),
            broker,
            metrics,
            auth,
            ids: ids.clone(),
            clock: options.clock,
            settings,
            capacity: runtime.capacity,
            tasks: tasks.clone(),
        };
        let router = shell.wrap(routes, openapi, docs::page);
        Ok(Self { router, operators, made_token: token.made, ids, tasks, own_token, currency, provider, folder })
    }

    /// Where the data is.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the token that was made at this start, once it was shown.
    pub fn keep_made_token(&self) -> anyhow::Result<()> {
        self.made_token.as_ref().map_or(Ok(()), |token| token::keep(self.data(), token))
    }

    /// Lets begun work finish, then closes every store. What was not begun is still there at the next start.
    pub async fn stop(self) {
        let drained = self.tasks.stop(DRAIN).await;
        if !drained {
            tracing::warn!("some work was still under way after {DRAIN:?}; it goes on at the next start");
        }
        for operator in self.operators.iter() {
            Running::close(operator, drained).await;
        }
        self.provider.close().await;
    }
}

/// The services as they are described, for checks that need no process.
pub fn described() -> anyhow::Result<Vec<Box<dyn AnyService>>> {
    let mailer = Mailer::from_url(None, "Tradepost <shop@localhost>")?;
    Ok(all(Outside { provider: Arc::new(provider::Absent), mailer }))
}

/// Who reacts to what.
pub fn topology(services: &[Box<dyn AnyService>]) -> Topology {
    services.iter().fold(Topology::new(), |topology, service| {
        topology.consumer(service.name(), service.subscriptions().into_iter().map(|(event_type, _)| event_type))
    })
}

/// A folder is made; a server is waited for here, so that one line tells of it and not one for each service.
async fn prepare(store: &Location) -> anyhow::Result<()> {
    match store {
        Location::Folder(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))
        }
        Location::Postgres(server) => Ok(server.ready().await?),
    }
}

async fn start_all(services: Vec<Box<dyn AnyService>>, runtime: &Runtime) -> anyhow::Result<Vec<Running>> {
    let started = services.into_iter().map(|service| service.start(runtime));
    Ok(futures_util::future::try_join_all(started).await?)
}
