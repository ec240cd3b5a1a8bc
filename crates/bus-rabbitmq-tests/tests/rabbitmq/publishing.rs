//! The results of a publish.

use std::time::Duration;

use broker_tests::outages;
use bus::{Broker, Destination, PublishResult};
use bus_rabbitmq::RabbitMq;
use bytes::Bytes;
use futures_util::future::join_all;
use kernel::Lane;
use lapin::options::ExchangeDeleteOptions;
use lapin::types::FieldTable;
use test_servers::{Proxy, RabbitMq as Server, Vhost};

use crate::support::{
    FAILED, STOCK, broker, broker_with, degraded, deliver, ids, message, options, placed, plain_client, publish, ready,
    receive_all, soon, subscribe,
};

/// The distance of the bytes at which the short form cuts; the long one cuts at each.
const CUT_EVERY: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_which_nothing_is_bound_is_unroutable() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    assert_eq!(publish(&broker, &message(FAILED, Lane::Immediate, ids().next())).await, PublishResult::Stored);
    unbind(&vhost, "tradepost.inventory.immediate.0", FAILED, 0).await;
    assert_eq!(publish(&broker, &message(FAILED, Lane::Immediate, ids().next())).await, PublishResult::Unroutable);
    broker.declare().await.unwrap();
    assert_eq!(publish(&broker, &message(FAILED, Lane::Immediate, ids().next())).await, PublishResult::Stored);
}

/// lapin ties a return to whichever confirmation is next: here nearly always another one.
#[tokio::test(flavor = "multi_thread")]
async fn among_many_at_once_just_those_that_were_returned_are_unroutable() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    unbind(&vhost, "tradepost.inventory.immediate.0", FAILED, 0).await;
    for _ in 0..20 {
        let messages: Vec<_> = (0..100)
            .map(|n| if n % 3 == 0 { message(FAILED, Lane::Immediate, ids().next()) } else { placed() })
            .collect();
        let outcomes =
            soon(join_all(messages.iter().map(|message| broker.publish(&Destination::new("events"), message.clone()))))
                .await;
        for (message, outcome) in messages.iter().zip(&outcomes) {
            let is_lost = message.envelope.event_type == FAILED && *outcome == PublishResult::Stored;
            assert!(!is_lost, "a message that was returned counts as stored");
        }
        let stored = outcomes.iter().filter(|outcome| **outcome == PublishResult::Stored).count();
        assert!(stored > 0, "nothing is stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_and_harms_no_other() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let sized = |bytes: usize| bus::Message { body: Bytes::from(vec![b' '; bytes]), ..placed() };
    assert!(matches!(publish(&broker, &sized(8 * 1024 * 1024 + 1)).await, PublishResult::Refused { .. }));
    let mut unknown = placed();
    unknown.envelope.event_type = "x".repeat(300);
    assert!(matches!(publish(&broker, &unknown).await, PublishResult::Refused { .. }));
    assert_eq!(publish(&broker, &sized(8 * 1024 * 1024)).await, PublishResult::Stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_its_exchange_stores_nothing_until_it_is_declared_again() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    channel.exchange_delete("tradepost.events".into(), ExchangeDeleteOptions::default()).await.unwrap();
    assert!(matches!(publish(&broker, &placed()).await, PublishResult::Unknown { .. }));
    let reason = degraded(&broker).await;
    assert!(reason.contains("no exchange 'tradepost.events'"), "{reason}");
    broker.declare().await.unwrap();
    deliver(&broker, &placed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_while_memory_is_short_ends_at_its_deadline_and_flows_again_afterwards() {
    let server = Server::start();
    let options = bus_rabbitmq::Options { publish_deadline: Duration::from_secs(2), ..options() };
    let broker = RabbitMq::new(&server.url(), options).unwrap();
    ready(&broker).await;
    broker.declare().await.unwrap();
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    for set_alarm in [Server::set_memory_alarm, Server::set_disk_alarm] {
        let mut before = vec![placed()];
        assert_eq!(publish(&broker, &before[0]).await, PublishResult::Stored);
        set_alarm(&server, true);
        // The server takes what arrives in the moment before its connections learn of the alarm.
        let (held_up, outcome) = loop {
            let sent = placed();
            match publish(&broker, &sent).await {
                PublishResult::Stored => before.push(sent),
                outcome => break (sent, outcome),
            }
        };
        assert!(matches!(outcome, PublishResult::Unknown { .. } | PublishResult::Refused { .. }), "{outcome:?}");
        let reason = degraded(&broker).await;
        assert!(reason.contains("takes no messages") && reason.contains("low on"), "{reason}");
        // Now that the broker has said so, nothing is sent any more; and whoever receives goes on.
        assert!(matches!(publish(&broker, &placed()).await, PublishResult::Refused { .. }));
        receive_all(&mut subscription, &before).await;
        set_alarm(&server, false);
        ready(&broker).await;
        deliver(&broker, &held_up).await;
        receive_all(&mut subscription, &[held_up]).await;
    }
}

/// A publish is a few hundred bytes, its confirmation a few dozen: the connection breaks before, within and after each.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_at_any_byte_of_a_publish_loses_nothing() {
    let vhost = Vhost::create();
    let (proxy, url) = Proxy::before(&vhost.url()).await;
    let at_once = bus_rabbitmq::Options { reconnect_max: Duration::from_millis(10), ..options() };
    let broker = broker_with(&url, at_once).await;
    let every = if test_servers::is_soak() { 1 } else { CUT_EVERY };
    outages::cut_within_a_publish(&proxy, &broker, (every, every)).await;
}

async fn unbind(vhost: &Vhost, queue: &str, event_type: &str, shard: u16) {
    let (_connection, channel) = plain_client(&vhost.url()).await;
    let key = format!("{event_type}.{shard}");
    let unbound = channel.queue_unbind(queue.into(), "tradepost.events".into(), key.into(), FieldTable::default());
    soon(unbound).await.expect("a test may unbind what it likes");
}
