//! Shared parts of the tests: brokers, messages, and a plain client for what no broker of ours would do.

use std::collections::HashSet;
use std::time::Duration;

pub use bus::conformance::message;
use bus::{Broker, Delivery, Destination, Error, Health, Message, PublishResult, Settlement, Subscription, Topology};
use kernel::{Clock, EventId, Ids, Lane, Shards};
use test_servers::PATIENCE;
use tradepost_bus_redis::{Options, Redis};

/// A consumer of [`PLACED`] and [`FAILED`], and one of [`PLACED`] alone.
pub const STOCK: &str = "inventory";
pub const MAIL: &str = "notifications";

pub const PLACED: &str = "orders.order_placed.v1";
/// In the immediate lane, the other in the background.
pub const FAILED: &str = "payments.payment_failed.v1";

pub fn topology() -> Topology {
    Topology::new()
        .consumer(STOCK, [(PLACED, Lane::Background), (FAILED, Lane::Immediate)])
        .consumer(MAIL, [(PLACED, Lane::Background)])
}

/// With deadlines that make nobody wait for a server that is not there.
pub fn options() -> Options {
    let shards = Shards::new(2).expect("two are enough and not too many");
    Options {
        publish_deadline: Duration::from_secs(2),
        reconnect_max: Duration::from_millis(100),
        ..Options::new(topology(), shards, ids())
    }
}

/// One shard, so that a test knows by which stream an event comes.
pub fn one_shard() -> Options {
    Options { shards: Shards::ONE, ..options() }
}

/// A broker that is connected and has its streams.
pub async fn broker(url: &str) -> Redis {
    broker_with(url, options()).await
}

pub async fn broker_with(url: &str, options: Options) -> Redis {
    let broker = Redis::new(url, options).expect("the URL of a test's server is one");
    ready(&broker).await;
    broker.declare().await.expect("a fresh prefix takes any streams");
    broker
}

pub async fn ready(broker: &Redis) {
    soon(broker.until(|health| *health == Health::Ready)).await;
}

/// Waits until the broker is unreachable, and returns the reason.
pub async fn degraded(broker: &Redis) -> String {
    match soon(broker.until(|health| *health != Health::Ready)).await {
        Health::Degraded { reason } => reason,
        Health::Ready => unreachable!("that was waited for"),
    }
}

/// Fails instead of hanging.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes far less than the patience of tests")
}

pub fn ids() -> Ids {
    Ids::new(Clock::system())
}

pub fn placed() -> Message {
    message(PLACED, Lane::Background, ids().next())
}

pub async fn publish(broker: &Redis, message: &Message) -> PublishResult {
    soon(broker.publish(&Destination::new("events"), message.clone())).await
}

/// Publishes until it is stored, as a relay does.
pub async fn deliver(broker: &Redis, message: &Message) {
    soon(async {
        while publish(broker, message).await != PublishResult::Stored {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The subscription of one consumer in all shards of a lane.
pub async fn subscribe(broker: &Redis, consumer: &str, lane: Lane) -> bus::Gathered {
    soon(async {
        let mut gathered = bus::Gathered::new();
        // As a runner does it: the server may not be there yet.
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
