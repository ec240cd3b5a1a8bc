//! Making what the processes of a shop share.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bus_rabbitmq::RabbitMq;
use kernel::{Clock, Ids, Shards};
use payments::Simulated;
use service::AnyService;
use service::late;
use service::storage::{Db, Location, Options};

use super::provider::{LEDGER, LEDGER_OF};
use super::{broker, described, prepare, topology};
use crate::config;

/// How long a broker that is away is waited for: as long as a database.
const PATIENCE: Duration = Duration::from_secs(30);

/// What there is now.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// The schemas whose tables are up to date.
    pub schemas: Vec<String>,
    /// The consumers whose queues and bindings are there.
    pub consumers: Vec<String>,
    /// How many events wait for consumers that came later than they did.
    pub copied: u64,
}

/// Brings every service's tables up to date, declares the exchange, all queues and all bindings, then serves consumers
/// what was told before they were there. `tell` hears what takes its time.
pub async fn migrate(settings: &config::Settings, mut tell: impl FnMut(String)) -> anyhow::Result<Migrated> {
    let (store, clock) = (settings.location(), Clock::system());
    prepare(&store, described()?.iter().map(|service| service.name())).await?;
    // Otherwise each of several would copy the archives, and remove queues in which another keeps something.
    let _turn = match &store {
        Location::Postgres(server) => Some(
            // Of several databases any will do that is the same for all.
            server
                .of(LEDGER_OF)?
                .turn("migrate", || tell("another `tradepost migrate` runs: it is waited for".to_owned()))
                .await?,
        ),
        Location::Folder(_) => None,
    };
    let shop = Shop { store, shards: settings.shards, outbox_cap: settings.outbox_cap, clock };
    let mut done = shop.serve_all(&settings.carrier(), Declare::Always, &mut tell).await?;
    let ids = Ids::new(shop.clock.clone());
    Simulated::open(shop.store.of(LEDGER_OF)?, shop.clock, ids).await?.close().await;
    done.schemas.push(LEDGER.to_owned());
    Ok(done)
}

/// The stores of a shop, which need not run.
pub(super) struct Shop {
    pub store: Location,
    pub shards: Shards,
    pub outbox_cap: u64,
    pub clock: Clock,
}

/// When the broker is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declare {
    /// In any case.
    Always,
    /// Only if a consumer has yet to be served something: whoever runs declares what it needs.
    IfNeeded,
}

impl Shop {
    /// Opens every store, and serves every consumer what it has not been served.
    pub async fn serve_all(
        &self,
        carrier: &config::Broker,
        declare: Declare,
        tell: &mut impl FnMut(String),
    ) -> anyhow::Result<Migrated> {
        let services = described()?;
        let mut stores = Vec::new();
        for service in &services {
            stores.push(self.open(&**service).await?);
        }
        let served = self.serve(&services, &stores, carrier, declare, tell).await;
        for store in &stores {
            store.close().await;
        }
        served
    }

    async fn serve(
        &self,
        services: &[Box<dyn AnyService>],
        stores: &[Db],
        carrier: &config::Broker,
        declare: Declare,
        tell: &mut impl FnMut(String),
    ) -> anyhow::Result<Migrated> {
        let topology = topology(services);
        let consumers = topology.consumers().map(str::to_owned).collect();
        let schemas = stores.iter().map(|store| store.service().to_owned()).collect();
        let mut done = Migrated { schemas, consumers, copied: 0 };
        let config::Broker::RabbitMq(url) = carrier else { return Ok(done) };
        if declare == Declare::IfNeeded && !is_anything_unserved(services, stores).await? {
            return Ok(done);
        }
        let mut is_told = false;
        RabbitMq::reach(url.reveal(), PATIENCE, |unusable| {
            if !std::mem::replace(&mut is_told, true) {
                tell(format!("{unusable} It is tried again for {PATIENCE:?}."));
            }
        })
        .await?;
        let broker = broker::rabbitmq(url, topology, self.shards, &Ids::new(self.clock.clone()))?;
        // From now on nothing is missed: what is told goes to the live queues.
        broker.declare().await?;
        for (service, store) in services.iter().zip(stores) {
            let types: Vec<&str> = service.subscriptions().into_iter().map(|(event_type, _)| event_type).collect();
            done.copied += late::serve(store, &types, stores, &broker, &mut *tell).await?;
        }
        Ok(done)
    }

    async fn open(&self, service: &dyn AnyService) -> Result<Db, service::storage::Error> {
        Db::open(Options {
            service: service.name(),
            location: self.store.clone(),
            migrations: service.migrations(),
            destinations: HashMap::new(),
            shards: self.shards,
            outbox_cap: self.outbox_cap,
            ids: Ids::new(self.clock.clone()),
            clock: self.clock.clone(),
        })
        .await
    }
}

async fn is_anything_unserved(services: &[Box<dyn AnyService>], stores: &[Db]) -> anyhow::Result<bool> {
    let mut unserved = BTreeSet::new();
    for (service, store) in services.iter().zip(stores) {
        let types = service.subscriptions().into_iter().map(|(event_type, _)| event_type);
        unserved.append(&mut late::unserved(store, types).await?);
    }
    Ok(!unserved.is_empty())
}
