//! The port that a broker implements.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use kernel::{Lane, Shards};

use crate::{Delivery, Error, Message, Tag};

/// The result of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishResult {
    /// The destination has it: it survives whatever the broker promises to survive.
    Stored,
    /// Nobody is there to receive it.
    Unroutable,
    /// The broker said no.
    Refused {
        /// The reason.
        detail: String,
    },
    /// Nobody can say: it may or may not have been stored.
    Unknown {
        /// The last observation.
        detail: String,
    },
}

/// A consumer's verdict on a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The consumer's store has it: handled, held for a retry, or parked.
    Done,
    /// It must be redelivered.
    Requeue,
}

/// The target of an event: the name under which the outbox points to it.
///
/// A networked broker has one destination for all events and routes them itself;
/// the embedded one has a destination for each consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination(Arc<str>);

impl Destination {
    /// The destination of this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The promises of a broker: the conformance suite checks exactly these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "promises are made one by one, each kept or not")]
pub struct Guarantees {
    /// Stored messages that are not settled are delivered after the broker restarted.
    pub survives_restart: bool,
    /// [`Delivery::redelivered`] is set on redeliveries.
    pub redelivered_flag: bool,
    /// Each consumer is a destination of its own. Otherwise one destination stands for all of them.
    pub destination_per_consumer: bool,
    /// Stored means settled by the consumer, not merely kept by the broker.
    pub stored_means_settled: bool,
    /// A consumer's queue refuses what exceeds its bound.
    pub bounded_queues: bool,
    /// A consumer's second subscription in a shard of a lane is an error while the first lives.
    pub exclusive_subscriptions: bool,
}

impl Guarantees {
    /// True if other processes may use it too: it keeps stored messages, and delivers them to whichever instance asks.
    pub const fn is_shared(self) -> bool {
        !self.destination_per_consumer
    }
}

/// The reachability of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It can.
    Ready,
    /// It can't; events wait in the outbox.
    Degraded {
        /// The reason.
        reason: String,
    },
}

/// The result of a publish, once the broker has answered.
pub type Publishing = BoxFuture<'static, PublishResult>;

/// A subscription that is being made.
pub type Subscribing = BoxFuture<'static, Result<Box<dyn Subscription>, Error>>;

/// Event types of [`Topology::on_demand`](crate::Topology::on_demand) that a consumer wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The generation of the consumer's bindings. Those of one are removed together, and never made again.
    pub generation: i64,
    /// The types.
    pub types: BTreeSet<String>,
}

/// Carries events from services to consumers.
pub trait Broker: Send + Sync + 'static {
    /// Its name in logs and checks.
    fn name(&self) -> &'static str;

    /// Its promises.
    fn guarantees(&self) -> Guarantees;

    /// The durability of what is stored, as a sentence, where the settings of the broker's server decide about it. `None`
    /// where they don't, and as long as the server was not reached.
    fn durability(&self) -> Option<String> {
        None
    }

    /// The destinations of an event of this type. Empty if nobody reacts: then it is done at once.
    fn destinations(&self, event_type: &str) -> Vec<Destination>;

    /// Every destination that some event may have.
    fn all_destinations(&self) -> Vec<Destination>;

    /// Sends a message. It is in flight when this returns; the future returns the result,
    /// and dropping the future does not call the message back.
    /// Messages of one key keep their order as long as each is stored before the next is published.
    /// One that only consumers [on demand](Self::bind) react to, none of which wants it now, is stored.
    fn publish(&self, destination: &Destination, message: Message) -> Publishing;

    /// The partitions of a consumer's keys: each shard is a subscription of its own.
    fn shards(&self) -> Shards {
        Shards::ONE
    }

    /// Begins to receive what is meant for a consumer in a shard of a lane.
    fn subscribe(&self, consumer: &str, lane: Lane, shard: u16) -> Subscribing;

    /// Has events of these types delivered to a consumer: when this is done, none is missed that is published later. It
    /// adds to what is bound already, under the same generation or another.
    ///
    /// A broker that delivers all types to every consumer that reacts to them, wanted or not, does nothing.
    fn bind(&self, consumer: &str, wanted: Wanted) -> BoxFuture<'static, Result<(), Error>> {
        let _ = (consumer, wanted);
        future::ready(Ok(())).boxed()
    }

    /// Removes all that was bound for a consumer under a generation.
    fn unbind(&self, consumer: &str, generation: i64) -> BoxFuture<'static, Result<(), Error>> {
        let _ = (consumer, generation);
        future::ready(Ok(())).boxed()
    }

    /// Number of messages that wait for a consumer, in all lanes and shards, without those that were delivered to it.
    fn waiting(&self, consumer: &str) -> BoxFuture<'static, Result<u64, Error>>;

    /// Checks that it can be reached.
    fn health(&self) -> Health;
}

/// A consumer's end. Deliveries that are unsettled when it is dropped are redelivered: by the broker, or because their
/// publish is [`PublishResult::Unknown`] then.
pub trait Subscription: Send {
    /// The next deliveries, in order: waits for at least one, answers with at most `max` (zero counts as one).
    /// Dropping the future loses nothing.
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Vec<Delivery>, Error>>;

    /// Settles deliveries. The first settlement of each counts: settling it again is harmless.
    fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> BoxFuture<'_, Result<(), Error>>;

    /// Ends it. When this is done, what was unsettled has gone back to its place: whoever subscribes now receives it
    /// before what came later, which is not certain if it is merely dropped.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}
