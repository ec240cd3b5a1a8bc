//! The results of a publish.

use broker_tests::outages;
use bus::{Broker, Destination, PublishResult, Settlement};
use bytes::Bytes;
use futures_util::future::join_all;
use kernel::Lane;
use test_servers::{KeyPrefix, Proxy, Redis as Server, RedisOptions};

use crate::support::{
    FAILED, MAIL, STOCK, broker, broker_with, degraded, deliver, ids, message, one_shard, options, placed, publish,
    receive_all, settle, soon, subscribe, take,
};

/// The distance of the bytes of what is sent at which the short form cuts; the long one cuts at each.
const CUT_EVERY: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_consumers_is_unroutable() {
    let keys = KeyPrefix::create();
    let broker = broker(&keys.url()).await;
    let unknown = message("orders.order_lost.v1", Lane::Background, ids().next());
    assert_eq!(publish(&broker, &unknown).await, PublishResult::Unroutable);
    let nowhere = broker.publish(&Destination::new("nowhere"), placed());
    assert_eq!(soon(nowhere).await, PublishResult::Unroutable);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_at_once_shares_pipelines_and_reaches_each_consumer_once() {
    let keys = KeyPrefix::create();
    let broker = broker(&keys.url()).await;
    let mut sent: Vec<_> = (0..2_000).map(|_| placed()).collect();
    let publishes = sent.iter().map(|message| publish(&broker, message));
    let outcomes = join_all(publishes).await;
    assert!(outcomes.iter().all(|outcome| *outcome == PublishResult::Stored), "{outcomes:?}");
    sent.sort_by_key(|message| message.envelope.id);
    for consumer in [STOCK, MAIL] {
        assert_eq!(broker.waiting(consumer).await.unwrap(), 2_000);
        let mut subscription = subscribe(&broker, consumer, Lane::Background).await;
        let arrived = take(&mut subscription, sent.len()).await;
        assert_eq!(broker.waiting(consumer).await.unwrap(), 0);
        settle(&mut subscription, &arrived, Settlement::Done).await;
        let mut arrived: Vec<_> = arrived.into_iter().map(|delivery| delivery.message).collect();
        arrived.sort_by_key(|message| message.envelope.id);
        assert!(arrived == sent, "they are not the same");
    }
    let left = keys.command(&["XLEN", &keys.key("tradepost.inventory.background.0")]);
    assert_eq!(left, "0", "what is settled stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_and_harms_no_other() {
    let keys = KeyPrefix::create();
    let broker = broker(&keys.url()).await;
    let sized = |bytes: usize| bus::Message { body: Bytes::from(vec![b' '; bytes]), ..placed() };
    assert!(matches!(publish(&broker, &sized(8 * 1024 * 1024 + 1)).await, PublishResult::Refused { .. }));
    assert_eq!(publish(&broker, &sized(8 * 1024 * 1024)).await, PublishResult::Stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_full_refuses_for_all_consumers_or_for_none() {
    let keys = KeyPrefix::create();
    let broker = broker_with(&format!("{}&queue_max=10", keys.url()), one_shard()).await;
    // One consumer handles what it gets, the other does not.
    let mut quick = subscribe(&broker, MAIL, Lane::Background).await;
    for _ in 0..10 {
        let sent = placed();
        assert_eq!(publish(&broker, &sent).await, PublishResult::Stored);
        receive_all(&mut quick, &[sent]).await;
    }
    let outcome = publish(&broker, &placed()).await;
    let PublishResult::Refused { detail } = outcome else { panic!("{outcome:?}") };
    assert!(detail.contains("tradepost.inventory.background.0 has 10 entries"), "{detail}");
    assert_eq!(broker.waiting(MAIL).await.unwrap(), 0, "it has a part");
    assert_eq!(publish(&broker, &message(FAILED, Lane::Immediate, ids().next())).await, PublishResult::Stored);

    let mut slow = subscribe(&broker, STOCK, Lane::Background).await;
    let taken = take(&mut slow, 1).await;
    settle(&mut slow, &taken, Settlement::Done).await;
    assert_eq!(publish(&broker, &placed()).await, PublishResult::Stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_while_memory_is_full_is_refused_and_whoever_receives_goes_on() {
    let server = Server::start();
    let broker = broker(&server.url()).await;
    let before: Vec<_> = (0..10).map(|_| placed()).collect();
    for message in &before {
        assert_eq!(publish(&broker, message).await, PublishResult::Stored);
    }
    server.set_full(true);
    let refused = placed();
    let outcome = publish(&broker, &refused).await;
    let PublishResult::Refused { detail } = outcome else { panic!("{outcome:?}") };
    assert!(detail.starts_with("OOM") && detail.contains("tradepost.inventory"), "{detail}");
    assert!(degraded(&broker).await.contains("OOM"));
    // Also one that subscribes only now, for it makes room.
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &before).await;
    server.set_full(false);
    deliver(&broker, &refused).await;
    receive_all(&mut subscription, &[refused]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_too_few_replicas_have_is_unknown() {
    let keys = KeyPrefix::create();
    let broker = broker(&format!("{}&wait_replicas=1", keys.url())).await;
    let outcome = publish(&broker, &placed()).await;
    assert!(
        matches!(&outcome, PublishResult::Unknown { detail } if detail == "0 replicas have it, not 1"),
        "{outcome:?}"
    );
    assert!(degraded(&broker).await.contains("0 replicas have it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_replicas_have_is_stored() {
    let (primary, replica) = (Server::start(), RedisOptions::default().start());
    let (user, password) = primary.url().split(['/', '@']).nth(2).unwrap().split_once(':').map(owned).unwrap();
    replica.command(&["CONFIG", "SET", "masteruser", &user]);
    replica.command(&["CONFIG", "SET", "masterauth", &password]);
    replica.command(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let broker = broker(&format!("{}?wait_replicas=1", primary.url())).await;
    // Until the replica has caught up, nobody knows.
    deliver(&broker, &placed()).await;
    assert_eq!(publish(&broker, &placed()).await, PublishResult::Stored);
}

fn owned((user, password): (&str, &str)) -> (String, String) {
    (user.to_owned(), password.to_owned())
}

/// A publish is two kilobytes with its script, its answer a few dozen bytes: the connection breaks before, within and
/// after each.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_at_any_byte_of_a_publish_loses_nothing() {
    let keys = KeyPrefix::create();
    let (proxy, url) = Proxy::before(&keys.url()).await;
    let broker = broker(&url).await;
    let of_what_is_sent = if test_servers::is_soak() { 1 } else { CUT_EVERY };
    outages::cut_within_a_publish(&proxy, &broker, (of_what_is_sent, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_the_server_forgot_are_loaded_again() {
    let server = Server::start();
    let broker = broker_with(&server.url(), options()).await;
    server.command(&["SCRIPT", "FLUSH"]);
    assert_eq!(publish(&broker, &placed()).await, PublishResult::Stored);
}
