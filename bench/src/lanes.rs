//! Immediate events beside a backlog of background events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use storage::{Db, outbox};

use crate::Measured;
use crate::load::{Orders, as_number};
use crate::servers::{Process, Servers};
use crate::services::{PAYMENTS, consumer, effects, emitter, slow_consumer};
use crate::timeline::{Latency, Timeline};

/// The time for which immediate events are emitted, once while nothing else is in flight and once beside the backlog.
pub(crate) const SECONDS: usize = 10;

/// So many in a second.
const PER_S: u32 = 50;

/// The time that a background reaction takes before it writes: without it the backlog would be done in a few seconds.
const WORK: Duration = Duration::from_millis(1);

/// Effects of the backlog after which the consumer is surely at work on it.
const AT_WORK: usize = 1_000;

/// More immediate events than are emitted while an outbox empties.
const IMMEDIATE_MAX: usize = 2_000;

/// Fewer say nothing of one in a hundred.
const IMMEDIATE_MIN: usize = 20;

/// The backlog waits in the broker, for the consumer.
pub(crate) async fn beside_the_broker(servers: &Servers, backlog: usize, seconds: usize) -> Result<Measured> {
    let count = seconds * usize::try_from(PER_S)?;
    let (quiet, beside) = (backlog, backlog + count);
    let timeline = Arc::new(Timeline::new(backlog + 2 * count));
    let orders = Orders::new(&servers.ids);
    let (service, ctx) = emitter(PAYMENTS);
    let emitting = Process::start(servers, vec![Box::new(service)]).await?;
    let db = ctx.await?.db.clone();

    let reacting = Process::start(servers, vec![Box::new(slow_consumer(&timeline, WORK))]).await?;
    emit(&db, &orders, &timeline, quiet..quiet + count).await?;
    timeline.until(count).await?;
    let idle = timeline.latency_from(quiet)?;
    reacting.stop().await?;

    orders.fill_broker(servers, backlog).await?;
    let reacting = Process::start(servers, vec![Box::new(slow_consumer(&timeline, WORK))]).await?;
    timeline.until(count + AT_WORK.min(backlog / 10)).await?;
    emit(&db, &orders, &timeline, beside..beside + count).await?;
    let done = timeline.count();
    ensure!(done < backlog + count, "the backlog of {backlog} was done before the immediate events were emitted");
    timeline.until(backlog + 2 * count).await?;
    let busy = timeline.latency_from(beside)?;
    reacting.stop().await?;
    emitting.stop().await?;
    timeline.check(effects(&servers.consumers_store().await?).await?)?;
    Ok(measured(&idle, &busy, backlog, backlog + 2 * count - done))
}

/// The backlog waits in the outbox of the service that emits both. Immediate events are emitted as long as that lasts.
pub(crate) async fn behind_an_outbox(servers: &Servers, backlog: usize) -> Result<Measured> {
    let most = backlog + IMMEDIATE_MAX;
    let timeline = Arc::new(Timeline::new(most));
    let orders = Orders::new(&servers.ids);
    let db = Db::open(servers.store_of(PAYMENTS, &*servers.connect()?)).await?;
    orders.fill_with(&db, backlog, |number| orders.emit_capture(number)).await?;
    db.close().await;

    let reacting = Process::start(servers, vec![Box::new(consumer(&timeline))]).await?;
    let (service, ctx) = emitter(PAYMENTS);
    let emitting = Process::start(servers, vec![Box::new(service)]).await?;
    let db = ctx.await?.db.clone();
    // One effect shows that events are sent; the relay may be far ahead of more of them.
    timeline.until(1).await?;
    let (mut number, mut ticks) = (backlog, tokio::time::interval(Duration::from_secs(1) / PER_S));
    let some_left = u64::try_from(backlog / 20)?;
    while outbox::unsent(&db) > some_left && number < most {
        ticks.tick().await;
        db.commit(orders.emit_failure(number), orders.cause()).await?;
        timeline.committed(as_number(number));
        number += 1;
    }
    timeline.until(number).await?;
    let emitted = number - backlog;
    ensure!(emitted >= IMMEDIATE_MIN, "the outbox was empty after {emitted} immediate events: too few to judge by");
    let Latency { p50_ms, p99_ms } = timeline.latency_from(backlog)?;
    reacting.stop().await?;
    emitting.stop().await?;
    timeline.check(effects(&servers.consumers_store().await?).await?)?;
    let more = format!("commit to effect p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, of {emitted} events");
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

async fn emit(db: &Db, orders: &Orders, timeline: &Timeline, numbers: std::ops::Range<usize>) -> Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_S);
    for number in numbers {
        ticks.tick().await;
        db.commit(orders.emit_failure(number), orders.cause()).await?;
        timeline.committed(as_number(number));
    }
    Ok(())
}
