//! A reaction that waits, in one instance of its service or in several.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Measured;
use crate::load::Orders;
use crate::servers::{Process, Servers};
use crate::services::{effects, slow_consumer};
use crate::timeline::{Timeline, per_s};

/// The time over which effects are counted.
pub(crate) const SECONDS: usize = 10;

/// The wait of a reaction, as for an answer over the network.
const WAIT: Duration = Duration::from_millis(10);

/// After the start instances share the work out, which takes some beats of their leases.
const SHARE_OUT: Duration = Duration::from_secs(6);

/// More than one instance can do in a second: by default eight workers, each waiting 10 ms for each event.
const PER_S_MAX: usize = 800;

pub(crate) async fn measure(servers: &Servers, count: usize, seconds: usize) -> Result<Measured> {
    let whole_s = seconds + usize::try_from(SHARE_OUT.as_secs())?;
    // Half as much again, for shards don't come out even: none may run dry.
    let events = whole_s * PER_S_MAX * count * 3 / 2;
    Orders::new(&servers.ids).fill_broker(servers, events).await?;
    let timeline = Arc::new(Timeline::new(events));
    let mut processes = Vec::new();
    for _ in 0..count {
        processes.push(Process::start(servers, vec![Box::new(slow_consumer(&timeline, WAIT))]).await?);
    }
    tokio::time::sleep(SHARE_OUT).await;
    let (before, began) = (timeline.count(), Instant::now());
    tokio::time::sleep(Duration::from_secs(u64::try_from(seconds)?)).await;
    let (done, took) = (timeline.count() - before, began.elapsed());
    ensure!(timeline.count() < events * 9 / 10, "the {events} events came to an end before they were counted");
    for process in processes {
        process.stop().await?;
    }
    let db = servers.consumers_store().await?;
    timeline.check(effects(&db).await?)?;
    let held = storage::held::counts(&db).await?.held;
    let more = format!("{WAIT:?} for each event, 8 workers in each instance; {held} were held at the end");
    Ok(Measured { per_s: per_s(done, took), unit: "effects/s", more, ratio: None })
}
