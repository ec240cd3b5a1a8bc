//! A queue of tasks: each is done by one worker, and more workers do more at once.
//!
//! The workers share the shards of one consumer, so tasks of one key are done one after another, by one worker.
//!
//! `cargo run -p tradepost-redis-patterns --bin task-queue redis://127.0.0.1`

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bus::{Broker, Gathered, Settlement, Subscription, Topology};
use bus_redis::Redis;
use kernel::Lane;
use redis_patterns::{connect, publish};
use tokio::task::JoinSet;

const RESIZE: &str = "example.resize_picture.v1";

const WORKERS: &str = "pictures";

/// Tasks of each run, and the time that one takes.
const TASKS: usize = 200;
const TASK: Duration = Duration::from_millis(5);

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).context("which Redis? Give its URL, as in redis://127.0.0.1")?;
    let topology = Topology::new().consumer(WORKERS, [(RESIZE, Lane::Background)]);
    let broker = Arc::new(connect(&url, topology).await?);
    for workers in [1, 2, 4] {
        for number in 0..TASKS {
            publish(&broker, RESIZE, format!("picture {number}")).await?;
        }
        let began = Instant::now();
        let (done, ended): (Vec<usize>, Vec<Instant>) = run(&broker, workers).await?.into_iter().unzip();
        let took = ended.into_iter().max().context("there is a worker")? - began;
        let per_s = TASKS as f64 / took.as_secs_f64();
        writeln!(std::io::stdout(), "{workers} workers: {per_s:.0} tasks/s, {done:?} of each")?;
    }
    Ok(())
}

/// Works until no task waits; the number of tasks that each worker did, and when it had done the last.
async fn run(broker: &Arc<Redis>, workers: u16) -> Result<Vec<(usize, Instant)>> {
    let mut running = JoinSet::new();
    for worker in 0..workers {
        let shards = broker.shards().all(Lane::Background).filter(move |shard| shard % workers == worker);
        running.spawn(work(broker.clone(), shards.collect()));
    }
    running.join_all().await.into_iter().collect()
}

async fn work(broker: Arc<Redis>, shards: Vec<u16>) -> Result<(usize, Instant)> {
    let mut subscription = Gathered::new();
    subscription.assign(&*broker, WORKERS, Lane::Background, shards).await?;
    let (mut done, mut ended) = (0, Instant::now());
    while let Ok(deliveries) = tokio::time::timeout(Duration::from_millis(500), subscription.next(16)).await {
        for delivery in deliveries? {
            tokio::time::sleep(TASK).await;
            // A worker that dies before this leaves the task to whoever takes over its shards.
            subscription.settle(&[delivery.tag], Settlement::Done).await?;
            (done, ended) = (done + 1, Instant::now());
        }
    }
    subscription.close().await;
    Ok((done, ended))
}
