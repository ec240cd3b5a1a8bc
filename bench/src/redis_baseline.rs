//! The baseline of the relay on Redis: the `redis` crate alone appends the same entries to the same streams, in pipelines
//! of as many as the relay has in flight. There is no outbox, no order of keys, no script, and nothing that looks at the
//! length of a stream.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use events::{Event, OrderPlaced};
use kernel::Shards;

use crate::Measured;
use crate::load::{Orders, key};
use crate::servers::Servers;
use crate::services::CONSUMER;
use crate::timeline::per_s;

/// The window of the relay.
const UNCONFIRMED: usize = 1_024;

pub(crate) async fn measure(servers: &Servers, events: usize) -> Result<Measured> {
    let orders = Orders::new(&servers.ids);
    let mut pipelines = Vec::new();
    for numbers in (0..events).collect::<Vec<_>>().chunks(UNCONFIRMED) {
        let mut pipeline = redis::pipe();
        for number in numbers {
            let order = orders.placed(*number);
            let shard = Shards::DEFAULT.of(OrderPlaced::LANE, key(&order));
            let id: kernel::Uuid = servers.ids.next();
            pipeline.cmd("XADD").arg(servers.key(&format!("{CONSUMER}.background.{shard}"))).arg("*");
            for (name, value) in fields(&id.to_string()) {
                pipeline.arg(name).arg(value);
            }
            pipeline.arg("data").arg(serde_json::to_vec(&order)?).ignore();
        }
        pipelines.push(pipeline);
    }
    let client = redis::Client::open(servers.server_url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let began = Instant::now();
    for pipeline in &pipelines {
        pipeline.query_async::<()>(&mut connection).await.context("entries were not appended")?;
    }
    let took = began.elapsed();
    let arrived = servers.waiting().await?;
    ensure!(arrived == u64::try_from(events)?, "{events} entries were appended, and {arrived} arrived");
    let more = format!("{events} entries");
    Ok(Measured { per_s: per_s(events, took), unit: "events/s", more, ratio: None })
}

/// As many fields as an event has, with names and values as long.
fn fields(id: &str) -> [(&'static str, &str); 11] {
    [
        ("specversion", "1.0"),
        ("id", id),
        ("type", OrderPlaced::TYPE),
        ("source", OrderPlaced::SOURCE),
        ("time", "2026-01-01T00:00:00.000000Z"),
        ("subject", id),
        ("lane", "background"),
        ("sequence", "1"),
        ("correlationid", id),
        ("causationid", id),
        ("datacontenttype", "application/json"),
    ]
}
