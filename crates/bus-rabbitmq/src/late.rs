//! A consumer that came late: what was told before it was there waits for it in queues beside the live ones.
//!
//! `migrate` binds the live queues first, then copies the archive, and only then may the consumer's processes start. A
//! subscription reads the archive's queue until it is empty and everything from it is settled, and then the live one.
//! What is in both the consumer's inbox knows.
//!
//! Nobody who reads removes a queue: whoever keeps something in it could not know of that, and it would be lost. It is
//! removed by the next `migrate`, which is the only one to keep something, if it is empty and nobody reads it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Archives, Error, Message, Outcome};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::StreamExt;
use kernel::Lane;
use lapin::options::{BasicQosOptions, QueueDeleteOptions};
use lapin::types::ShortString;
use lapin::{Channel, Connection};

use crate::broker::Shared;
use crate::declare::{Standing, open, standing};
use crate::layout::{Layout, Queue};
use crate::link::{CallError, within};
use crate::subscription::consume;
use crate::{RabbitMq, wire};

/// How often an archive's queue from which nothing comes is looked at: rarely enough for a few hundred shards at once,
/// and often enough that nobody waits for the live queue.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What an archive that was read holds at the most: what it began with, and once more for each `migrate` that was killed.
const KEEPERS_MAX: u16 = 16;

/// Which consumers have an archive. It is asked once for each consumer in a process: a process takes what was kept
/// before it began, and whatever is kept later is for a version that knows what to do with it.
#[derive(Default)]
pub(crate) struct Late(Mutex<BTreeMap<String, bool>>);

impl Late {
    /// The queue of the archive from which a shard is read first, if there is one.
    pub async fn archive(
        &self,
        layout: &Layout,
        connection: &Connection,
        (consumer, lane, shard): (&str, Lane, u16),
    ) -> Result<Option<ShortString>, CallError> {
        let known = self.known().get(consumer).copied();
        let has_archive = match known {
            Some(has_archive) => has_archive,
            None => match layout.first_archive(consumer) {
                Some(first) => look(connection, first).await?.is_some(),
                None => false,
            },
        };
        self.known().insert(consumer.to_owned(), has_archive);
        let Some(archive) = layout.archive(consumer, lane, shard).filter(|_| has_archive) else { return Ok(None) };
        Ok(look(connection, archive).await?.map(|_| archive.name.clone()))
    }

    /// Whether a consumer that has subscribed here had an archive then.
    pub fn has_archive(&self, consumer: &str) -> bool {
        self.known().get(consumer).copied().unwrap_or_default()
    }

    /// Every change is complete when the lock is given back.
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a queue stands, asked on a channel of its own, for the answer may close it.
async fn look(connection: &Connection, queue: &Queue) -> Result<Option<Standing>, CallError> {
    let channel = open(connection).await?;
    let found = standing(&channel, &queue.name).await?;
    if found.is_some() {
        within("closing a channel", channel.close(200, "looked".into())).await?;
    }
    Ok(found)
}

/// Ends when nothing waits in a queue that is consumed on this channel.
///
/// It is looked at twice: what was delivered before the first answer is on this side of the second. What is delivered
/// to another and unsettled is counted nowhere, so it says nothing until the archive's first message has come here.
pub(crate) async fn emptied(channel: Channel, queue: ShortString) -> Result<(), CallError> {
    let is_empty = |found: Option<Standing>| found.is_some_and(|found| found.waiting == 0);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if is_empty(standing(&channel, &queue).await?) && is_empty(standing(&channel, &queue).await?) {
            return Ok(());
        }
    }
}

impl Shared {
    async fn close_archive(&self, consumer: &str) -> Result<(), Error> {
        let Some(first) = self.layout.first_archive(consumer) else { return Ok(()) };
        let connection = self.receiving().await?;
        let removed = async {
            if look(&connection, first).await?.is_none() {
                return Ok(());
            }
            let archives: Vec<&Queue> = self.layout.archives_of(consumer).collect();
            for archive in archives.into_iter().rev() {
                if look(&connection, archive).await?.is_some() && !remove_if_read(&connection, archive).await? {
                    return Ok(());
                }
            }
            Ok(())
        };
        removed.await.map_err(|error: CallError| self.error(&error))
    }
}

/// Removes an archive's queue that nobody reads and that holds nothing but what it began with.
async fn remove_if_read(connection: &Connection, queue: &Queue) -> Result<bool, CallError> {
    let channel = open(connection).await?;
    let options = BasicQosOptions::default();
    within("asking for a window", channel.basic_qos(KEEPERS_MAX, options)).await?;
    let found = standing(&channel, &queue.name).await?;
    let is_read = match found {
        Some(Standing { waiting, consumers: 0 }) if waiting <= u32::from(KEEPERS_MAX) => {
            let mut consumer = within("subscribing", consume(&channel, &queue.name)).await?;
            let mut is_read = true;
            for _ in 0..waiting {
                let next = within("reading an archive", async { consumer.next().await.transpose() }).await?;
                is_read &= next.is_some_and(|delivery| wire::is_keeper(&delivery.properties));
            }
            is_read
        }
        _ => false,
    };
    // What was delivered goes back to its place. A queue that is removed before that ends the connection with an error.
    within("closing a channel", channel.close(200, "looked".into())).await?;
    if is_read {
        let channel = open(connection).await?;
        within("removing a queue", channel.queue_delete(queue.name.clone(), QueueDeleteOptions::default())).await?;
        within("closing a channel", channel.close(200, "removed".into())).await?;
    }
    Ok(is_read)
}

impl Archives for RabbitMq {
    fn open_archive(&self, consumer: &str) -> BoxFuture<'_, Result<(), Error>> {
        let consumer = consumer.to_owned();
        async move {
            let shared = self.shared();
            let needed: Vec<&Queue> =
                shared.layout.dead(&consumer).into_iter().chain(shared.layout.archives_of(&consumer)).collect();
            let connection = shared.receiving().await?;
            let mut to_begin = Vec::new();
            for archive in shared.layout.archives_of(&consumer) {
                let found = look(&connection, archive).await.map_err(|error| shared.error(&error))?;
                // One that somebody reads may have begun or not: twice is harmless.
                if found.is_none_or(|found| found.waiting == 0) {
                    to_begin.extend(archive.keys.first().cloned());
                }
            }
            shared.make(&needed).await?;
            for routing_key in to_begin {
                let outcome = self.publish_keeper(routing_key).await;
                if outcome != Outcome::Stored {
                    return Err(Error::Unavailable(format!("an archive can't begin: {outcome:?}")));
                }
            }
            Ok(())
        }
        .boxed()
    }

    fn keep(&self, consumer: &str, message: Message) -> BoxFuture<'static, Outcome> {
        let routing_key = self.shared().layout.archive_key(consumer, message.envelope.lane, message.envelope.key);
        self.publish_by(routing_key, message)
    }

    fn close_archive(&self, consumer: &str) -> BoxFuture<'_, Result<(), Error>> {
        let consumer = consumer.to_owned();
        async move { self.shared().close_archive(&consumer).await }.boxed()
    }
}
