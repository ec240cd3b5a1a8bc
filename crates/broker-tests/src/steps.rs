//! Steps of tests: what a relay and a consumer do, each of which fails instead of hanging.

use std::collections::HashSet;
use std::time::Duration;

pub use bus::conformance::message;
use bus::{Broker, Delivery, Destination, Error, Gathered, Health, Message, PublishResult, Settlement};
use bus::{Subscription, Topology};
use kernel::{Clock, EventId, Ids, Lane};
use test_servers::PATIENCE;

/// A consumer of [`PLACED`] and [`FAILED`], and one of [`PLACED`] alone.
pub const STOCK: &str = "inventory";
/// The other.
pub const MAIL: &str = "notifications";

/// A type of the background lane.
pub const PLACED: &str = "orders.order_placed.v1";
/// A type of the immediate lane.
pub const FAILED: &str = "payments.payment_failed.v1";

/// The time between two looks at a broker's health.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The consumers and their types.
pub fn topology() -> Topology {
    Topology::new()
        .consumer(STOCK, [(PLACED, Lane::Background), (FAILED, Lane::Immediate)])
        .consumer(MAIL, [(PLACED, Lane::Background)])
}

/// Waits, and fails instead of hanging.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes far less than the patience of tests")
}

/// Waits until the broker's health is as wanted, and says how it is.
pub async fn until(broker: &dyn Broker, wanted: impl Fn(&Health) -> bool) -> Health {
    soon(async {
        loop {
            let health = broker.health();
            if wanted(&health) {
                return health;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await
}

/// Waits until the broker can be used.
pub async fn ready(broker: &dyn Broker) {
    until(broker, |health| *health == Health::Ready).await;
}

/// Waits until the broker can't be used, and returns the reason.
pub async fn degraded(broker: &dyn Broker) -> String {
    match until(broker, |health| *health != Health::Ready).await {
        Health::Degraded { reason } => reason,
        Health::Ready => unreachable!("that was waited for"),
    }
}

/// Ids of messages.
pub fn ids() -> Ids {
    Ids::new(Clock::system())
}

/// A message in the background lane, with a key of its own.
pub fn placed() -> Message {
    message(PLACED, Lane::Background, ids().next())
}

/// Publishes once.
pub async fn publish(broker: &dyn Broker, message: &Message) -> PublishResult {
    soon(broker.publish(&Destination::new("events"), message.clone())).await
}

/// Publishes until it is stored, as a relay does.
pub async fn deliver(broker: &dyn Broker, message: &Message) {
    soon(async {
        while publish(broker, message).await != PublishResult::Stored {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The subscription of one consumer in all shards of a lane.
pub async fn subscribe(broker: &dyn Broker, consumer: &str, lane: Lane) -> Gathered {
    soon(async {
        let mut gathered = Gathered::new();
        // As a runner does it: its queues may not be found yet when the server has just started.
        while gathered.assign(broker, consumer, lane, broker.shards().all(lane)).await.is_err() {
            tokio::task::yield_now().await;
        }
        gathered
    })
    .await
}

/// This many deliveries, unsettled.
pub async fn take(subscription: &mut dyn Subscription, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.extend(soon(subscription.next(count - taken.len())).await.expect("the subscription lasts"));
    }
    taken
}

/// Settles deliveries of a subscription that lasts.
pub async fn settle(subscription: &mut dyn Subscription, deliveries: &[Delivery], settlement: Settlement) {
    let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
    soon(subscription.settle(&tags, settlement)).await.expect("the subscription lasts");
}

/// Settles what arrives until all of these have come, however often; what comes later is left.
pub async fn receive_all(subscription: &mut dyn Subscription, expected: &[Message]) {
    let mut missing: HashSet<EventId> = expected.iter().map(|message| message.envelope.id).collect();
    while !missing.is_empty() {
        let arrived = soon(subscription.next(missing.len())).await.expect("the subscription lasts");
        settle(subscription, &arrived, Settlement::Done).await;
        for delivery in arrived {
            missing.remove(&delivery.message.envelope.id);
        }
    }
}

/// The error with which a subscription ends; deliveries before it are dropped.
pub async fn end(subscription: &mut dyn Subscription) -> Error {
    soon(async {
        loop {
            if let Err(error) = subscription.next(1).await {
                return error;
            }
        }
    })
    .await
}
