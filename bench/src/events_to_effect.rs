//! From the commit of an event to that of its effect, in two processes' worth of services.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::stream::{self, StreamExt};

use crate::Measured;
use crate::load::{Orders, as_number};
use crate::servers::{Process, Servers};
use crate::services::{ORDERS, consumer, effects, teller};
use crate::timeline::{Seen, per_s};

/// How long events are told.
pub(crate) const SECONDS: usize = 20;

/// Events that are told and have not taken effect at the most, where it goes as fast as it can: several windows of every
/// part on the way, and little enough that what is measured is a steady state.
const UNDER_WAY: usize = 4_096;

/// Commits that are under way at once, as of as many requests.
const COMMITS: usize = 256;

/// More than can take effect in a second here: room for the numbers.
const PER_S_MAX: usize = 20_000;

/// Of the paced run: a few percent of what is possible, so that nothing waits for its turn.
const PACE_PER_S: usize = 500;

/// What is done before the time is taken, so that connections and plans are there.
const WARM_UP: usize = 500;

/// Two processes of the shop: one that tells, one that reacts.
struct Pair {
    telling: Process,
    reacting: Process,
    orders: Orders,
    db: storage::Db,
    seen: Arc<Seen>,
}

impl Pair {
    async fn start(servers: &Servers, events: usize) -> Result<Self> {
        let seen = Arc::new(Seen::new(events));
        let reacting = Process::start(servers, vec![Box::new(consumer(&seen))]).await?;
        let (service, ctx) = teller(ORDERS);
        let telling = Process::start(servers, vec![Box::new(service)]).await?;
        Ok(Self { telling, reacting, orders: Orders::new(&servers.ids), db: ctx.await?.db, seen })
    }

    /// One event, one commit.
    async fn tell(&self, number: usize) -> Result<()> {
        self.db.commit(self.orders.tell(number), self.orders.cause()).await?;
        self.seen.told(as_number(number));
        Ok(())
    }

    async fn warm_up(&self) -> Result<()> {
        for number in 0..WARM_UP {
            self.tell(number).await?;
        }
        self.seen.until(WARM_UP).await
    }

    async fn end(self, servers: &Servers) -> Result<()> {
        self.telling.stop().await?;
        self.reacting.stop().await?;
        self.seen.check(effects(&servers.consumers_store().await?).await?)
    }
}

pub(crate) async fn as_fast_as_it_goes(servers: &Servers, seconds: usize) -> Result<Measured> {
    let pair = Pair::start(servers, WARM_UP + seconds * PER_S_MAX).await?;
    pair.warm_up().await?;
    pair.seen.room.add_permits(UNDER_WAY - WARM_UP);
    let lasts = Duration::from_secs(u64::try_from(seconds)?);
    let began = Instant::now();
    let mut told = WARM_UP;
    {
        let numbers = stream::iter(WARM_UP..WARM_UP + seconds * PER_S_MAX);
        let commits = numbers.take_while(|_| std::future::ready(began.elapsed() < lasts)).map(|number| {
            let pair = &pair;
            async move {
                pair.seen.room.acquire().await?.forget();
                pair.tell(number).await
            }
        });
        let mut commits = std::pin::pin!(commits.buffer_unordered(COMMITS));
        while let Some(outcome) = commits.next().await {
            outcome?;
            told += 1;
        }
    }
    pair.seen.until(told).await?;
    let took = began.elapsed();
    let latency = pair.seen.latency_from(WARM_UP)?;
    pair.end(servers).await?;
    let more = format!(
        "{} events in {:.1} s; with {UNDER_WAY} under way, commit to effect p50 {:.0} ms, p99 {:.0} ms",
        told - WARM_UP,
        took.as_secs_f64(),
        latency.p50_ms,
        latency.p99_ms,
    );
    Ok(Measured { per_s: per_s(told - WARM_UP, took), unit: "effects/s", more, ratio: None })
}

pub(crate) async fn paced(servers: &Servers, seconds: usize) -> Result<Measured> {
    let events = WARM_UP + seconds * PACE_PER_S;
    let pair = Pair::start(servers, events).await?;
    pair.warm_up().await?;
    let began = Instant::now();
    told_at(&pair, WARM_UP..events).await?;
    pair.seen.until(events).await?;
    let took = began.elapsed();
    let latency = pair.seen.latency_from(WARM_UP)?;
    pair.end(servers).await?;
    let more = format!("commit to effect p50 {:.1} ms, p99 {:.1} ms", latency.p50_ms, latency.p99_ms);
    Ok(Measured { per_s: per_s(events - WARM_UP, took), unit: "effects/s", more, ratio: None })
}

/// Tells events at the pace, whatever becomes of those before.
async fn told_at(pair: &Pair, numbers: std::ops::Range<usize>) -> Result<()> {
    let began = tokio::time::Instant::now();
    let first = numbers.start;
    let pace = Duration::from_secs(1) / u32::try_from(PACE_PER_S)?;
    let due = |number: usize| began + pace * u32::try_from(number - first).unwrap_or(u32::MAX);
    let commits = numbers.map(|number| async move {
        tokio::time::sleep_until(due(number)).await;
        pair.tell(number).await
    });
    let mut commits = std::pin::pin!(stream::iter(commits).buffer_unordered(COMMITS));
    while let Some(outcome) = commits.next().await {
        outcome?;
    }
    Ok(())
}
