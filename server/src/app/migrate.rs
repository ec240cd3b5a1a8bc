//! Making what the processes of a shop share.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use kernel::{Clock, Ids, Shards};
use payments::Simulated;
use service::AnyService;
use service::late;
use service::storage::{Db, Location, Options};

use super::provider::{LEDGER, LEDGER_OF};
use super::{broker, prepare};
use crate::config::{self, Carrier};
use crate::shop::Shop;

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
pub async fn migrate(
    shop: &Shop,
    settings: &config::Settings,
    mut tell: impl FnMut(String) + Send,
) -> anyhow::Result<Migrated> {
    let (store, clock) = (settings.location(), Clock::system());
    prepare(&store, shop.services()).await?;
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
    let stores = Stores { shop, store, shards: settings.shards, outbox_cap: settings.outbox_cap, clock };
    let mut done = stores.serve_all(&settings.carrier, Declare::Always, &mut tell).await?;
    if shop.port_of(LEDGER_OF).is_some() {
        let ids = Ids::new(stores.clock.clone());
        Simulated::open(stores.store.of(LEDGER_OF)?, stores.clock, ids).await?.close().await;
        done.schemas.push(LEDGER.to_owned());
    }
    Ok(done)
}

/// The stores of a shop, which need not run.
pub(super) struct Stores<'a> {
    pub shop: &'a Shop,
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

impl Stores<'_> {
    /// Opens every store, and serves every consumer what it has not been served.
    pub async fn serve_all(
        &self,
        carrier: &Carrier,
        declare: Declare,
        tell: &mut (impl FnMut(String) + Send),
    ) -> anyhow::Result<Migrated> {
        let services = self.shop.described();
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
        carrier: &Carrier,
        declare: Declare,
        tell: &mut (impl FnMut(String) + Send),
    ) -> anyhow::Result<Migrated> {
        let setup = broker::setup(self.shop.topology(), self.shards, &self.clock);
        let consumers = setup.topology.consumers().map(str::to_owned).collect();
        let schemas = stores.iter().map(|store| store.service().to_owned()).collect();
        let mut done = Migrated { schemas, consumers, copied: 0 };
        if !carrier.is_shared() {
            return Ok(done);
        }
        if declare == Declare::IfNeeded && !is_anything_unserved(services, stores).await? {
            return Ok(done);
        }
        let mut is_told = false;
        let mut report = |failure: String| {
            if !std::mem::replace(&mut is_told, true) {
                tell(format!("{failure} It is tried again for {PATIENCE:?}."));
            }
        };
        carrier.adapter.reach(carrier.url.reveal(), PATIENCE, &mut report).await?;
        // From now on nothing is missed: what is published goes to the live queues.
        let broker = carrier.adapter.declare(carrier.url.reveal(), setup).await?;
        let Some(archives) = broker.archives() else { return Ok(done) };
        for (service, store) in services.iter().zip(stores) {
            let types: Vec<&str> = service.subscriptions().into_iter().map(|(event_type, _)| event_type).collect();
            done.copied += late::serve(store, &types, stores, archives, &mut *tell).await?;
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
