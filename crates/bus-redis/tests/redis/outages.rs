//! A server that stops, is killed, is held, or becomes a replica.

use broker_tests::outages;
use bus::{Broker, Error, Health, PublishResult};
use kernel::Lane;
use test_servers::{Appending, Redis as Server, RedisOptions};
use tradepost_bus_redis::Redis;

use crate::support::{
    STOCK, broker, deliver, end, options, placed, publish, ready, receive_all, soon, subscribe, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_late_and_goes_for_a_while_is_used_whenever_it_is_there() {
    let mut server = Server::start();
    let url = server.url();
    let make = || Redis::new(&url, options()).unwrap();
    outages::comes_late_and_goes_for_a_while(&mut server, make, Redis::declare).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_confirmed_is_lost_when_the_server_is_killed() {
    let mut server = Server::start();
    let broker = broker(&server.url()).await;
    outages::killed(&mut server, &broker, 3, 2_000, 300).await;
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
    let reason = outages::frozen(&server, &broker(&server.url()).await).await;
    assert!(reason.contains("took more than"), "{reason}");
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
    until(&broker, replica).await;
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
