//! Settlement: its meaning, and redelivery without one.

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use kernel::{Lane, Uuid};

use super::Case;
use super::stage::{Consumer, FIRST, FOR_FIRST, Stage, Verdict, Violation, ensure, ensure_in_order, ensure_same};
use crate::{Delivery, Destination, Message, PublishResult, Settlement};

pub const CASES: &[Case] = &[
    Case::new("a message is stored when it is settled, and not before", |stage| stored_when_settled(stage).boxed())
        .only_if(|promises| promises.stored_means_settled),
    Case::new("the outcome of what is not done is unknown", |stage| unknown_unless_done(stage).boxed())
        .only_if(|promises| promises.stored_means_settled),
    Case::new("a message is stored before anyone subscribes", |stage| stored_unseen(stage).boxed())
        .only_if(|promises| !promises.stored_means_settled),
    Case::new("a requeued delivery is redelivered", |stage| requeued(stage).boxed()),
    Case::new("each delivery of a window is settled by itself", |stage| by_itself(stage).boxed()),
    Case::new("what a dropped subscription left comes to the next, in order", |stage| left_behind(stage).boxed()),
    Case::new("what a closed subscription left comes to one that waits, in order", |stage| handed_over(stage).boxed())
        .only_if(|promises| !promises.exclusive_subscriptions),
    Case::new("redeliveries are marked if that is promised", |stage| marked(stage).boxed()),
    Case::new("the first settlement counts", |stage| first_counts(stage).boxed()),
    Case::new("a tag of an earlier subscription settles nothing", |stage| stale_tag(stage).boxed()),
    Case::new("a restart loses nothing", |stage| restarted(stage).boxed())
        .only_if(|promises| promises.survives_restart || promises.stored_means_settled),
];

/// The one destination of [`FOR_FIRST`].
fn destination(stage: &Stage) -> Verdict<Destination> {
    let destinations = stage.broker.destinations(FOR_FIRST);
    destinations.into_iter().next().ok_or_else(|| Violation(format!("{FOR_FIRST} has no destination")))
}

async fn stored_when_settled(stage: Stage) -> Verdict {
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let publish = stage.broker.publish(&destination(&stage)?, stage.message(FOR_FIRST, stage.key(), 1));
    let (delivered, publish) = match select(publish, consumer.take(1).boxed()).await {
        Either::Left((outcome, _)) => return Err(Violation(format!("{outcome:?} before it was delivered"))),
        Either::Right((delivered, publish)) => (delivered?, publish),
    };
    let publish = match select(publish, tokio::task::yield_now().boxed()).await {
        Either::Left((outcome, _)) => return Err(Violation(format!("{outcome:?} before it was settled"))),
        Either::Right(((), publish)) => publish,
    };
    consumer.settle(&delivered, Settlement::Done).await?;
    let outcome = publish.await;
    ensure(outcome == PublishResult::Stored, || format!("{outcome:?} when it was settled"))
}

async fn unknown_unless_done(stage: Stage) -> Verdict {
    let destination = destination(&stage)?;
    let publish = || stage.broker.publish(&destination, stage.message(FOR_FIRST, stage.key(), 1));
    let (requeued, dropped) = (publish(), publish());
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let deliveries = consumer.take(2).await?;
    consumer.settle(&deliveries[..1], Settlement::Requeue).await?;
    drop(consumer);
    for (outcome, what) in [(requeued.await, "requeued"), (dropped.await, "left by its subscription")] {
        ensure(matches!(outcome, PublishResult::Unknown { .. }), || format!("{outcome:?} when it was {what}"))?;
    }
    Ok(())
}

async fn stored_unseen(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 20, 5);
    stage.relay(sent.clone()).run().await?;
    let arrived = stage.subscribe(FIRST, Lane::Background).await?.receive(sent.len()).await?;
    ensure_same(&arrived, &sent)
}

async fn requeued(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 5, 1);
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay(sent.clone());
    let work = async {
        for _ in 0..3 {
            let deliveries = consumer.take(sent.len()).await?;
            consumer.settle(&deliveries, Settlement::Requeue).await?;
            ensure_same(&messages(deliveries), &sent)?;
        }
        consumer.receive(sent.len()).await
    };
    ensure_same(&relay.alongside(work).await?, &sent)?;
    relay.run().await
}

async fn by_itself(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 3, 1);
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay(sent);
    let work = async {
        let deliveries = consumer.take(3).await?;
        consumer.settle(&deliveries[1..], Settlement::Done).await?;
        consumer.settle(&deliveries[..1], Settlement::Requeue).await?;
        let again = consumer.receive(1).await?;
        ensure_same(&again, &[deliveries[0].message.clone()])
    };
    relay.alongside(work).await?;
    relay.run().await?;
    nothing_else(&stage, &mut consumer, stage.key()).await
}

async fn left_behind(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 5, 4);
    let mut relay = stage.relay(sent.clone());
    let mut first = stage.subscribe(FIRST, Lane::Background).await?;
    relay.alongside(first.take(5)).await?;
    drop(first);
    let mut second = stage.subscribe(FIRST, Lane::Background).await?;
    let arrived = relay.alongside(second.receive(sent.len())).await?;
    ensure_same(&arrived, &sent)?;
    ensure_in_order(&arrived)?;
    relay.run().await
}

async fn handed_over(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 5, 8);
    let (early, late) = sent.split_at(20);
    stage.relay(early.to_vec()).run().await?;
    let mut first = stage.subscribe(FIRST, Lane::Background).await?;
    first.take(5).await?;
    let mut second = stage.subscribe(FIRST, Lane::Background).await?;
    stage.relay(late.to_vec()).run().await?;
    first.subscription.close().await;
    let arrived = second.receive(sent.len()).await?;
    ensure_same(&arrived, &sent)?;
    ensure_in_order(&arrived)
}

async fn marked(stage: Stage) -> Verdict {
    let mut relay = stage.relay([stage.message(FOR_FIRST, stage.key(), 1)]);
    for is_first in [true, false] {
        let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
        let delivery = relay.alongside(consumer.take(1)).await?.remove(0);
        let expected = !is_first && stage.broker.guarantees().redelivered_flag;
        ensure(delivery.redelivered == expected, || {
            format!("the mark is {}, first time: {is_first}", delivery.redelivered)
        })?;
    }
    Ok(())
}

async fn first_counts(stage: Stage) -> Verdict {
    let key = stage.key();
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay([stage.message(FOR_FIRST, key, 1)]);
    let work = async {
        let delivery = consumer.take(1).await?;
        for settlement in [Settlement::Done, Settlement::Done, Settlement::Requeue] {
            consumer.settle(&delivery, settlement).await?;
        }
        Ok(())
    };
    relay.alongside(work).await?;
    relay.run().await?;
    nothing_else(&stage, &mut consumer, key).await
}

async fn stale_tag(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 1, 1);
    let mut relay = stage.relay(sent.clone());
    let mut first = stage.subscribe(FIRST, Lane::Background).await?;
    let left = relay.alongside(first.take(1)).await?;
    drop(first);
    let mut second = stage.subscribe(FIRST, Lane::Background).await?;
    relay.alongside(second.take(1)).await?;
    second.settle(&left, Settlement::Done).await?;
    drop(second);
    let mut third = stage.subscribe(FIRST, Lane::Background).await?;
    ensure_same(&relay.alongside(third.receive(1)).await?, &sent)
}

async fn restarted(mut stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 5, 4);
    let mut relay = stage.relay(sent.clone());
    let mut before = stage.subscribe(FIRST, Lane::Background).await?;
    let done = relay.alongside(before.receive(5)).await?;
    relay.alongside(before.take(3)).await?;
    stage.restart().await;
    drop(before);
    relay.broker = stage.broker.clone();
    let rest: Vec<Message> = sent.into_iter().filter(|message| !done.contains(message)).collect();
    let mut after = stage.subscribe(FIRST, Lane::Background).await?;
    let arrived = relay.alongside(after.receive_all(&rest)).await?;
    ensure_same(&arrived, &rest)?;
    ensure_in_order(&arrived)
}

fn messages(deliveries: Vec<Delivery>) -> Vec<Message> {
    deliveries.into_iter().map(|delivery| delivery.message).collect()
}

/// Checks that one more message of this key is the next to arrive.
async fn nothing_else(stage: &Stage, consumer: &mut Consumer, key: Uuid) -> Verdict {
    let last = [stage.message(FOR_FIRST, key, i64::MAX)];
    let arrived = stage.relay(last.clone()).alongside(consumer.receive(1)).await?;
    ensure_same(&arrived, &last)
}
