//! A server that stops, is killed, is held, or becomes a replica.

use bus::{Broker, Error, Health, PublishResult};
use futures_util::future::join_all;
use kernel::Lane;
use test_servers::{Appending, Redis as Server, RedisOptions};
use tradepost_bus_redis::Redis;

use crate::support::{
    MAIL, STOCK, broker, degraded, deliver, end, options, placed, publish, ready, receive_all, soon, subscribe,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_late_and_goes_for_a_while_is_used_whenever_it_is_there() {
    let mut server = Server::start();
    let url = server.url();
    server.stop();
    let broker = Redis::new(&url, options()).unwrap();
    let unreachable =
        |health: &Health| matches!(health, Health::Degraded { reason } if reason.contains("can be reached"));
    soon(broker.until(unreachable)).await;
    assert!(matches!(publish(&broker, &placed()).await, PublishResult::Unknown { .. }));
    server.restart();
    ready(&broker).await;
    broker.declare().await.unwrap();
    let first = placed();
    assert_eq!(publish(&broker, &first).await, PublishResult::Stored);
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[first]).await;

    server.stop();
    assert!(matches!(end(&mut subscription).await, Error::Unavailable(_)));
    degraded(&broker).await;
    assert!(matches!(publish(&broker, &placed()).await, PublishResult::Unknown { .. }));
    assert!(matches!(soon(broker.waiting(STOCK)).await, Err(Error::Unavailable(_))));
    server.restart();
    ready(&broker).await;
    let second = placed();
    deliver(&broker, &second).await;
    // Of its shards only one has noticed.
    drop(subscription);
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[second]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_confirmed_is_lost_when_the_server_is_killed() {
    let mut server = Server::start();
    let broker = broker(&server.url()).await;
    let mut confirmed = Vec::new();
    for _ in 0..3 {
        let messages: Vec<_> = (0..2_000).map(|_| placed()).collect();
        let publishes = messages.iter().map(|message| publish(&broker, message));
        let before = broker.waiting(STOCK).await.unwrap();
        let killed = async {
            // Some are confirmed by then, and some are in flight.
            soon(async {
                while broker.waiting(STOCK).await.is_ok_and(|count| count < before + 300) {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            server.kill();
        };
        let (outcomes, ()) = tokio::join!(join_all(publishes), killed);
        let stored = messages.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome == PublishResult::Stored);
        confirmed.extend(stored.map(|(message, _)| message));
        server.restart();
        ready(&broker).await;
    }
    assert!(!confirmed.is_empty(), "nothing was confirmed before a kill");
    for consumer in [STOCK, MAIL] {
        let mut subscription = subscribe(&broker, consumer, Lane::Background).await;
        receive_all(&mut subscription, &confirmed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_file_says_so_loses_what_it_had_and_goes_on() {
    let mut server = RedisOptions { appending: Appending::Off, ..RedisOptions::default() }.start();
    let broker = broker(&server.url()).await;
    assert!(!broker.guarantees().survives_restart);
    assert!(broker.durability().unwrap().contains("in memory only"));
    deliver(&broker, &placed()).await;
    server.kill();
    server.restart();
    ready(&broker).await;
    // The connection by which it asks may be the one that broke.
    soon(async {
        while broker.waiting(STOCK).await.ok() != Some(0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let sent = placed();
    deliver(&broker, &sent).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_frozen_is_disconnected_and_used_again_when_it_resumes() {
    let server = Server::start();
    let broker = broker(&server.url()).await;
    server.freeze();
    let sent = placed();
    assert!(matches!(publish(&broker, &sent).await, PublishResult::Unknown { .. }));
    let reason = degraded(&broker).await;
    assert!(reason.contains("took more than"), "{reason}");
    server.thaw();
    ready(&broker).await;
    deliver(&broker, &sent).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closes_are_made_again() {
    let server = Server::start();
    let broker = broker(&server.url()).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    for _ in 0..3 {
        server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let error = end(&mut subscription).await;
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        ready(&broker).await;
        let sent = placed();
        deliver(&broker, &sent).await;
        drop(subscription);
        subscription = subscribe(&broker, STOCK, Lane::Background).await;
        receive_all(&mut subscription, &[sent]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_becomes_a_replica_stores_nothing_until_it_is_a_primary_again() {
    let (server, other) = (Server::start(), Server::start());
    let broker = broker(&server.url()).await;
    server.command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    let refused = placed();
    let outcome = publish(&broker, &refused).await;
    assert!(matches!(&outcome, PublishResult::Refused { detail } if detail.starts_with("READONLY")), "{outcome:?}");
    let replica = |health: &Health| matches!(health, Health::Degraded { reason } if reason.contains("replica"));
    soon(broker.until(replica)).await;
    server.command(&["REPLICAOF", "NO", "ONE"]);
    ready(&broker).await;
    deliver(&broker, &refused).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[refused]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_taken_while_events_flow_is_named_and_given_back() {
    let server = Server::start();
    let broker = broker(&server.url()).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    server.command(&["ACL", "SETUSER", "tradepost", "-xadd", "-xreadgroup"]);
    let sent = placed();
    let outcome = publish(&broker, &sent).await;
    assert!(
        matches!(&outcome, PublishResult::Refused { detail } if detail.contains("executing the script")),
        "{outcome:?}"
    );
    let error = end(&mut subscription).await;
    assert!(matches!(&error, Error::Rejected(said) if said.contains("ACL SETUSER")), "{error}");
    server.command(&["ACL", "SETUSER", "tradepost", "+xadd", "+xreadgroup"]);
    deliver(&broker, &sent).await;
    drop(subscription);
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
}
