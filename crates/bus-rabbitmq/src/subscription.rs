//! A consumer's end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::{Delivery, Error, Settlement, Subscription, Tag};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select, try_join_all};
use futures_util::stream::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};

use crate::broker::Receiving;
use crate::declare::open;
use crate::layout::DELIVERIES_MAX;
use crate::link::{CallError, within};
use crate::wire;

/// Messages that the broker sends ahead of their settlement, of each shard: all shards together fill several windows of
/// the runner. No more, for when a shard changes hands all of them come again, and what comes again is handled alone.
pub(crate) const PREFETCH: u16 = 64;

/// Numbers are used once in a process, so that a tag of an earlier subscription names nothing in a later one.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// What one consumer receives in a shard of a lane. Dropped, its channel closes, and what is unsettled comes again.
pub(crate) struct Channelled {
    connection: Arc<Connection>,
    from: Source,
    open: Open,
    /// The broker's tag of each delivery that is not settled, in the order of delivery.
    unsettled: BTreeMap<u64, u64>,
    /// What broke it.
    broken: Option<String>,
    _receiving: Receiving,
}

/// Where the messages come from.
pub(crate) struct Source {
    pub shard: u16,
    pub queue: ShortString,
    /// What the broker gave up, if it comes here too.
    pub dead: Option<ShortString>,
}

struct Open {
    channel: Channel,
    live: Consumer,
    dead: Option<Consumer>,
}

impl Open {
    async fn on(channel: Channel, from: &Source) -> Result<Self, CallError> {
        within("asking for a window", channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
        let live = within("subscribing", consume(&channel, &from.queue)).await?;
        let dead = match &from.dead {
            Some(dead) => Some(within("subscribing", consume(&channel, dead)).await?),
            None => None,
        };
        Ok(Self { channel, live, dead })
    }
}

impl Channelled {
    pub async fn begin(
        connection: Arc<Connection>,
        channel: Channel,
        from: Source,
        receiving: Receiving,
    ) -> Result<Self, CallError> {
        let open = Open::on(channel, &from).await?;
        Ok(Self { connection, from, open, unsettled: BTreeMap::new(), broken: None, _receiving: receiving })
    }

    /// The next that arrives from either queue, and whether the broker gave it up.
    async fn arrival(&mut self) -> Result<(lapin::message::Delivery, bool), String> {
        let Open { live, dead, .. } = &mut self.open;
        let Some(dead) = dead else { return arrived(live.next().await).map(|it| (it, false)) };
        match select(live.next(), dead.next()).await {
            Either::Left((live, _)) => arrived(live).map(|it| (it, false)),
            Either::Right((dead, _)) => arrived(dead).map(|it| (it, true)),
        }
    }

    fn delivery(&mut self, arrived: lapin::message::Delivery, is_dead: bool) -> Delivery {
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        self.unsettled.insert(number, arrived.delivery_tag);
        let (message, defect) = wire::decode(&arrived.properties, arrived.data);
        let given_up = || format!("the broker gave up on it after {DELIVERIES_MAX} deliveries");
        let defect = if is_dead { Some(given_up()) } else { defect };
        Delivery { message, tag: Tag::new(self.from.shard, number), redelivered: arrived.redelivered, defect }
    }

    async fn take(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        if let Some(broken) = &self.broken {
            return Err(Error::Unavailable(broken.clone()));
        }
        let mut deliveries = Vec::new();
        while deliveries.len() < max.max(1) {
            let arrival = if deliveries.is_empty() {
                // Nothing is awaited after it arrived, so a dropped future has taken nothing.
                Some(self.arrival().await)
            } else {
                self.arrival().now_or_never()
            };
            match arrival {
                Some(Ok((arrived, is_dead))) => {
                    let delivery = self.delivery(arrived, is_dead);
                    deliveries.push(delivery);
                }
                Some(Err(broken)) => {
                    self.broken = Some(broken.clone());
                    if deliveries.is_empty() {
                        return Err(Error::Unavailable(broken));
                    }
                    break;
                }
                None => break,
            }
        }
        Ok(deliveries)
    }

    /// The broker's tags of those that are not settled, which they are from now on.
    fn settled(&mut self, tags: &[Tag]) -> Vec<u64> {
        let mut settled: Vec<u64> = tags.iter().filter_map(|tag| self.unsettled.remove(&tag.number())).collect();
        settled.sort_unstable();
        settled
    }

    /// One word for all before the first that is unsettled, and one for each behind that.
    async fn acknowledge(&self, settled: Vec<u64>) -> Result<(), CallError> {
        let first_unsettled = self.unsettled.values().next().copied().unwrap_or(u64::MAX);
        let (before, behind): (Vec<u64>, Vec<u64>) = settled.into_iter().partition(|tag| *tag < first_unsettled);
        let before = before.last().map(|tag| self.open.channel.basic_ack(*tag, BasicAckOptions { multiple: true }));
        let behind = behind.iter().map(|tag| self.open.channel.basic_ack(*tag, BasicAckOptions::default()));
        within("acknowledging", try_join_all(before.into_iter().chain(behind))).await.map(drop)
    }

    /// Gives back everything that is unsettled, what was sent ahead included: that would overtake what is given back.
    ///
    /// One by one it can't be done: what is on its way when the broker is told to stop is given back late, and then
    /// comes behind its successors. What a closed channel leaves is in its old place.
    async fn give_back(&mut self) -> Result<(), CallError> {
        self.unsettled.clear();
        within("closing a channel", self.open.channel.close(200, "given back".into())).await?;
        let channel = open(&self.connection).await?;
        self.open = Open::on(channel, &self.from).await?;
        Ok(())
    }
}

impl Subscription for Channelled {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Vec<Delivery>, Error>> {
        self.take(max).boxed()
    }

    fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> BoxFuture<'_, Result<(), Error>> {
        let settled = self.settled(tags);
        async move {
            if settled.is_empty() {
                return Ok(());
            }
            if let Some(broken) = &self.broken {
                return Err(Error::Unavailable(broken.clone()));
            }
            // Half done it would be in no state to go on: so it is broken if this is dropped on the way.
            self.broken = Some("a settlement was abandoned".to_owned());
            let done = match settlement {
                Settlement::Done => self.acknowledge(settled).await,
                Settlement::Requeue => self.give_back().await,
            };
            self.broken = done.err().map(|error| error.to_string());
            self.broken.clone().map_or(Ok(()), |broken| Err(Error::Unavailable(broken)))
        }
        .boxed()
    }
}

async fn consume(channel: &Channel, queue: &ShortString) -> lapin::Result<Consumer> {
    channel
        .basic_consume(queue.clone(), ShortString::default(), BasicConsumeOptions::default(), FieldTable::default())
        .await
}

/// What a consumer yielded, or what ended it.
fn arrived(next: Option<lapin::Result<lapin::message::Delivery>>) -> Result<lapin::message::Delivery, String> {
    match next {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the broker ended the subscription, as it does when its queue is deleted".to_owned()),
    }
}
