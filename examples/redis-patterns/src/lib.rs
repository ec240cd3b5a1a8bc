//! Parts of both patterns: a broker on Redis, a message, and its publication.
//!
//! `bin/publish_to_many.rs` has each group see each event; `bin/task_queue.rs` has each task done by one worker. Both use the
//! broker port as it is: what is done twice after a crash, a program of its own must notice. A service of Tradepost does
//! by its inbox.

use std::time::Duration;

use anyhow::{Result, bail};
use bus::{Broker, Destination, Health, Message, PublishResult, Topology};
use bus_redis::{Options, Redis};
use bytes::Bytes;
use kernel::{Clock, Envelope, EventId, Ids, Lane, Shards};

/// A broker that is connected, with a stream for each consumer and shard.
pub async fn connect(url: &str, topology: Topology) -> Result<Redis> {
    let broker = Redis::new(url, Options::new(topology, Shards::DEFAULT, ids()))?;
    Redis::reach(url, Duration::from_secs(10), |_| ()).await?;
    broker.declare().await?;
    while broker.health() != Health::Ready {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(broker)
}

/// Publishes text, with a key of its own; done when Redis has it.
pub async fn publish(broker: &Redis, event_type: &str, text: String) -> Result<()> {
    let ids = ids();
    let id: EventId = ids.next();
    let envelope = Envelope {
        id,
        event_type: event_type.to_owned(),
        source: "example".to_owned(),
        time: Clock::system().now(),
        key: ids.next(),
        lane: Lane::Background,
        sequence: 1,
        correlation_id: id.into(),
        causation_id: id.into(),
        traceparent: None,
    };
    match broker.publish(&Destination::new("events"), Message { envelope, body: Bytes::from(text) }).await {
        PublishResult::Stored => Ok(()),
        other => bail!("it is not stored: {other:?}"),
    }
}

/// Ids of messages.
pub fn ids() -> Ids {
    Ids::new(Clock::system())
}
