//! A broker that stops, is killed, is held or breaks a channel.

use std::time::Duration;

use broker_tests::outages;
use bus::{Error, PublishResult, Settlement, Subscription};
use bus_rabbitmq::{Options, RabbitMq};
use kernel::Lane;
use test_servers::RabbitMq as Server;

use crate::support::{
    MAIL, STOCK, broker, broker_with, degraded, deliver, end, options, placed, publish, ready, receive_all, settle,
    soon, soon_unknown, subscribe, take,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_late_and_goes_for_a_while_is_used_whenever_it_is_there() {
    let mut server = Server::start();
    let url = server.url();
    let make = || RabbitMq::new(&url, soon_unknown()).unwrap();
    outages::comes_late_and_goes_for_a_while(&mut server, make, RabbitMq::declare).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_confirmed_is_lost_when_the_broker_is_killed() {
    let mut server = Server::start();
    let broker = broker_with(&server.url(), soon_unknown()).await;
    // RabbitMQ 3.10 writes down half a second later that there is a queue. One that it does not know of after a kill is
    // made anew, and empty: docs/how-to/postgresql-and-rabbitmq.md says so.
    server.restart();
    ready(&broker).await;
    outages::killed(&mut server, &broker, 2, 500, 50).await;
}

/// Such a consumer holds a message for longer than the broker likes, so its channel is closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_takes_too_long_is_redelivered_and_marked() {
    let server = Server::start();
    server.eval("application:set_env(rabbit, channel_tick_interval, 500)");
    server.eval("application:set_env(rabbit, consumer_timeout, 1000)");
    let broker = broker(&server.url()).await;
    let sent = placed();
    deliver(&broker, &sent).await;
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let held = take(&mut subscription, 1).await;
    assert!(!held[0].redelivered);
    let error = end(&mut subscription).await;
    assert!(matches!(&error, Error::Unavailable(reason) if reason.contains("timeout")), "{error}");
    let tags = [held[0].tag];
    assert!(soon(subscription.settle(&tags, Settlement::Done)).await.is_err(), "it counts as settled");
    drop(subscription);

    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let again = take(&mut subscription, 1).await;
    assert!(again[0].redelivered);
    assert_eq!(again[0].message, sent);
    settle(&mut subscription, &again, Settlement::Done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_frozen_is_disconnected_and_used_again_when_it_resumes() {
    let server = Server::start();
    // The heartbeat decides when it counts as gone.
    let broker = broker_with(&format!("{}?heartbeat=2", server.url()), soon_unknown()).await;
    let reason = outages::frozen(&server, &broker).await;
    assert!(!reason.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_confirms_nothing_is_reported_and_holds_up_no_other_for_good() {
    let server = Server::start();
    let soon_late = Options { publish_deadline: Duration::from_millis(250), ..options() };
    let broker = broker_with(&server.url(), soon_late).await;
    // As one whose leader is gone: it takes messages, and says nothing.
    let queue = |what: &str| {
        for consumer in [STOCK, MAIL] {
            server.eval(&format!(
                "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, \
                     <<\"tradepost.{consumer}.background.0\">>)), sys:{what}(element(1, amqqueue:get_pid(Q)))"
            ));
        }
    };
    let of_shard = |shard| {
        let shards = options().shards;
        std::iter::repeat_with(placed)
            .find(|message| shards.of(Lane::Background, message.envelope.key) == shard)
            .unwrap()
    };
    let (stuck, other) = (of_shard(0), of_shard(1));
    queue("suspend");
    assert!(matches!(publish(&broker, &stuck).await, PublishResult::Unknown { .. }));
    let reason = degraded(&broker).await;
    assert!(reason.contains("confirms nothing for orders.order_placed.v1.0"), "{reason}");
    deliver(&broker, &other).await;
    queue("resume");
    deliver(&broker, &stuck).await;
    let mut subscription = soon(subscribe(&broker, STOCK, Lane::Background)).await;
    receive_all(&mut subscription, &[stuck, other]).await;
}
