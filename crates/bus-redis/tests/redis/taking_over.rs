//! Subscriptions that end, and those that go on where they ended.

use bus::{Broker, Error, Settlement, Subscription};
use kernel::{Lane, Uuid};
use test_servers::{KeyPrefix, Proxy};

use crate::support::{
    PLACED, STOCK, broker_with, deliver, end, ids, message, one_shard, placed, receive_all, settle, soon, subscribe,
    take,
};

/// Events of one key in their order.
fn story(count: i64) -> Vec<bus::Message> {
    let key: Uuid = ids().next();
    (1..=count)
        .map(|sequence| {
            let mut message = message(PLACED, Lane::Background, key);
            message.envelope.sequence = sequence;
            message
        })
        .collect()
}

fn sequences(deliveries: &[bus::Delivery]) -> Vec<i64> {
    deliveries.iter().map(|delivery| delivery.message.envelope.sequence).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_that_vanished_had_comes_first_to_the_next_and_is_marked() {
    let keys = KeyPrefix::create();
    let (proxy, url) = Proxy::before(&keys.url()).await;
    let (gone, next) = (broker_with(&url, one_shard()).await, broker_with(&keys.url(), one_shard()).await);
    for message in story(10) {
        deliver(&gone, &message).await;
    }
    let mut first = subscribe(&gone, STOCK, Lane::Background).await;
    take(&mut first, 5).await;
    // Nothing of it reaches the server any more, so it neither renews its lease nor releases it.
    proxy.refuse().await;
    proxy.hit(test_servers::Faults::now(test_servers::What::Cut));
    let mut second = subscribe(&next, STOCK, Lane::Background).await;
    let taken = take(&mut second, 10).await;
    assert_eq!(sequences(&taken), (1..=10).collect::<Vec<_>>());
    assert!(taken[..5].iter().all(|delivery| delivery.redelivered));
    settle(&mut second, &taken, Settlement::Done).await;
    assert!(matches!(end(&mut first).await, Error::Unavailable(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_lost_its_lease_takes_nothing_more() {
    let keys = KeyPrefix::create();
    let (one, other) = (broker_with(&keys.url(), one_shard()).await, broker_with(&keys.url(), one_shard()).await);
    let sent = story(6);
    for message in &sent[..3] {
        deliver(&one, message).await;
    }
    let mut first = subscribe(&one, STOCK, Lane::Background).await;
    let held = take(&mut first, 3).await;
    // As after a pause that was longer than its lease.
    keys.command(&["DEL", &keys.key("tradepost.inventory.background.0.holder")]);
    let mut second = subscribe(&other, STOCK, Lane::Background).await;
    let again = take(&mut second, 3).await;
    assert_eq!(sequences(&again), [1, 2, 3]);
    assert!(again.iter().all(|delivery| delivery.redelivered));
    for message in &sent[3..] {
        deliver(&one, message).await;
    }
    let error = end(&mut first).await;
    assert!(matches!(&error, Error::Unavailable(said) if said.contains("taken over")), "{error}");
    let tags: Vec<_> = held.iter().map(|delivery| delivery.tag).collect();
    assert!(soon(first.settle(&tags, Settlement::Done)).await.is_err(), "they count as settled");
    settle(&mut second, &again, Settlement::Done).await;
    assert_eq!(sequences(&take(&mut second, 3).await), [4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_lasts_as_long_as_its_subscription_however_idle_that_is() {
    let keys = KeyPrefix::create();
    let (one, other) = (broker_with(&keys.url(), one_shard()).await, broker_with(&keys.url(), one_shard()).await);
    deliver(&one, &placed()).await;
    let mut first = subscribe(&one, STOCK, Lane::Background).await;
    let held = take(&mut first, 1).await;
    let holder = keys.key("tradepost.inventory.background.0.holder");
    // Shortened by hand, it is renewed to its full length.
    keys.command(&["PEXPIRE", &holder, "5000"]);
    soon(async {
        while keys.command(&["PTTL", &holder]).parse::<u32>().unwrap() <= 5000 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut second = subscribe(&other, STOCK, Lane::Background).await;
    settle(&mut first, &held, Settlement::Done).await;
    let sent = placed();
    deliver(&one, &sent).await;
    receive_all(&mut first, std::slice::from_ref(&sent)).await;
    drop(first);
    let more = placed();
    deliver(&one, &more).await;
    let taken = take(&mut second, 1).await;
    assert_eq!((&taken[0].message, taken[0].redelivered), (&more, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_subscribes_second_begins_where_the_first_left_off() {
    let keys = KeyPrefix::create();
    let (one, other) = (broker_with(&keys.url(), one_shard()).await, broker_with(&keys.url(), one_shard()).await);
    let sent = story(200);
    for message in &sent {
        deliver(&one, message).await;
    }
    let mut first = subscribe(&one, STOCK, Lane::Background).await;
    let held = take(&mut first, 70).await;
    settle(&mut first, &held[..30], Settlement::Done).await;
    let mut second = subscribe(&other, STOCK, Lane::Background).await;
    first.close().await;
    let taken = take(&mut second, 170).await;
    assert_eq!(sequences(&taken), (31..=200).collect::<Vec<_>>());
    settle(&mut second, &taken, Settlement::Done).await;
    assert_eq!(other.waiting(STOCK).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_requeued_comes_before_what_was_taken_ahead() {
    let keys = KeyPrefix::create();
    let broker = broker_with(&keys.url(), one_shard()).await;
    for message in story(100) {
        deliver(&broker, &message).await;
    }
    let mut subscription = soon(broker.subscribe(STOCK, Lane::Background, 0)).await.unwrap();
    let first = take(&mut *subscription, 10).await;
    settle(&mut *subscription, &first[..3], Settlement::Done).await;
    settle(&mut *subscription, &first[3..4], Settlement::Requeue).await;
    let again = take(&mut *subscription, 97).await;
    assert_eq!(sequences(&again), (4..=100).collect::<Vec<_>>());
    assert!(again[..7].iter().all(|delivery| delivery.redelivered));
}
