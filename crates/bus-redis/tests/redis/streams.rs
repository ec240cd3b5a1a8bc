//! Streams, groups and routes: made, found, lost and restored.

use bus::{Broker, Error, PublishResult, Settlement, Topology, Wanted};
use futures_util::future::{join_all, try_join_all};
use kernel::{Lane, Shards};
use test_servers::{KeyPrefix, Redis as Server};
use tradepost_bus_redis::{Options, Redis};

use crate::support::{
    FAILED, MAIL, PLACED, STOCK, broker, broker_with, deliver, end, ids, message, one_shard, options, placed, publish,
    ready, receive_all, settle, soon, subscribe, take,
};

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_declare_at_once() {
    let keys = KeyPrefix::create();
    let brokers: Vec<_> = (0..10).map(|_| Redis::new(&keys.url(), options()).unwrap()).collect();
    join_all(brokers.iter().map(|broker| ready(broker))).await;
    soon(try_join_all(brokers.iter().map(Redis::declare))).await.unwrap();
    let sent = placed();
    assert_eq!(publish(&brokers[0], &sent).await, PublishResult::Stored);
    let mut subscription = subscribe(&brokers[9], STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_ends_no_subscription_and_what_is_published_afterwards_arrives() {
    let server = Server::start();
    let broker = broker(&server.url()).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let before = placed();
    deliver(&broker, &before).await;
    let held = take(&mut subscription, 1).await;
    for _ in 0..3 {
        server.flush();
        let sent: Vec<_> = (0..10).map(|_| placed()).collect();
        for message in &sent {
            assert_eq!(publish(&broker, message).await, PublishResult::Stored);
        }
        receive_all(&mut subscription, &sent).await;
    }
    settle(&mut subscription, &held, Settlement::Done).await;
    // The other consumer's streams are there too, though nobody made them.
    let mut other = subscribe(&broker, MAIL, Lane::Background).await;
    assert_eq!(take(&mut other, 10).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_or_group_that_is_deleted_is_there_again() {
    let keys = KeyPrefix::create();
    let broker = broker_with(&keys.url(), one_shard()).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let stream = keys.key("tradepost.inventory.background.0");
    for words in [["DEL", &stream].as_slice(), &["XGROUP", "DESTROY", &stream, "tradepost"]] {
        keys.command(words);
        let sent = placed();
        assert_eq!(publish(&broker, &sent).await, PublishResult::Stored);
        receive_all(&mut subscription, &[sent]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_somebody_deleted_hold_up_nothing() {
    let keys = KeyPrefix::create();
    let broker = broker_with(&keys.url(), one_shard()).await;
    for _ in 0..3 {
        deliver(&broker, &placed()).await;
    }
    let mut first = subscribe(&broker, STOCK, Lane::Background).await;
    take(&mut first, 3).await;
    let stream = keys.key("tradepost.inventory.background.0");
    keys.command(&["XTRIM", &stream, "MAXLEN", "1"]);
    drop(first);
    let mut second = subscribe(&broker, STOCK, Lane::Background).await;
    let left = take(&mut second, 1).await;
    let sent = placed();
    deliver(&broker, &sent).await;
    assert_eq!(take(&mut second, 1).await[0].message, sent);
    settle(&mut second, &left, Settlement::Done).await;
    let pending = keys.command(&["XPENDING", &stream, "tradepost"]);
    assert_eq!(pending.lines().next(), Some("1"), "what was deleted is pending for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_type_is_an_error_that_names_it() {
    let keys = KeyPrefix::create();
    let stream = keys.key("tradepost.inventory.background.0");
    let routes = keys.key(&format!("tradepost.routes.{PLACED}"));
    for key in [&stream, &routes] {
        keys.command(&["SET", key, "something else"]);
        let broker = Redis::new(&keys.url(), one_shard()).unwrap();
        ready(&broker).await;
        let error = broker.declare().await.unwrap_err();
        assert!(matches!(&error, Error::Rejected(said) if said.contains(key) && said.contains("`prefix`")), "{error}");
        let outcome = publish(&broker, &placed()).await;
        assert!(matches!(&outcome, PublishResult::Refused { detail } if detail.contains(key)), "{outcome:?}");
        keys.command(&["DEL", key]);
        deliver(&broker, &placed()).await;
    }
    let broker = Redis::new(&keys.url(), one_shard()).unwrap();
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    take(&mut subscription, 1).await;
    keys.command(&["DEL", &stream]);
    keys.command(&["SET", &stream, "something else"]);
    let error = end(&mut subscription).await;
    assert!(matches!(&error, Error::Rejected(said) if said.contains(&stream)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_beside_ours_stay() {
    let keys = KeyPrefix::create();
    let (foreign, other_stream) = (keys.key("sessions"), keys.key("tradepost.inventory.background.9"));
    keys.command(&["SET", &foreign, "1"]);
    keys.command(&["XADD", &other_stream, "*", "a", "1"]);
    let broker = broker(&keys.url()).await;
    let sent = placed();
    deliver(&broker, &sent).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
    assert_eq!(keys.command(&["GET", &foreign]), "1");
    assert_eq!(keys.command(&["XLEN", &other_stream]), "1");
    assert_eq!(broker.waiting("nobody").await.unwrap(), 0);
}

/// As a program of its own that joins a shop, or a version after the publisher's.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_the_publisher_does_not_know_receives_what_is_published_once_it_is_declared() {
    let keys = KeyPrefix::create();
    let shop = broker(&keys.url()).await;
    let loyalty = Topology::new().consumer("loyalty", [(PLACED, Lane::Background)]);
    let joined = broker_with(&keys.url(), Options { topology: loyalty, ..options() }).await;
    let sent = placed();
    assert_eq!(publish(&shop, &sent).await, PublishResult::Stored);
    let mut subscription = subscribe(&joined, "loyalty", Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_changed_its_lane_arrives_in_the_new_one_alone() {
    let keys = KeyPrefix::create();
    let former = Topology::new().consumer(STOCK, [(PLACED, Lane::Immediate), (FAILED, Lane::Background)]);
    drop(broker_with(&keys.url(), Options { topology: former, ..options() }).await);
    let broker = broker(&keys.url()).await;
    let (failed, placed) = (message(FAILED, Lane::Immediate, ids().next()), placed());
    deliver(&broker, &failed).await;
    deliver(&broker, &placed).await;
    for (lane, sent) in [(Lane::Immediate, failed), (Lane::Background, placed)] {
        let mut subscription = subscribe(&broker, STOCK, lane).await;
        let taken = take(&mut subscription, 1).await;
        assert_eq!(taken[0].message, sent);
        settle(&mut subscription, &taken, Settlement::Done).await;
    }
    assert_eq!(broker.waiting(STOCK).await.unwrap(), 0, "no copy is left in a stream of the former lane");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_bound_is_bound_again_after_a_flush() {
    let server = Server::start();
    let topology = Topology::new().consumer(MAIL, [(PLACED, Lane::Background)]).on_demand(MAIL, [PLACED]);
    let broker = broker_with(&server.url(), Options { topology, shards: Shards::ONE, ..options() }).await;
    soon(broker.bind(MAIL, Wanted { generation: 3, types: [PLACED.to_owned()].into() })).await.unwrap();
    let mut subscription = subscribe(&broker, MAIL, Lane::Background).await;
    let before = placed();
    deliver(&broker, &before).await;
    receive_all(&mut subscription, &[before]).await;
    server.flush();
    // What is published before the subscription has noticed is stored and goes to nobody.
    let arrived = soon(async {
        loop {
            assert_eq!(publish(&broker, &placed()).await, PublishResult::Stored);
            let next = tokio::time::timeout(
                std::time::Duration::from_millis(50),
                bus::Subscription::next(&mut subscription, 1),
            );
            if let Ok(arrived) = next.await {
                return arrived.expect("the subscription lasts");
            }
        }
    })
    .await;
    assert_eq!(arrived[0].message.envelope.event_type, PLACED);
    server.flush();
    broker.restore().await.unwrap();
    let sent = placed();
    deliver(&broker, &sent).await;
    receive_all(&mut subscription, &[sent]).await;
}
