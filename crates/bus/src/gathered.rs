//! The subscriptions of several shards as one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;

use futures_util::future::{BoxFuture, FutureExt, join_all, select_all};
use kernel::Lane;

use crate::{Broker, Delivery, Error, Settlement, Subscription, Tag};

/// The deliveries of one consumer in a lane, of all shards that it has at the moment.
///
/// The shards are asked in turn, so that a busy one doesn't starve the others. If one breaks, [`Subscription::next`]
/// says so.
pub struct Gathered {
    shards: BTreeMap<u16, Box<dyn Subscription>>,
    /// The subscription that is asked first the next time.
    first: usize,
}

impl Gathered {
    /// Nothing is received yet.
    pub fn new() -> Self {
        Self { shards: BTreeMap::new(), first: 0 }
    }

    /// Receives from exactly these shards from now on. What was delivered by a shard that goes and is not settled comes
    /// again to whoever receives from it next.
    pub async fn assign(
        &mut self,
        broker: &dyn Broker,
        consumer: &str,
        lane: Lane,
        shards: impl IntoIterator<Item = u16>,
    ) -> Result<(), Error> {
        let shards: Vec<u16> = shards.into_iter().collect();
        let gone: Vec<u16> = self.shards.keys().copied().filter(|shard| !shards.contains(shard)).collect();
        close_all(gone.into_iter().filter_map(|shard| self.shards.remove(&shard))).await;
        for shard in shards {
            if let Entry::Vacant(missing) = self.shards.entry(shard) {
                missing.insert(broker.subscribe(consumer, lane, shard).await?);
            }
        }
        Ok(())
    }

    /// Ends all of them; see [`Subscription::close`].
    pub async fn close(&mut self) {
        close_all(mem::take(&mut self.shards).into_values()).await;
    }

    /// The deliveries that have arrived already, of all shards.
    fn arrived(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let count = self.shards.len();
        self.first = (self.first + 1) % count.max(1);
        let (before, from) = (0..self.first, self.first..count);
        let mut shards: Vec<_> = self.shards.values_mut().collect();
        let mut arrived = Vec::new();
        for index in from.chain(before) {
            if arrived.len() >= max {
                break;
            }
            match shards[index].next(max - arrived.len()).now_or_never() {
                Some(Ok(deliveries)) => arrived.extend(deliveries),
                // What arrived from the others must not be lost by this; the next call meets the error again.
                Some(Err(error)) if arrived.is_empty() => return Err(error),
                Some(Err(_)) | None => {}
            }
        }
        Ok(arrived)
    }
}

async fn close_all(subscriptions: impl Iterator<Item = Box<dyn Subscription>>) {
    join_all(subscriptions.map(Subscription::close)).await;
}

impl Default for Gathered {
    fn default() -> Self {
        Self::new()
    }
}

impl Subscription for Gathered {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Vec<Delivery>, Error>> {
        async move {
            let max = max.max(1);
            let arrived = self.arrived(max)?;
            if !arrived.is_empty() {
                return Ok(arrived);
            }
            if self.shards.is_empty() {
                return std::future::pending().await;
            }
            // The others are dropped while they wait, which loses nothing.
            select_all(self.shards.values_mut().map(|shard| shard.next(max))).await.0
        }
        .boxed()
    }

    fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> BoxFuture<'_, Result<(), Error>> {
        let mut by_shard: BTreeMap<u16, Vec<Tag>> = BTreeMap::new();
        for tag in tags {
            by_shard.entry(tag.shard()).or_default().push(*tag);
        }
        async move {
            let mut settled = Ok(());
            for (shard, tags) in by_shard {
                // A shard that has gone gave back what was unsettled.
                let Some(subscription) = self.shards.get_mut(&shard) else { continue };
                let of_shard = subscription.settle(&tags, settlement).await;
                settled = settled.and(of_shard);
            }
            settled
        }
        .boxed()
    }

    fn close(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move { Gathered::close(&mut self).await }.boxed()
    }
}
