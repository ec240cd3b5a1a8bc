//! Arrival: published messages arrive unchanged, at their consumers, and nowhere else.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::try_join;
use kernel::{Envelope, Lane};

use super::Case;
use super::stage::{FIRST, FOR_BOTH, FOR_FIRST, FOR_NOBODY, SECOND, Stage, URGENT, Verdict, ensure, ensure_same};
use crate::{Destination, Error, Health, Message, PublishResult, Settlement, Subscription};

pub const CASES: &[Case] = &[
    Case::new("a broker that runs is ready", |stage| is_ready(stage).boxed()),
    Case::new("attributes and body arrive as they were sent", |stage| unchanged(stage).boxed()),
    Case::new("each consumer that reacts receives a copy, and no other", |stage| fan_out(stage).boxed()),
    Case::new("an event to which nobody reacts has no destination", |stage| no_destination(stage).boxed()),
    Case::new("each consumer is a destination", |stage| destination_per_consumer(stage).boxed())
        .only_if(|promises| promises.destination_per_consumer),
    Case::new("an unknown destination is unroutable", |stage| unroutable(stage).boxed()),
    Case::new("an unknown consumer can't subscribe", |stage| unknown_consumer(stage).boxed()),
    Case::new("a consumer has one subscription in a lane", |stage| exclusive(stage).boxed())
        .only_if(|promises| promises.exclusive_subscriptions),
    Case::new("what is published before its consumer subscribes waits for it", |stage| waits(stage).boxed()),
    Case::new("next answers with at most what it is asked for", |stage| at_most(stage).boxed()),
    Case::new("next can be dropped while it waits", |stage| next_dropped(stage).boxed()),
    Case::new("a publish that is abandoned holds up nothing", |stage| publish_dropped(stage).boxed()),
];

async fn is_ready(stage: Stage) -> Verdict {
    let health = stage.broker.health();
    ensure(health == Health::Ready, || format!("it is {health:?}"))
}

async fn unchanged(stage: Stage) -> Verdict {
    let not_utf8: Vec<u8> = (0..=u8::MAX).collect();
    let large: Vec<u8> = not_utf8.iter().copied().cycle().take(256 * 1024).collect();
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
    let traced = stage.message(FOR_FIRST, stage.key(), 1);
    let sent: Vec<Message> = [
        Message { body: Bytes::new(), ..stage.message(FOR_FIRST, stage.key(), 0) },
        Message { body: not_utf8.into(), envelope: Envelope { traceparent, ..traced.envelope } },
        Message { body: large.into(), ..stage.message(FOR_FIRST, stage.key(), i64::MAX) },
        Message {
            body: Bytes::from_static("{\"name\":\"Čapek\\u0000\r\n\"}".as_bytes()),
            ..stage.message(FOR_FIRST, stage.key(), 1)
        },
    ]
    .into();
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let arrived = stage.relay(sent.clone()).alongside(consumer.receive(sent.len())).await?;
    ensure_same(&arrived, &sent)
}

async fn fan_out(stage: Stage) -> Verdict {
    let key = stage.key();
    let (one, both) = (stage.message(FOR_FIRST, key, 1), stage.message(FOR_BOTH, key, 2));
    let urgent = stage.message(URGENT, key, 3);
    let mut first = stage.subscribe(FIRST, Lane::Background).await?;
    let mut second = stage.subscribe(SECOND, Lane::Background).await?;
    let mut relay = stage.relay([one.clone(), both.clone(), urgent.clone()]);
    let (at_first, at_second) = relay.alongside(try_join(first.receive(2), second.receive(1))).await?;
    ensure_same(&at_first, &[one, both.clone()])?;
    ensure_same(&at_second, &[both])?;
    for consumer in [FIRST, SECOND] {
        let arrived = relay.alongside(stage.subscribe(consumer, Lane::Immediate).await?.receive(1)).await?;
        ensure_same(&arrived, std::slice::from_ref(&urgent))?;
    }
    relay.run().await?;
    let more = stage.message(FOR_BOTH, key, 4);
    let mut relay = stage.relay([more.clone()]);
    let (at_first, at_second) = relay.alongside(try_join(first.receive(1), second.receive(1))).await?;
    ensure_same(&at_first, std::slice::from_ref(&more))?;
    ensure_same(&at_second, &[more])
}

async fn no_destination(stage: Stage) -> Verdict {
    let destinations = stage.broker.destinations(FOR_NOBODY);
    ensure(destinations.is_empty(), || format!("it has {destinations:?}"))?;
    let all = stage.broker.all_destinations();
    for event_type in [FOR_FIRST, FOR_BOTH, URGENT] {
        let destinations = stage.broker.destinations(event_type);
        ensure(!destinations.is_empty(), || format!("{event_type} has none either"))?;
        ensure(destinations.iter().all(|it| all.contains(it)), || format!("{destinations:?} are not all in {all:?}"))?;
    }
    Ok(())
}

async fn destination_per_consumer(stage: Stage) -> Verdict {
    for (found, expected) in [
        (stage.broker.destinations(FOR_FIRST), [FIRST].as_slice()),
        (stage.broker.destinations(FOR_BOTH), &[FIRST, SECOND]),
        (stage.broker.all_destinations(), &[FIRST, SECOND]),
    ] {
        let mut names: Vec<&str> = found.iter().map(Destination::as_str).collect();
        names.sort_unstable();
        ensure(names == expected, || format!("{names:?} are destinations, not {expected:?}"))?;
    }
    Ok(())
}

async fn unroutable(stage: Stage) -> Verdict {
    let message = stage.message(FOR_BOTH, stage.key(), 1);
    let outcome = stage.broker.publish(&Destination::new("nowhere"), message).await;
    ensure(outcome == PublishResult::Unroutable, || format!("it is {outcome:?}"))
}

async fn unknown_consumer(stage: Stage) -> Verdict {
    match stage.broker.subscribe("nobody", Lane::Background, 0).await {
        Err(Error::Rejected(_)) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => ensure(false, || "it has a subscription".to_owned()),
    }
}

async fn exclusive(stage: Stage) -> Verdict {
    let first = stage.subscribe(FIRST, Lane::Background).await?;
    let _other_lane = stage.subscribe(FIRST, Lane::Immediate).await?;
    let _other_consumer = stage.subscribe(SECOND, Lane::Background).await?;
    let second = stage.broker.subscribe(FIRST, Lane::Background, 0).await;
    ensure(matches!(second, Err(Error::Rejected(_))), || "it has a second".to_owned())?;
    drop(first);
    stage.subscribe(FIRST, Lane::Background).await?;
    Ok(())
}

async fn waits(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_BOTH, 20, 1);
    let mut relay = stage.relay(sent.clone());
    // One consumer has them all, so they were published; whether they count as stored yet is another case.
    let mut early = stage.subscribe(SECOND, Lane::Background).await?;
    relay.alongside(early.receive(sent.len())).await?;
    let mut late = stage.subscribe(FIRST, Lane::Background).await?;
    let arrived = relay.alongside(late.receive(sent.len())).await?;
    ensure_same(&arrived, &sent)
}

async fn at_most(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 50, 1);
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay(sent.clone());
    let work = async {
        let mut arrived = Vec::new();
        for max in [1, 2, 7].into_iter().cycle() {
            let deliveries = consumer.subscription.next(max).await?;
            ensure((1..=max).contains(&deliveries.len()), || format!("{} came for {max}", deliveries.len()))?;
            arrived.extend(deliveries);
            if arrived.len() >= sent.len() {
                break;
            }
        }
        consumer.settle(&arrived, Settlement::Done).await?;
        Ok(arrived)
    };
    let arrived: Vec<Message> = relay.alongside(work).await?.into_iter().map(|delivery| delivery.message).collect();
    ensure_same(&arrived, &sent)
}

async fn next_dropped(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 20, 20);
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay(sent.clone());
    let work = async {
        let mut arrived = Vec::new();
        while arrived.len() < sent.len() {
            // Polled once and dropped: sometimes just before a message arrives, sometimes just after.
            if let Some(deliveries) = consumer.subscription.next(3).now_or_never() {
                let deliveries = deliveries?;
                consumer.settle(&deliveries, Settlement::Done).await?;
                arrived.extend(deliveries.into_iter().map(|delivery| delivery.message));
            }
            tokio::task::yield_now().await;
        }
        Ok(arrived)
    };
    let arrived = relay.alongside(work).await?;
    ensure_same(&arrived, &sent)
}

async fn publish_dropped(stage: Stage) -> Verdict {
    for message in stage.messages(FOR_FIRST, 100, 1) {
        for destination in stage.broker.destinations(FOR_FIRST) {
            drop(stage.broker.publish(&destination, message.clone()));
        }
    }
    let sent = stage.messages(FOR_FIRST, 100, 1);
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay(sent.clone());
    let arrived = relay.alongside(consumer.receive_all(&sent)).await?;
    ensure_same(&arrived, &sent)?;
    relay.run().await
}
