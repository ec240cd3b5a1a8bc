//! A consumer's end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::{Delivery, Error, Settlement, Subscription, Tag};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::leases::Lease;
use crate::reader::{BEGINNING, Entry, Reader, Taken};
use crate::wire;

/// Deliveries after which an entry counts as one that its consumer can't handle. It is far more than any outage causes,
/// for what the consumer can't handle is parked in its store; this only ends what keeps a consumer from its store for
/// ever.
const DELIVERIES_MAX: u64 = 10_000;

/// Numbers are used once in a process, so that a tag of an earlier subscription names nothing in a later one.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// The subscription of one consumer in a shard of a lane. Dropped, it releases the stream, and unsettled deliveries are
/// redelivered to the next.
pub(crate) struct Streamed {
    reader: Arc<Reader>,
    shard: u16,
    /// The take that is under way. It goes on where it was if [`Subscription::next`] is dropped.
    taking: Option<BoxFuture<'static, Result<Taken, Error>>>,
    /// The position from which the next take goes on.
    after: String,
    arrived: VecDeque<Delivery>,
    /// The entry of each delivery that is not settled, in the order of arrival.
    unsettled: BTreeMap<u64, String>,
    /// The error that broke it.
    broken: Option<Error>,
    /// Always there until it ends.
    lease: Option<Lease>,
}

impl Streamed {
    pub fn begin(reader: Reader, shard: u16, lease: Lease) -> Self {
        Self {
            reader: Arc::new(reader),
            shard,
            taking: None,
            // Whatever the last who held the stream left comes first.
            after: BEGINNING.to_owned(),
            arrived: VecDeque::new(),
            unsettled: BTreeMap::new(),
            broken: None,
            lease: Some(lease),
        }
    }

    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        if self.arrived.is_empty() {
            let taking = self.taking.get_or_insert_with(|| self.reader.clone().take(self.after.clone()).boxed());
            let taken = taking.await;
            self.taking = None;
            match taken {
                Ok(taken) => self.arrive(taken),
                Err(error) => {
                    self.break_with(error.clone());
                    return Err(error);
                }
            }
        }
        let count = self.arrived.len().min(max.max(1));
        Ok(self.arrived.drain(..count).collect())
    }

    fn arrive(&mut self, taken: Taken) {
        if taken.is_anew {
            self.unsettled.clear();
        }
        self.after = taken.after;
        let lane = self.reader.lane;
        for Entry { id, fields, deliveries } in taken.entries {
            let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
            self.unsettled.insert(number, id);
            let (mut message, mut defect) = wire::decode(fields.unwrap_or_default());
            if message.envelope.lane != lane {
                defect.get_or_insert_with(|| format!("its lane is {}, and it came by {lane}", message.envelope.lane));
                // It is kept where its handler would be looked for.
                message.envelope.lane = lane;
            }
            if deliveries > DELIVERIES_MAX {
                defect.get_or_insert_with(|| format!("it was delivered {deliveries} times and never settled"));
            }
            let tag = Tag::new(self.shard, number);
            self.arrived.push_back(Delivery { message, tag, redelivered: deliveries > 1, defect });
        }
    }

    /// The entries of those that are not settled, which they are from now on.
    fn settled(&mut self, tags: &[Tag]) -> Vec<String> {
        tags.iter().filter_map(|tag| self.unsettled.remove(&tag.number())).collect()
    }

    /// Ends it. The stream is released, for whoever has this may keep it for a while.
    fn break_with(&mut self, error: Error) {
        self.broken = Some(error);
        self.release_alone();
    }

    /// Releases the stream, with nobody who waits for that.
    fn release_alone(&mut self) {
        let lease = self.lease.take();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if lease.is_some() {
            drop(runtime.spawn(release(lease, self.reader.clone())));
        }
    }

    /// Gives back everything that is unsettled, what was taken ahead included: that would overtake what is given back.
    /// It is still pending, so the next take begins with it.
    fn give_back(&mut self) {
        self.taking = None;
        self.arrived.clear();
        self.unsettled.clear();
        BEGINNING.clone_into(&mut self.after);
    }
}

impl Subscription for Streamed {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Vec<Delivery>, Error>> {
        self.receive(max).boxed()
    }

    fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> BoxFuture<'_, Result<(), Error>> {
        let settled = self.settled(tags);
        async move {
            if settled.is_empty() {
                return Ok(());
            }
            if let Some(broken) = &self.broken {
                return Err(broken.clone());
            }
            if settlement == Settlement::Requeue {
                self.give_back();
                return Ok(());
            }
            // Half done it would be in no state to go on: so it is broken if this is dropped on the way.
            self.broken = Some(Error::Unavailable("a settlement was abandoned".to_owned()));
            let removed = self.reader.remove(&settled).await;
            self.broken = None;
            let Err(error) = removed else { return Ok(()) };
            let error = self.reader.shared.error(&error);
            self.break_with(error.clone());
            Err(error)
        }
        .boxed()
    }

    fn close(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        let (lease, reader) = (self.lease.take(), self.reader.clone());
        async move {
            drop(self);
            release(lease, reader).await;
        }
        .boxed()
    }
}

/// Releases the stream as if it were closed, with nobody who waits for that.
impl Drop for Streamed {
    fn drop(&mut self) {
        self.release_alone();
    }
}

async fn release(lease: Option<Lease>, reader: Arc<Reader>) {
    // It is not renewed from now on.
    drop(lease);
    if let Err(error) = reader.release().await {
        tracing::debug!(%error, "a stream could not be released; its lease ends by itself");
    }
}
