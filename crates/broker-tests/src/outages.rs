//! Outages of a server, and of the connection to it. Each expects an adapter whose publishes are unknown after a short
//! deadline, and which soon tries again.

use bus::{Broker, Error, Health, PublishResult};
use futures_util::future::join_all;
use kernel::Lane;
use test_servers::{Faults, Proxy, What};

use crate::Server;
use crate::steps::{MAIL, STOCK, degraded, deliver, end, placed, publish, ready, receive_all, soon, subscribe, until};

/// A server that is not there when the broker is made, and goes for a while later, is used whenever it is there. The
/// broker says that it can't be reached.
///
/// # Panics
///
/// If it does otherwise.
pub async fn comes_late_and_goes_for_a_while<B: Broker>(
    server: &mut impl Server,
    make: impl FnOnce() -> B,
    declare: impl AsyncFn(&B) -> Result<(), Error>,
) {
    server.stop();
    let broker = make();
    until(&broker, |health| matches!(health, Health::Degraded { reason } if reason.contains("can be reached"))).await;
    assert!(matches!(publish(&broker, &placed()).await, PublishResult::Unknown { .. }));
    server.restart();
    ready(&broker).await;
    declare(&broker).await.expect("nothing is there yet");
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
    // Of its shards perhaps only one has noticed, and the others would keep the next from theirs.
    drop(subscription);
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[second]).await;
}

/// Nothing that was confirmed is lost when the server is killed, so many times. Each time this many messages are published,
/// and the kill comes when so many of them are stored.
///
/// # Panics
///
/// If something is lost, or nothing was confirmed.
pub async fn killed(server: &mut impl Server, broker: &dyn Broker, kills: usize, messages: usize, stored: u64) {
    let mut confirmed = Vec::new();
    for _ in 0..kills {
        let sent: Vec<_> = (0..messages).map(|_| placed()).collect();
        let before = soon(async {
            loop {
                // The connection by which it asks may be the one that broke.
                if let Ok(count) = broker.waiting(STOCK).await {
                    return count;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        let publishes = sent.iter().map(|message| publish(broker, message));
        let killed = async {
            // Some are confirmed by then, and some are in flight.
            soon(async {
                while broker.waiting(STOCK).await.is_ok_and(|count| count < before + stored) {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            server.kill();
        };
        let (outcomes, ()) = tokio::join!(join_all(publishes), killed);
        let stored = sent.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome == PublishResult::Stored);
        confirmed.extend(stored.map(|(message, _)| message));
        server.restart();
        ready(broker).await;
    }
    assert!(!confirmed.is_empty(), "nothing was confirmed before a kill");
    for consumer in [STOCK, MAIL] {
        let mut subscription = subscribe(broker, consumer, Lane::Background).await;
        receive_all(&mut subscription, &confirmed).await;
    }
}

/// A server that is held is disconnected, and used again when it goes on. Answers with the reason that was given.
///
/// # Panics
///
/// If it is not.
pub async fn frozen(server: &impl Server, broker: &dyn Broker) -> String {
    server.freeze();
    let sent = placed();
    assert!(matches!(publish(broker, &sent).await, PublishResult::Unknown { .. }));
    let reason = degraded(broker).await;
    server.thaw();
    ready(broker).await;
    deliver(broker, &sent).await;
    let mut subscription = subscribe(broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &[sent]).await;
    reason
}

/// A connection that is cut at any byte of the exchange of a publish, in either direction, loses nothing: at each so many
/// bytes of what is sent, and of what is answered.
///
/// # Panics
///
/// If something is lost, or no cut was felt.
pub async fn cut_within_a_publish(proxy: &Proxy, broker: &dyn Broker, (sent_step, answered_step): (usize, usize)) {
    let mut all = vec![placed()];
    let before = proxy.traffic();
    assert_eq!(publish(broker, &all[0]).await, PublishResult::Stored);
    let grown = proxy
        .traffic()
        .iter()
        .zip(&before)
        .map(|(after, before)| (after.to_server - before.to_server, after.to_client - before.to_client))
        .max()
        .expect("the broker is connected through the proxy");
    let mut unknown = 0;
    let cuts = (0..=grown.0).step_by(sent_step).map(|at| Faults::to_server(at, What::Cut));
    for fault in cuts.chain((0..=grown.1).step_by(answered_step).map(|at| Faults::to_client(at, What::Cut))) {
        ready(broker).await;
        proxy.hit(fault);
        let sent = placed();
        let outcome = publish(broker, &sent).await;
        match outcome {
            PublishResult::Stored => {}
            PublishResult::Unknown { .. } => unknown += 1,
            other => panic!("{other:?} at {fault:?}"),
        }
        if outcome != PublishResult::Stored {
            deliver(broker, &sent).await;
        }
        all.push(sent);
    }
    assert!(unknown > 0, "no cut was felt");
    proxy.heal().await;
    ready(broker).await;
    let mut subscription = subscribe(broker, STOCK, Lane::Background).await;
    receive_all(&mut subscription, &all).await;
}
