//! Making what the processes of a shop share.

use std::collections::HashMap;

use kernel::{Clock, Ids};
use payments::Simulated;
use service::storage::{Db, Location, Options};

use super::{broker, described, prepare, topology};
use crate::config;

/// What there is now.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// The schemas whose tables are up to date.
    pub schemas: Vec<String>,
    /// The consumers whose queues and bindings are there.
    pub consumers: Vec<String>,
}

/// Brings every service's tables up to date, then declares the exchange, all queues and all bindings.
pub async fn migrate(settings: &config::Settings) -> anyhow::Result<Migrated> {
    let (store, clock) = (settings.location(), Clock::system());
    let services = described()?;
    prepare(&store).await?;
    let mut schemas = Vec::new();
    for service in &services {
        open(settings, &store, service.name(), service.migrations(), &clock).await?.close().await;
        schemas.push(service.name().to_owned());
    }
    let ids = Ids::new(clock.clone());
    Simulated::open(store.clone(), clock, ids.clone()).await?.close().await;
    schemas.push("payment-provider".to_owned());
    let topology = topology(&services);
    let consumers = topology.consumers().map(str::to_owned).collect();
    broker::declare(&settings.carrier(), topology, settings.shards, &ids).await?;
    Ok(Migrated { schemas, consumers })
}

async fn open(
    settings: &config::Settings,
    store: &Location,
    service: &'static str,
    migrations: service::storage::Migrations,
    clock: &Clock,
) -> Result<Db, service::storage::Error> {
    Db::open(Options {
        service,
        location: store.clone(),
        migrations,
        destinations: HashMap::new(),
        shards: settings.shards,
        outbox_cap: settings.outbox_cap,
        ids: Ids::new(clock.clone()),
        clock: clock.clone(),
    })
    .await
}
