//! Events that wait in the broker, and whether how many there are matters.

use std::sync::Arc;

use anyhow::Result;

use crate::Measured;
use crate::load::Orders;
use crate::servers::{Process, Servers};
use crate::services::{consumer, effects};
use crate::timeline::{Timeline, per_s};

/// The parts that are compared: the first of as many, and the last.
const PARTS: usize = 10;

pub(crate) async fn measure(servers: &Servers, events: usize) -> Result<Measured> {
    Orders::new(&servers.ids).fill_broker(servers, events).await?;
    let timeline = Arc::new(Timeline::new(events));
    let process = Process::start(servers, vec![Box::new(consumer(&timeline))]).await?;
    timeline.until(events).await?;
    let times = timeline.times();
    process.stop().await?;
    timeline.check(effects(&servers.consumers_store().await?).await?)?;
    let part = events / PARTS;
    let rate = |from: usize, to: usize| per_s(to - from, times[to].saturating_sub(times[from]));
    let (first, last) = (rate(0, part), rate(events - part, events - 1));
    let more = format!("{events} events; the first tenth at {first:.0}/s, the last at {last:.0}/s");
    let ratio = Some((last / first, "its first tenth"));
    Ok(Measured { per_s: rate(0, events - 1), unit: "effects/s", more, ratio })
}
