//! Making what the processes of a shop share.

use kernel::{Clock, Ids};
use payments::Simulated;
use service::storage::{Location, Turn};

use super::catch_up::catch_up;
use super::provider::{LEDGER, LEDGER_OF};
use super::retry::while_unavailable;
use super::start::prepare;
use super::stores::open;
use super::{broker, neighbours};
use crate::config;
use crate::shop::Shop;

/// The state after the migration.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// The schemas whose tables are up to date.
    pub schemas: Vec<String>,
    /// The consumers whose queues and bindings are there.
    pub consumers: Vec<String>,
    /// Number of archived events that were copied for consumers that are new to them.
    pub copied: u64,
}

/// Declares what consumers need on the broker, brings every service's tables up to date, and copies what consumers are
/// missing of the archives. `report` gets a line about what takes its time.
pub async fn migrate(
    shop: &Shop,
    settings: &config::Settings,
    mut report: impl FnMut(String) + Send,
) -> anyhow::Result<Migrated> {
    while_unavailable(&settings.location(), async || try_to_migrate(shop, settings, &mut report).await).await
}

async fn try_to_migrate(
    shop: &Shop,
    settings: &config::Settings,
    report: &mut (impl FnMut(String) + Send),
) -> anyhow::Result<Migrated> {
    let (store, clock) = (settings.location(), Clock::system());
    let services = shop.described();
    neighbours::refuse_unpublished(shop, &services)?;
    prepare(&store, shop.own_services().chain(neighbours::sources(shop, &services))).await?;
    let _turn = turn(&store, report).await?;
    // First of all: a shop that can't be joined stays as it is.
    let neighbours = neighbours::open(shop, &services, settings, &store, &clock).await?;
    // Before the tables: what is committed from now on is live, and a broker that refuses leaves all as it was.
    let setup = broker::setup(shop.topology(), settings.shards, &clock);
    let broker = broker::declare(&settings.broker, setup, report).await?;
    let own: Vec<_> = services.into_iter().filter(|service| shop.is_own(service.name())).collect();
    let mut stores = Vec::new();
    for service in &own {
        stores.push(open(&**service, settings, &store, &clock).await?);
    }
    let copied = async {
        broker::narrow(&*broker, &own, &stores).await?;
        catch_up(&settings.broker, &own, &stores, &neighbours, report).await
    };
    let copied = copied.await;
    for store in stores.iter().chain(&neighbours) {
        store.close().await;
    }
    let mut done = Migrated {
        schemas: stores.iter().map(|store| store.service().to_owned()).collect(),
        consumers: shop.topology().consumers().map(str::to_owned).collect(),
        copied: copied?,
    };
    if shop.is_own(LEDGER_OF) {
        let ids = Ids::new(clock.clone());
        Simulated::open(store.of(LEDGER_OF)?, clock, ids).await?.close().await;
        done.schemas.push(LEDGER.to_owned());
    }
    Ok(done)
}

/// Waits for the turn of this process, where several share the stores: otherwise each of several would copy the archives.
pub(super) async fn turn(store: &Location, report: &mut impl FnMut(String)) -> anyhow::Result<Option<Turn>> {
    let Location::Postgres(server) = store else { return Ok(None) };
    // Of several databases any will do that is the same for all.
    let server = server.of(LEDGER_OF)?;
    let turn =
        server.turn("migrate", || report("another `tradepost migrate` or `rebuild` runs: it is waited for".to_owned()));
    Ok(Some(turn.await?))
}
