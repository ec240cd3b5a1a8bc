//! The broker that needs no server: the events in the stores are its log.

mod adapter;
mod queue;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use kernel::Lane;

use crate::{
    Broker, Destination, Error, Guarantees, Health, Message, PublishResult, Publishing, Subscribing, Subscription,
    Topology,
};
pub use adapter::EmbeddedAdapter;
use queue::Queue;

/// Hands messages to consumers in the same process.
///
/// It has no disk. A publish is [`PublishResult::Stored`] only when its consumer has settled it, that is when the
/// effect, the retry or the dead letter is in the consumer's store; until then the pointer stays in the emitter's
/// outbox.
pub struct Embedded {
    topology: Topology,
    /// By lane, then by consumer.
    queues: HashMap<Lane, HashMap<String, Arc<Queue>>>,
}

impl Embedded {
    /// Its promises, for documents that compare brokers.
    pub const GUARANTEES: Guarantees = Guarantees {
        survives_restart: false,
        // What was delivered before a crash is forgotten with the process. Whether that ended badly is known to
        // the runner, which then takes each subscriber's first window for redelivered.
        redelivered_flag: false,
        destination_per_consumer: true,
        stored_means_settled: true,
        bounded_queues: true,
        exclusive_subscriptions: true,
    };

    /// A broker for these consumers.
    pub fn new(topology: Topology) -> Self {
        let of_lane = || topology.consumers().map(|name| (name.to_owned(), Arc::default())).collect();
        let queues = Lane::ALL.into_iter().map(|lane| (lane, of_lane())).collect();
        Self { topology, queues }
    }

    /// Ends it, as a crash would: what is not settled is [`PublishResult::Unknown`], and every subscription breaks.
    pub fn close(&self) {
        self.all_queues().for_each(|queue| queue.close());
    }

    fn queue(&self, consumer: &str, lane: Lane) -> Option<&Arc<Queue>> {
        self.queues.get(&lane)?.get(consumer)
    }

    fn all_queues(&self) -> impl Iterator<Item = &Arc<Queue>> {
        self.queues.values().flat_map(HashMap::values)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

impl Broker for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn guarantees(&self) -> Guarantees {
        Self::GUARANTEES
    }

    fn destinations(&self, event_type: &str) -> Vec<Destination> {
        self.topology.subscribers_of(event_type).into_iter().map(Destination::new).collect()
    }

    fn all_destinations(&self) -> Vec<Destination> {
        self.topology.consumers().map(Destination::new).collect()
    }

    fn publish(&self, destination: &Destination, message: Message) -> Publishing {
        let Some(queue) = self.queue(destination.as_str(), message.envelope.lane) else {
            return future::ready(PublishResult::Unroutable).boxed();
        };
        match queue.push(message) {
            Ok(confirmation) => async {
                let abandoned = "its subscription or the broker ended before it was settled";
                confirmation.await.unwrap_or_else(|_| PublishResult::Unknown { detail: abandoned.to_owned() })
            }
            .boxed(),
            Err(outcome) => future::ready(outcome).boxed(),
        }
    }

    fn subscribe(&self, consumer: &str, lane: Lane, shard: u16) -> Subscribing {
        let subscribed = match self.queue(consumer, lane).filter(|_| shard == 0) {
            Some(queue) => queue.subscribe().map(|it| Box::new(it) as Box<dyn Subscription>),
            None => Err(Error::Rejected(format!("{consumer} has no shard {shard} in this process"))),
        };
        future::ready(subscribed).boxed()
    }

    fn waiting(&self, consumer: &str) -> BoxFuture<'static, Result<u64, Error>> {
        let queues = Lane::ALL.into_iter().filter_map(|lane| self.queue(consumer, lane));
        future::ready(Ok(queues.map(|queue| queue.waiting() as u64).sum())).boxed()
    }

    fn health(&self) -> Health {
        if self.all_queues().any(|queue| queue.is_closed()) {
            Health::Degraded { reason: queue::CLOSED.to_owned() }
        } else {
            Health::Ready
        }
    }
}
