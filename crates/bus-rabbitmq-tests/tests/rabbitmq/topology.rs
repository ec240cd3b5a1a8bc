//! Queues and bindings: made, found, lost and restored.

use bus::{Broker, Error, PublishResult, Topology};
use bus_rabbitmq::{Options, RabbitMq};
use futures_util::future::{join_all, try_join_all};
use futures_util::stream::{StreamExt, select_all};
use kernel::{Lane, Shards};
use lapin::options::{
    BasicConsumeOptions, BasicNackOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use test_servers::Vhost;

use crate::support::{
    FAILED, MAIL, PLACED, STOCK, broker, deliver, end, ids, message, options, placed, plain_client, publish, ready,
    receive_all, settle, soon, subscribe, take,
};

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_declare_at_once() {
    let vhost = Vhost::create();
    let brokers: Vec<_> = (0..10).map(|_| RabbitMq::new(&vhost.url(), options()).unwrap()).collect();
    join_all(brokers.iter().map(|broker| ready(broker))).await;
    soon(try_join_all(brokers.iter().map(RabbitMq::declare))).await.unwrap();
    let sent = placed();
    assert_eq!(publish(&brokers[0], &sent).await, PublishResult::Stored);
    let mut subscription = subscribe(&brokers[9], STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_deleted_while_it_is_consumed_is_there_again_with_the_next_subscription() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let mut subscription = broker.subscribe(STOCK, Lane::Background, 0).await.unwrap();
    let (_connection, channel) = plain_client(&vhost.url()).await;
    channel.queue_delete("tradepost.inventory.background.0".into(), QueueDeleteOptions::default()).await.unwrap();
    let error = end(&mut *subscription).await;
    assert!(matches!(&error, Error::Unavailable(reason) if reason.contains("deleted")), "{error}");
    drop(subscription);
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let sent: Vec<_> = (0..10).map(|_| placed()).collect();
    for message in &sent {
        deliver(&broker, message).await;
    }
    receive_all(&mut subscription, &sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_and_queues_that_are_missing_are_restored_for_those_who_receive() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    for shard in 0..2 {
        let (queue, key) = (format!("tradepost.inventory.background.{shard}"), format!("{PLACED}.{shard}"));
        let exchange = "tradepost.events".into();
        channel.queue_unbind(queue.into(), exchange, key.into(), FieldTable::default()).await.unwrap();
    }
    channel.queue_delete("tradepost.inventory.immediate.0".into(), QueueDeleteOptions::default()).await.unwrap();
    channel.queue_delete("tradepost.notifications.background.0".into(), QueueDeleteOptions::default()).await.unwrap();

    broker.restore().await.unwrap();
    let sent: Vec<_> = (0..10).map(|_| placed()).collect();
    for message in &sent {
        deliver(&broker, message).await;
    }
    receive_all(&mut subscription, &sent).await;
    let restored = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare("tradepost.inventory.immediate.0".into(), restored, FieldTable::default());
    declared.await.unwrap();
    // Nobody receives for this one here.
    let declared =
        channel.queue_declare("tradepost.notifications.background.0".into(), restored, FieldTable::default());
    assert!(declared.await.is_err(), "it belongs to another process");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_changed_its_lane_arrives_in_the_new_one_alone() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    // As a version before declared them, when both types had the other lane.
    let former = [0, 1].map(|shard| (format!("tradepost.inventory.background.{shard}"), format!("{FAILED}.{shard}")));
    let former = former.into_iter().chain([("tradepost.inventory.immediate.0".to_owned(), format!("{PLACED}.0"))]);
    for (queue, key) in former {
        let (exchange, options) = ("tradepost.events".into(), QueueBindOptions::default());
        channel.queue_bind(queue.into(), exchange, key.into(), options, FieldTable::default()).await.unwrap();
    }
    soon(broker.declare()).await.unwrap();

    let (failed, placed) = (message(FAILED, Lane::Immediate, ids().next()), placed());
    deliver(&broker, &failed).await;
    deliver(&broker, &placed).await;
    for (lane, sent) in [(Lane::Immediate, failed), (Lane::Background, placed)] {
        let mut subscription = subscribe(&broker, STOCK, lane).await;
        let taken = take(&mut subscription, 1).await;
        assert_eq!(taken[0].message, sent);
        settle(&mut subscription, &taken, bus::Settlement::Done).await;
    }
    assert_eq!(broker.waiting(STOCK).await.unwrap(), 0, "no copy is left in a queue of the former lane");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_counted_and_a_missing_queue_holds_nothing() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    for _ in 0..10 {
        deliver(&broker, &placed()).await;
    }
    assert_eq!(broker.waiting(STOCK).await.unwrap(), 10);
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let taken = take(&mut subscription, 10).await;
    assert_eq!(broker.waiting(STOCK).await.unwrap(), 0);
    settle(&mut subscription, &taken, bus::Settlement::Done).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    for shard in 0..2 {
        let queue = format!("tradepost.notifications.background.{shard}");
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    assert_eq!(broker.waiting(MAIL).await.unwrap(), 0);
    assert_eq!(broker.waiting("nobody").await.unwrap(), 0);
}

/// Ten thousand deliveries would take long, so the queue is one with a smaller limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_lettered_message_arrives_by_the_immediate_lane_with_its_defect() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let sent = placed();
    deliver(&broker, &sent).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    // As the broker does it, by the queue's dead letter exchange.
    let mut consumers = Vec::new();
    for shard in 0..2 {
        let (queue, options) = (format!("tradepost.inventory.background.{shard}"), BasicConsumeOptions::default());
        consumers.push(channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap());
    }
    let dead_lettered = soon(select_all(consumers).next()).await.unwrap().unwrap();
    dead_lettered.acker.nack(BasicNackOptions { multiple: false, requeue: false }).await.unwrap();
    let mut subscription = subscribe(&broker, STOCK, Lane::Immediate).await;
    let dead_lettered = take(&mut subscription, 1).await;
    assert_eq!(dead_lettered[0].message, sent);
    let defect = dead_lettered[0].defect.as_deref();
    assert_eq!(defect, Some("the broker dead-lettered it after 10000 deliveries"));
    settle(&mut subscription, &dead_lettered, bus::Settlement::Done).await;
    assert_eq!(broker.waiting(STOCK).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_subscribes_second_begins_where_the_first_left_off() {
    let vhost = Vhost::create();
    let (one, other) = (broker(&vhost.url()).await, broker(&vhost.url()).await);
    let sent = placed();
    deliver(&one, &sent).await;
    let mut first = subscribe(&one, STOCK, Lane::Background).await;
    let held = take(&mut first, 1).await;
    let mut second = subscribe(&other, STOCK, Lane::Background).await;
    drop(first);
    let again = take(&mut second, 1).await;
    assert_eq!((&again[0].message, again[0].redelivered), (&held[0].message, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_exists_otherwise_is_an_error_that_names_it() {
    let vhost = Vhost::create();
    let (_connection, channel) = plain_client(&vhost.url()).await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let queue = "tradepost.inventory.background.0";
    channel.queue_declare(queue.into(), durable, FieldTable::default()).await.unwrap();
    let topology = Topology::new().consumer(STOCK, [(PLACED, Lane::Background)]);
    let broker = RabbitMq::new(&vhost.url(), Options::new(topology, Shards::ONE, ids())).unwrap();
    ready(&broker).await;
    let error = broker.declare().await.unwrap_err();
    assert!(matches!(&error, Error::Rejected(said) if said.contains(queue)), "{error}");
}
