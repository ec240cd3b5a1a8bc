//! From the commit of an event to that of its effect, in two processes' worth of services.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::stream::{self, StreamExt};

use crate::Measured;
use crate::load::{Orders, as_number};
use crate::servers::{Process, Servers};
use crate::services::{ORDERS, consumer, effects, emitter};
use crate::timeline::{Timeline, per_s};

/// The time for which events are emitted.
pub(crate) const SECONDS: usize = 20;

/// Events that are emitted and have not taken effect at the most, where it goes as fast as it can: several windows of
/// every part on the way, and little enough that what is measured is a steady state.
const IN_FLIGHT: usize = 4_096;

/// Commits that are in flight at once, as of as many requests.
const COMMITS: usize = 256;

/// More than can take effect in a second here: room for the numbers.
const PER_S_MAX: usize = 20_000;

/// Of the paced run: a few percent of what is possible, so that nothing waits for its turn.
const PACE_PER_S: usize = 500;

/// Events before the measurement begins, so that connections and plans are ready.
const WARM_UP: usize = 500;

/// Two processes of the shop: one that emits, one that reacts.
struct Pair {
    emitting: Process,
    reacting: Process,
    orders: Orders,
    db: storage::Db,
    timeline: Arc<Timeline>,
}

impl Pair {
    async fn start(servers: &Servers, events: usize) -> Result<Self> {
        let timeline = Arc::new(Timeline::new(events));
        let reacting = Process::start(servers, vec![Box::new(consumer(&timeline))]).await?;
        let (service, ctx) = emitter(ORDERS);
        let emitting = Process::start(servers, vec![Box::new(service)]).await?;
        Ok(Self { emitting, reacting, orders: Orders::new(&servers.ids), db: ctx.await?.db.clone(), timeline })
    }

    /// One event, one commit.
    async fn emit(&self, number: usize) -> Result<()> {
        self.db.commit(self.orders.emit(number), self.orders.cause()).await?;
        self.timeline.committed(as_number(number));
        Ok(())
    }

    async fn warm_up(&self) -> Result<()> {
        for number in 0..WARM_UP {
            self.emit(number).await?;
        }
        self.timeline.until(WARM_UP).await
    }

    async fn end(self, servers: &Servers) -> Result<()> {
        self.emitting.stop().await?;
        self.reacting.stop().await?;
        self.timeline.check(effects(&servers.consumers_store().await?).await?)
    }
}

pub(crate) async fn as_fast_as_it_goes(servers: &Servers, seconds: usize) -> Result<Measured> {
    let pair = Pair::start(servers, WARM_UP + seconds * PER_S_MAX).await?;
    pair.warm_up().await?;
    pair.timeline.room.add_permits(IN_FLIGHT - WARM_UP);
    let lasts = Duration::from_secs(u64::try_from(seconds)?);
    let began = Instant::now();
    let mut emitted = WARM_UP;
    {
        let numbers = stream::iter(WARM_UP..WARM_UP + seconds * PER_S_MAX);
        let commits = numbers.take_while(|_| std::future::ready(began.elapsed() < lasts)).map(|number| {
            let pair = &pair;
            async move {
                pair.timeline.room.acquire().await?.forget();
                pair.emit(number).await
            }
        });
        let mut commits = std::pin::pin!(commits.buffer_unordered(COMMITS));
        while let Some(outcome) = commits.next().await {
            outcome?;
            emitted += 1;
        }
    }
    pair.timeline.until(emitted).await?;
    let took = began.elapsed();
    let latency = pair.timeline.latency_from(WARM_UP)?;
    pair.end(servers).await?;
    let more = format!(
        "{} events in {:.1} s; with {IN_FLIGHT} in flight, commit to effect p50 {:.0} ms, p99 {:.0} ms",
        emitted - WARM_UP,
        took.as_secs_f64(),
        latency.p50_ms,
        latency.p99_ms,
    );
    Ok(Measured { per_s: per_s(emitted - WARM_UP, took), unit: "effects/s", more, ratio: None })
}

pub(crate) async fn paced(servers: &Servers, seconds: usize) -> Result<Measured> {
    let events = WARM_UP + seconds * PACE_PER_S;
    let pair = Pair::start(servers, events).await?;
    pair.warm_up().await?;
    let began = Instant::now();
    emit_at(&pair, WARM_UP..events).await?;
    pair.timeline.until(events).await?;
    let took = began.elapsed();
    let latency = pair.timeline.latency_from(WARM_UP)?;
    pair.end(servers).await?;
    let more = format!("commit to effect p50 {:.1} ms, p99 {:.1} ms", latency.p50_ms, latency.p99_ms);
    Ok(Measured { per_s: per_s(events - WARM_UP, took), unit: "effects/s", more, ratio: None })
}

/// Emits events at the pace, whatever the results of those before.
async fn emit_at(pair: &Pair, numbers: std::ops::Range<usize>) -> Result<()> {
    let began = tokio::time::Instant::now();
    let first = numbers.start;
    let pace = Duration::from_secs(1) / u32::try_from(PACE_PER_S)?;
    let due = |number: usize| began + pace * u32::try_from(number - first).unwrap_or(u32::MAX);
    let commits = numbers.map(|number| async move {
        tokio::time::sleep_until(due(number)).await;
        pair.emit(number).await
    });
    let mut commits = std::pin::pin!(stream::iter(commits).buffer_unordered(COMMITS));
    while let Some(outcome) = commits.next().await {
        outcome?;
    }
    Ok(())
}
