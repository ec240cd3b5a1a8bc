//! Counting the numbers of analytics anew from the archives of a shop: the way of every event from an archive to its sums.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use events::{OrderPaid, OrderUpdated};
use kernel::{Clock, Ids, Shards, Version};
use server::app::{self, Rebuilt};
use server::config::{self, Environment, Flags};
use server::shop::Shop;
use storage::{Batch, Db, Location, Options, Query, params};

use crate::Measured;
use crate::load::Orders;

/// Events of the archive.
pub(crate) const EVENTS: usize = 1_000_000;

/// Events of each order: placed, reserved, paid, shipped, delivered.
const EVENTS_OF_ORDER: usize = 5;

static COUNTED: Query = Query::new(
    "COUNTED",
    "select cast(coalesce(sum(total), 0) as bigint) as events from analytics_counts where measure = 'type'",
);

/// With the services' stores in a folder.
pub(crate) async fn measure(events: usize) -> Result<Measured> {
    let (folder, shop) = (tempfile::tempdir()?, Shop::tradepost());
    let orders = (events / EVENTS_OF_ORDER).max(1);
    let events = orders * EVENTS_OF_ORDER;
    let archive = open(&shop, "orders", folder.path()).await?;
    let ids = Ids::new(Clock::system());
    let made = Orders::new(&ids);
    made.fill_with(&archive, orders, |number| life(&made, &ids, number)).await?;
    archive.close().await;
    let data_dir = Some(folder.path().display().to_string());
    let flags = Flags { data_dir, ..Flags::default() };
    let loaded = config::load(&shop, &flags, None, &Environment::default()).map_err(|error| anyhow::anyhow!("{error}"));
    let settings = loaded?.settings;
    let began = Instant::now();
    let Rebuilt { events: taken, parked } = app::rebuild(&shop, &settings, "analytics", drop).await?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(taken == events as u64 && parked == 0, "{taken} of {events} events were taken, and {parked} parked");
    let analytics = open(&shop, "analytics", folder.path()).await?;
    let counted = analytics.query_one(&COUNTED, params![], |row| row.get::<i64>("events")).await?;
    analytics.close().await;
    ensure!(counted == i64::try_from(events).ok(), "{counted:?} of {events} events were counted");
    let more = format!("{events} events counted anew in {seconds:.1} s");
    Ok(Measured { per_s: events as f64 / seconds, unit: "events/s", more, ratio: None })
}

/// The store of a service of the shop.
async fn open(shop: &Shop, name: &str, folder: &Path) -> Result<Db> {
    let services = shop.described();
    let service = services.iter().find(|service| service.name() == name).context("the shop has the service")?;
    let clock = Clock::system();
    let options = Options {
        service: service.name(),
        location: Location::Folder(folder.to_owned()),
        migrations: service.migrations(),
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: u64::MAX,
        ids: Ids::new(clock.clone()),
        clock,
    };
    Ok(Db::open(options).await?)
}

/// All events of an order of its own.
fn life(orders: &Orders, ids: &Ids, number: usize) -> Batch {
    let mut placed = orders.placed(number);
    placed.order_id = ids.next();
    let updated = |previous: &str, status: &str| OrderUpdated {
        order_id: placed.order_id,
        number: placed.number,
        email: placed.email.clone(),
        previous_status: previous.to_owned(),
        status: status.to_owned(),
        reason: None,
        shipment: None,
        refund: None,
    };
    let paid = OrderPaid {
        order_id: placed.order_id,
        number: placed.number,
        user_id: placed.user_id,
        email: placed.email.clone(),
        payment_id: ids.next(),
        amount: placed.total,
        ship_to: placed.ship_to.clone(),
        lines: placed.lines.clone(),
    };
    let version = Version::from_stored;
    Batch::new()
        .emit(Version::FIRST, &placed)
        .emit(version(2), &updated("placed", "reserved"))
        .emit(version(3), &paid)
        .emit(version(4), &updated("paid", "shipped"))
        .emit(version(5), &updated("shipped", "delivered"))
}
