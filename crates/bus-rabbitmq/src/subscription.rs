//! A consumer's end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::{Delivery, Error, Settlement, Subscription, Tag};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select, try_join_all};
use futures_util::stream::StreamExt;
use kernel::Lane;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};

use crate::broker::Receiving;
use crate::declare::open;
use crate::error::CallError;
use crate::layout::DELIVERIES_MAX;
use crate::reconnecting::within;
use crate::wire;

/// Messages that the broker sends ahead of their settlement, of each shard: eight shards together fill two windows of
/// the runner. No more, for all of them are redelivered when a shard moves to another instance, and a redelivery takes
/// more commits.
pub(crate) const PREFETCH: u16 = 64;

/// Numbers are used once in a process, so that a tag of an earlier subscription names nothing in a later one.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// The subscription of one consumer in a shard of a lane. Dropped, its channel closes, and unsettled deliveries are
/// redelivered.
pub(crate) struct Channelled {
    connection: Arc<Connection>,
    from: Source,
    open: Open,
    /// The broker's tag of each delivery that is not settled, in the order of delivery.
    unsettled: BTreeMap<u64, u64>,
    /// The error that broke it.
    broken: Option<String>,
    _receiving: Receiving,
}

/// The source of the messages.
#[derive(Clone)]
pub(crate) struct Source {
    pub lane: Lane,
    pub shard: u16,
    pub queue: ShortString,
    /// The queue of dead-lettered messages, if it is read here too.
    pub dead: Option<ShortString>,
}

/// A delivery, and true if the broker had dead-lettered it; or the error that ended the subscription.
type Arrival = Result<(lapin::message::Delivery, bool), String>;

struct Open {
    channel: Channel,
    /// Always there until it is dropped.
    consumers: Option<Consumers>,
}

struct Consumers {
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
        Ok(Self { channel, consumers: Some(Consumers { live, dead }) })
    }

    /// The next that arrives from either queue, and whether the broker gave it up.
    async fn arrival(&mut self) -> Arrival {
        let Some(Consumers { live, dead }) = &mut self.consumers else { return Err("it is closed".to_owned()) };
        let Some(dead) = dead else { return arrived(live.next().await).map(|it| (it, false)) };
        match select(live.next(), dead.next()).await {
            Either::Left((live, _)) => arrived(live).map(|it| (it, false)),
            Either::Right((dead, _)) => arrived(dead).map(|it| (it, true)),
        }
    }
}

impl Channelled {
    /// Begins to receive.
    pub async fn begin(
        connection: Arc<Connection>,
        channel: Channel,
        from: Source,
        receiving: Receiving,
    ) -> Result<Self, CallError> {
        let open = Open::on(channel, &from).await?;
        Ok(Self { connection, from, open, unsettled: BTreeMap::new(), broken: None, _receiving: receiving })
    }

    fn delivery(&mut self, arrived: lapin::message::Delivery, is_dead: bool) -> Delivery {
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        self.unsettled.insert(number, arrived.delivery_tag);
        let (mut message, mut defect) = wire::decode(&arrived.properties, arrived.data);
        if !is_dead && message.envelope.lane != self.from.lane {
            defect.get_or_insert_with(|| {
                format!("its lane is {}, and it came by {}", message.envelope.lane, self.from.lane)
            });
            // It is kept where its handler would be looked for.
            message.envelope.lane = self.from.lane;
        }
        let dead_lettered = || format!("the broker dead-lettered it after {DELIVERIES_MAX} deliveries");
        let defect = if is_dead { Some(dead_lettered()) } else { defect };
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
                Some(self.open.arrival().await)
            } else {
                self.open.arrival().now_or_never()
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
    async fn acknowledge(&mut self, settled: Vec<u64>) -> Result<(), CallError> {
        let first_unsettled = self.unsettled.values().next().copied().unwrap_or(u64::MAX);
        // Of two queues what is behind on the channel may not have been seen yet: then each gets a word of its own.
        let is_in_order = self.from.dead.is_none();
        let (before, behind): (Vec<u64>, Vec<u64>) =
            settled.into_iter().partition(|tag| is_in_order && *tag < first_unsettled);
        let before = before.last().map(|tag| self.open.channel.basic_ack(*tag, BasicAckOptions { multiple: true }));
        let behind = behind.iter().map(|tag| self.open.channel.basic_ack(*tag, BasicAckOptions::default()));
        within("acknowledging", try_join_all(before.into_iter().chain(behind))).await.map(drop)
    }

    /// Gives back everything that is unsettled, what was sent ahead included: that would overtake what is given back.
    ///
    /// One by one it can't be done: deliveries in flight when the broker is asked to stop would be given back late, and
    /// then come behind their successors. Those of a closed channel keep their places.
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

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            if self.broken.is_none()
                && let Err(error) = within("closing a channel", self.open.channel.close(200, "done".into())).await
            {
                tracing::debug!(%error, "a channel could not be closed; its connection gives back what it has");
            }
        }
        .boxed()
    }
}

/// Closes the channel before the client cancels its subscriptions, as it does when they are dropped: of a subscription
/// that is cancelled the broker lets the next consumer have what comes later before it takes back what is unsettled.
impl Drop for Open {
    fn drop(&mut self) {
        let consumers = self.consumers.take();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.channel.status().connected() {
            return;
        }
        let channel = self.channel.clone();
        runtime.spawn(async move {
            // If it can't be closed, the end of its connection gives back what it has.
            let _ = within("closing a channel", channel.close(200, "dropped".into())).await;
            drop(consumers);
        });
    }
}

/// Begins to receive from a queue.
pub(crate) async fn consume(channel: &Channel, queue: &ShortString) -> lapin::Result<Consumer> {
    channel
        .basic_consume(queue.clone(), ShortString::default(), BasicConsumeOptions::default(), FieldTable::default())
        .await
}

/// A delivery of a consumer, or the error that ended it.
fn arrived(next: Option<lapin::Result<lapin::message::Delivery>>) -> Result<lapin::message::Delivery, String> {
    match next {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the broker ended the subscription, as it does when its queue is deleted".to_owned()),
    }
}
