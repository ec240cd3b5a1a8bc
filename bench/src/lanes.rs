//! Immediate events beside a backlog of background events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::Measured;
use crate::load::{Orders, as_number};
use crate::parts::{PAYMENTS, effects, slow_consumer, teller};
use crate::place::{Process, Servers};
use crate::seen::{Latency, Seen};

/// How long immediate events are told, once while nothing else is under way and once beside the backlog.
pub(crate) const SECONDS: usize = 10;

/// So many in a second.
const PER_S: usize = 20;

/// What a background reaction takes before it writes: without it the backlog would be done in a few seconds.
const WORK: Duration = Duration::from_millis(1);

/// Effects of the backlog after which the consumer is surely at work on it.
const AT_WORK: usize = 1_000;

pub(crate) async fn measure(servers: &Servers, backlog: usize, seconds: usize) -> Result<Measured> {
    let count = seconds * PER_S;
    let (quiet, beside) = (backlog, backlog + count);
    let seen = Arc::new(Seen::new(backlog + 2 * count));
    let orders = Orders::new(&servers.ids);
    let (service, ctx) = teller(PAYMENTS);
    let telling = Process::start(servers, vec![Box::new(service)]).await?;
    let db = ctx.await?.db;

    let reacting = Process::start(servers, vec![Box::new(slow_consumer(&seen, WORK))]).await?;
    tell(&db, &orders, &seen, quiet..quiet + count).await?;
    seen.until(count).await?;
    let idle = seen.latency_from(quiet)?;
    reacting.stop().await?;

    orders.fill_broker(servers, backlog).await?;
    let reacting = Process::start(servers, vec![Box::new(slow_consumer(&seen, WORK))]).await?;
    seen.until(count + AT_WORK).await?;
    tell(&db, &orders, &seen, beside..beside + count).await?;
    let done = seen.count();
    ensure!(done < backlog + count, "the backlog of {backlog} was done before the immediate events were told");
    seen.until(backlog + 2 * count).await?;
    let busy = seen.latency_from(beside)?;
    reacting.stop().await?;
    telling.stop().await?;
    seen.check(effects(&servers.consumers_store().await?).await?)?;
    Ok(measured(&idle, &busy, backlog, backlog + 2 * count - done))
}

fn measured(idle: &Latency, busy: &Latency, backlog: usize, left: usize) -> Measured {
    let more = format!(
        "commit to effect p50 {:.1} ms, p99 {:.1} ms; without a backlog {:.1} and {:.1} ms; of {backlog} events {left} \
         were left at the end",
        busy.p50_ms, busy.p99_ms, idle.p50_ms, idle.p99_ms,
    );
    let ratio = Some((busy.p99_ms / idle.p99_ms, "p99 without a backlog"));
    Measured { per_s: PER_S as f64, unit: "immediate/s", more, ratio }
}

async fn tell(db: &storage::Db, orders: &Orders, seen: &Seen, numbers: std::ops::Range<usize>) -> Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(PER_S)?);
    for number in numbers {
        ticks.tick().await;
        db.commit(orders.tell_failure(number), orders.cause()).await?;
        seen.told(as_number(number));
    }
    Ok(())
}
