//! From a full outbox to the broker.

use std::time::Instant;

use anyhow::{Result, ensure};
use storage::Db;

use crate::Measured;
use crate::load::{Orders, until_sent};
use crate::parts::{ORDERS, teller};
use crate::place::{Process, Servers};
use crate::seen::per_s;

pub(crate) async fn measure(servers: &Servers, events: usize) -> Result<Measured> {
    let db = Db::open(servers.store_of(ORDERS, &servers.connect()?)).await?;
    Orders::new(&servers.ids).fill(&db, events).await?;
    db.close().await;
    let began = Instant::now();
    let (service, ctx) = teller(ORDERS);
    let process = Process::start(servers, vec![Box::new(service)]).await?;
    until_sent(&ctx.await?.db).await?;
    let took = began.elapsed();
    process.stop().await?;
    let arrived = servers.waiting().await?;
    ensure!(arrived == u64::try_from(events)?, "{events} events were relayed, and {arrived} arrived");
    let more = format!("{events} events, the start of the service included");
    Ok(Measured { per_s: per_s(events, took), unit: "events/s", more, ratio: None })
}
