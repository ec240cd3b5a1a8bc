//! From a full outbox to the broker.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use storage::{Db, outbox};

use crate::Measured;
use crate::load::{Orders, until_sent};
use crate::servers::{Process, Servers};
use crate::services::{ORDERS, emitter};
use crate::timeline::per_s;

/// More than the first event takes, once the service has started.
const START: Duration = Duration::from_secs(30);

pub(crate) async fn measure(servers: &Servers, events: usize) -> Result<Measured> {
    let db = Db::open(servers.store_of(ORDERS, &*servers.connect()?)).await?;
    Orders::new(&servers.ids).fill(&db, events).await?;
    db.close().await;
    let (service, ctx) = emitter(ORDERS);
    let process = Process::start(servers, vec![Box::new(service)]).await?;
    let db = ctx.await?.db.clone();
    let before = Instant::now();
    let full = u64::try_from(events)?;
    while outbox::unsent(&db) >= full {
        ensure!(before.elapsed() < START, "nothing was relayed within {START:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (began, left) = (Instant::now(), outbox::unsent(&db));
    until_sent(&db).await?;
    let took = began.elapsed();
    process.stop().await?;
    let arrived = servers.waiting().await?;
    ensure!(arrived == full, "{events} events were relayed, and {arrived} arrived");
    let more = format!("{events} events; the first went {:.2} s after the start", (began - before).as_secs_f64());
    Ok(Measured { per_s: per_s(usize::try_from(left)?, took), unit: "events/s", more, ratio: None })
}
