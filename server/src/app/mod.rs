//! All services in one process.

mod backup;
mod banner;
mod broker;
mod catch_up;
pub(crate) mod dead_letters;
mod demo;
mod docs;
mod doctor;
mod folder;
mod manifest;
mod migrate;
mod neighbours;
mod peers;
pub(crate) mod provider;
mod rebuild;
mod retry;
mod run;
mod start;
mod stores;
mod token;
mod traces;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bus::Broker;
use console::{Address, Pages};
use kernel::Clock;
use payments::Simulated;
use service::setting::Values;
use service::storage::Location;
use service::{Operator, Running, Settings, Tasks, Tracer};

use crate::config::BrokerSetting;
use crate::shop::Shop;
use folder::Folder;

pub use backup::{Copied, backup};
pub use console::Features;
pub use doctor::{Check, Status, doctor};
pub use folder::MissingStores;
pub use migrate::{Migrated, migrate};
pub use peers::peers;
pub use rebuild::{RebuildProgress, Rebuilt, rebuild};
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
    /// Decision about stores that the data folder lists and that are missing.
    pub missing_stores: MissingStores,
    /// Parts of the web pages that not every shop has.
    pub features: Features,
    /// Gets a line about what takes its time before the services run.
    pub report: fn(String),
}

/// Services, started.
pub struct App {
    /// The whole HTTP surface.
    pub router: Router,
    /// The web pages, where the process has the console.
    pub pages: Option<Pages>,
    /// The routes of this process as the pages reach them.
    _reached: Arc<Router>,
    /// The operator's handles.
    pub operators: Arc<Vec<Operator>>,
    /// The admin token, if it was made at this start: it is shown nowhere else.
    pub made_token: Option<String>,
    /// The broker of all services.
    pub broker: Arc<dyn Broker>,
    tasks: Tasks,
    /// Lets the process itself in, for seeding.
    own_token: String,
    provider: Option<Arc<Simulated>>,
    folder: Option<Folder>,
}

impl App {
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
