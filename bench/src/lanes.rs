//! Immediate events beside a backlog of background events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use storage::{Db, outbox};

use crate::Measured;
use crate::load::{Orders, as_number};
use crate::servers::{Process, Servers};
use crate::services::{PAYMENTS, consumer, effects, slow_consumer, teller};
use crate::timeline::{Latency, Seen};

/// How long immediate events are told, once while nothing else is under way and once beside the backlog.
pub(crate) const SECONDS: usize = 10;

/// So many in a second.
const PER_S: u32 = 50;

/// What a background reaction takes before it writes: without it the backlog would be done in a few seconds.
const WORK: Duration = Duration::from_millis(1);

/// Effects of the backlog after which the consumer is surely at work on it.
const AT_WORK: usize = 1_000;

/// More immediate events than are told while an outbox empties.
const IMMEDIATE_MAX: usize = 2_000;

/// Fewer say nothing of one in a hundred.
const IMMEDIATE_MIN: usize = 20;

/// The backlog waits in the broker, for the consumer.
pub(crate) async fn beside_the_broker(servers: &Servers, backlog: usize, seconds: usize) -> Result<Measured> {
    let count = seconds * usize::try_from(PER_S)?;
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
    seen.until(count + AT_WORK.min(backlog / 10)).await?;
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

/// The backlog waits in the outbox of the service that tells both. Immediate events are told as long as that lasts.
pub(crate) async fn behind_an_outbox(servers: &Servers, backlog: usize) -> Result<Measured> {
    let most = backlog + IMMEDIATE_MAX;
    let seen = Arc::new(Seen::new(most));
    let orders = Orders::new(&servers.ids);
    let db = Db::open(servers.store_of(PAYMENTS, &servers.connect()?)).await?;
    orders.fill_with(&db, backlog, |number| orders.tell_capture(number)).await?;
    db.close().await;

    let reacting = Process::start(servers, vec![Box::new(consumer(&seen))]).await?;
    let (service, ctx) = teller(PAYMENTS);
    let telling = Process::start(servers, vec![Box::new(service)]).await?;
    let db = ctx.await?.db;
    seen.until(AT_WORK.min(backlog / 10)).await?;
    let (mut number, mut ticks) = (backlog, tokio::time::interval(Duration::from_secs(1) / PER_S));
    let some_left = u64::try_from(backlog / 20)?;
    while outbox::unsent(&db) > some_left && number < most {
        ticks.tick().await;
        db.commit(orders.tell_failure(number), orders.cause()).await?;
        seen.told(as_number(number));
        number += 1;
    }
    seen.until(number).await?;
    let told = number - backlog;
    ensure!(told >= IMMEDIATE_MIN, "the outbox was empty after {told} immediate events: too few to judge by");
    let Latency { p50_ms, p99_ms } = seen.latency_from(backlog)?;
    reacting.stop().await?;
    telling.stop().await?;
    seen.check(effects(&servers.consumers_store().await?).await?)?;
    let more = format!("commit to effect p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, of {told} events");
    Ok(Measured { per_s: f64::from(PER_S), unit: "immediate/s", more, ratio: None })
}

fn measured(idle: &Latency, busy: &Latency, backlog: usize, left: usize) -> Measured {
    let more = format!(
        "commit to effect p50 {:.1} ms, p99 {:.1} ms; without a backlog {:.1} and {:.1} ms; of {backlog} events {left} \
         were left at the end",
        busy.p50_ms, busy.p99_ms, idle.p50_ms, idle.p99_ms,
    );
    let ratio = Some((busy.p99_ms / idle.p99_ms, "p99 without a backlog"));
    Measured { per_s: f64::from(PER_S), unit: "immediate/s", more, ratio }
}

async fn tell(db: &Db, orders: &Orders, seen: &Seen, numbers: std::ops::Range<usize>) -> Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_S);
    for number in numbers {
        ticks.tick().await;
        db.commit(orders.tell_failure(number), orders.cause()).await?;
        seen.told(as_number(number));
    }
    Ok(())
}
