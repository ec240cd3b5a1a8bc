//! Types that a consumer receives only while it wants them.

use bus::{Broker, Error, PublishResult, Settlement, Topology, Wanted};
use bus_rabbitmq::{Options, RabbitMq};
use kernel::{Lane, Shards};
use lapin::options::{QueueBindOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use test_servers::{Proxy, Vhost};

use crate::support::{
    FAILED, MAIL, PLACED, STOCK, broker_with, degraded, deliver, ids, message, placed, plain_client, publish, ready,
    receive_all, settle, soon, subscribe, take,
};

/// Only [`MAIL`] reacts to it, on demand.
const UPDATED: &str = "orders.order_updated.v1";

/// [`MAIL`] reacts to three types on demand, to one of which another reacts always.
fn options() -> Options {
    let topology = Topology::new()
        .consumer(STOCK, [(PLACED, Lane::Background)])
        .consumer(MAIL, [(PLACED, Lane::Background), (UPDATED, Lane::Background), (FAILED, Lane::Immediate)])
        .on_demand(MAIL, [PLACED, UPDATED, FAILED]);
    Options::new(topology, Shards::new(2).expect("two are enough and not too many"), ids())
}

async fn broker(vhost: &Vhost) -> RabbitMq {
    broker_with(&vhost.url(), options()).await
}

fn updated() -> bus::Message {
    message(UPDATED, Lane::Background, ids().next())
}

async fn bind(broker: &RabbitMq, generation: i64, types: &[&str]) {
    let types = types.iter().map(|event_type| (*event_type).to_owned()).collect();
    soon(broker.bind(MAIL, Wanted { generation, types })).await.expect("the broker is there");
}

async fn unbind(broker: &RabbitMq, generation: i64) {
    soon(broker.unbind(MAIL, generation)).await.expect("the broker is there");
}

/// Publishes events of a type, enough for each shard; answers with the number that reached the consumer.
async fn arriving(broker: &RabbitMq, event_type: &str, lane: Lane) -> u64 {
    let before = broker.waiting(MAIL).await.expect("the broker is there");
    for _ in 0..10 {
        assert_eq!(publish(broker, &message(event_type, lane, ids().next())).await, PublishResult::Stored);
    }
    broker.waiting(MAIL).await.expect("the broker is there") - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_on_demand_is_delivered_while_it_is_bound_and_is_stored_while_nobody_wants_it() {
    let vhost = Vhost::create();
    let broker = broker(&vhost).await;
    for (event_type, lane) in [(PLACED, Lane::Background), (UPDATED, Lane::Background), (FAILED, Lane::Immediate)] {
        assert_eq!(arriving(&broker, event_type, lane).await, 0, "{event_type}");
    }
    bind(&broker, 1, &[UPDATED]).await;
    bind(&broker, 1, &[FAILED]).await;
    assert_eq!(arriving(&broker, UPDATED, Lane::Background).await, 10);
    assert_eq!(arriving(&broker, FAILED, Lane::Immediate).await, 10);
    assert_eq!(arriving(&broker, PLACED, Lane::Background).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bound_under_a_generation_stays_when_another_is_removed_however_late() {
    let vhost = Vhost::create();
    let (one, other) = (broker(&vhost).await, broker(&vhost).await);
    bind(&one, 1, &[UPDATED, PLACED]).await;
    bind(&other, 2, &[UPDATED]).await;
    assert_eq!(arriving(&one, UPDATED, Lane::Background).await, 10, "once, though it is bound twice");
    unbind(&other, 1).await;
    assert_eq!(arriving(&one, UPDATED, Lane::Background).await, 10);
    assert_eq!(arriving(&one, PLACED, Lane::Background).await, 0);
    // A process that does not know yet, and then does.
    let subscription = subscribe(&one, MAIL, Lane::Immediate).await;
    one.restore().await.unwrap();
    unbind(&one, 1).await;
    one.restore().await.unwrap();
    assert_eq!(arriving(&one, PLACED, Lane::Background).await, 0, "what is removed is not made anew");
    drop(subscription);
    assert_eq!(arriving(&one, UPDATED, Lane::Background).await, 10);
    unbind(&one, 2).await;
    assert_eq!(arriving(&one, UPDATED, Lane::Background).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_bound_is_generation_zero() {
    let vhost = Vhost::create();
    let always = Topology::new().consumer(MAIL, [(PLACED, Lane::Background), (UPDATED, Lane::Background)]);
    let earlier = broker_with(&vhost.url(), Options::new(always, Shards::new(2).unwrap(), ids())).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    // As an even earlier one bound it, when it had another lane.
    let (queue, key) = ("tradepost.notifications.immediate.0".into(), format!("{UPDATED}.0").into());
    let (exchange, options) = ("tradepost.events".into(), QueueBindOptions::default());
    channel.queue_bind(queue, exchange, key, options, FieldTable::default()).await.unwrap();

    let broker = broker(&vhost).await;
    bind(&broker, 1, &[PLACED]).await;
    assert!(arriving(&broker, UPDATED, Lane::Background).await > 10, "in both lanes");
    unbind(&broker, 0).await;
    assert_eq!(arriving(&broker, UPDATED, Lane::Background).await, 0);
    assert_eq!(arriving(&broker, PLACED, Lane::Background).await, 10);
    drop(earlier);
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_and_queues_on_demand_that_are_missing_are_restored_for_those_who_receive() {
    let vhost = Vhost::create();
    let broker = broker(&vhost).await;
    bind(&broker, 3, &[UPDATED]).await;
    let mut subscription = subscribe(&broker, MAIL, Lane::Background).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    let queue = |shard: u16| ShortString::from(format!("tradepost.notifications.background.{shard}"));
    for shard in 0..2 {
        let mut generation = FieldTable::default();
        generation.insert("tradepost-generation".into(), AMQPValue::LongLongInt(3));
        let key = format!("{UPDATED}.{shard}").into();
        channel.queue_unbind(queue(shard), "tradepost.events".into(), key, generation).await.unwrap();
    }
    assert_eq!(arriving(&broker, UPDATED, Lane::Background).await, 0);
    broker.restore().await.unwrap();
    let sent: Vec<_> = (0..10).map(|_| updated()).collect();
    for message in &sent {
        deliver(&broker, message).await;
    }
    receive_all(&mut subscription, &sent).await;
    drop(subscription);

    // Whoever subscribes next makes the queues with all that is wanted, and so does whoever binds.
    for bound in [&[][..], &[UPDATED]] {
        for shard in 0..2 {
            channel.queue_delete(queue(shard), QueueDeleteOptions::default()).await.unwrap();
        }
        bind(&broker, 3, bound).await;
        let mut subscription = subscribe(&broker, MAIL, Lane::Background).await;
        let sent = updated();
        deliver(&broker, &sent).await;
        let taken = take(&mut subscription, 1).await;
        assert_eq!(taken[0].message, sent);
        settle(&mut subscription, &taken, Settlement::Done).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_bound_is_an_error() {
    let vhost = Vhost::create();
    let (proxy, url) = Proxy::before(&vhost.url()).await;
    let broker = broker_with(&url, options()).await;
    proxy.refuse().await;
    proxy.hit(test_servers::Faults::now(test_servers::What::Cut));
    degraded(&broker).await;
    let wanted = Wanted { generation: 1, types: [UPDATED.to_owned()].into() };
    assert!(matches!(soon(broker.bind(MAIL, wanted.clone())).await, Err(Error::Unavailable(_))));
    assert!(matches!(soon(broker.unbind(MAIL, 0)).await, Err(Error::Unavailable(_))));
    proxy.heal().await;
    ready(&broker).await;
    soon(broker.bind(MAIL, wanted)).await.unwrap();
    deliver(&broker, &placed()).await;
    assert_eq!(arriving(&broker, UPDATED, Lane::Background).await, 10);
}
