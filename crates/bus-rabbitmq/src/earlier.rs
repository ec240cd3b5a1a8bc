//! Queues of an earlier version, which kept the archives for consumers that were new: `tradepost.<service>.archive.…`.
//!
//! Consumers catch up in their own stores now. What such a queue still holds has not been handled, so it is not
//! removed.

use kernel::Lane;
use lapin::options::{BasicQosOptions, QueueDeleteOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Connection};

use crate::declare::{QueueStatus, open, queue_status};
use crate::error::{CallError, Unusable};
use crate::reconnecting::within;
use crate::subscription::consume;
use crate::{RabbitMq, broker::Shared};
use futures_util::stream::StreamExt;

/// The type of the sentinel messages with which such a queue begins, and which are no events.
const SENTINEL: &str = "tradepost.keeper";

/// Sentinel messages that a queue may hold: one, and one more for each `migrate` that was killed.
const SENTINELS_MAX: u16 = 16;

impl RabbitMq {
    /// Removes the queues in which an earlier version kept archives, if they were read; refuses if one was not.
    pub async fn remove_archives(&self) -> Result<(), Unusable> {
        self.shared().remove_archives().await
    }
}

impl Shared {
    async fn remove_archives(&self) -> Result<(), Unusable> {
        let other = |error: bus::Error| Unusable::Other { place: self.address.place(), detail: error.to_string() };
        let connection = self.receiving().await.map_err(other)?;
        for consumer in self.layout.consumers() {
            self.remove_archives_of(consumer, &connection).await?;
        }
        Ok(())
    }

    async fn remove_archives_of(&self, consumer: &str, connection: &Connection) -> Result<(), Unusable> {
        let calling = |error: CallError| Unusable::calling(&self.address, &error);
        let shards = self.layout.shards();
        let of_lane = |lane| shards.all(lane).map(move |shard| format!("tradepost.{consumer}.archive.{lane}.{shard}"));
        // The first was made first and is removed last: where it is not, there is no other.
        let names: Vec<ShortString> = Lane::ALL.into_iter().flat_map(of_lane).map(ShortString::from).collect();
        let Some(first) = names.first() else { return Ok(()) };
        if look(connection, first).await.map_err(calling)?.is_none() {
            return Ok(());
        }
        for name in names.iter().rev() {
            let Some(found) = look(connection, name).await.map_err(calling)? else { continue };
            if !is_read(connection, name, found).await.map_err(calling)? {
                return Err(Unusable::Unread { queue: name.to_string(), consumer: consumer.to_owned() });
            }
            remove(connection, name).await.map_err(calling)?;
        }
        Ok(())
    }
}

/// The state of a queue, asked on a channel of its own, for the answer may close it.
async fn look(connection: &Connection, queue: &ShortString) -> Result<Option<QueueStatus>, CallError> {
    let channel = open(connection).await?;
    let found = queue_status(&channel, queue).await?;
    if found.is_some() {
        within("closing a channel", channel.close(200, "looked".into())).await?;
    }
    Ok(found)
}

/// True if nobody reads a queue and it holds sentinel messages at the most.
async fn is_read(connection: &Connection, queue: &ShortString, found: QueueStatus) -> Result<bool, CallError> {
    if found.consumers > 0 || found.waiting > u32::from(SENTINELS_MAX) {
        return Ok(false);
    }
    let channel = open(connection).await?;
    within("asking for a window", channel.basic_qos(SENTINELS_MAX, BasicQosOptions::default())).await?;
    let mut consumer = within("subscribing", consume(&channel, queue)).await?;
    let mut is_read = true;
    for _ in 0..found.waiting {
        let next = within("reading a queue", async { consumer.next().await.transpose() }).await?;
        is_read &= next.is_some_and(|delivery| is_sentinel(&delivery.properties));
    }
    // What was delivered goes back to its place. A queue that is removed before that ends the connection with an error.
    within("closing a channel", channel.close(200, "looked".into())).await?;
    Ok(is_read)
}

async fn remove(connection: &Connection, queue: &ShortString) -> Result<(), CallError> {
    let channel = open(connection).await?;
    within("removing a queue", channel.queue_delete(queue.clone(), QueueDeleteOptions::default())).await?;
    within("closing a channel", channel.close(200, "removed".into())).await
}

fn is_sentinel(properties: &BasicProperties) -> bool {
    properties.kind().as_ref().is_some_and(|kind| kind.as_str() == SENTINEL)
}
