//! Order where it is promised, and independence everywhere else.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::try_join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use kernel::Lane;
use tokio::task::JoinSet;

use super::Case;
use super::stage::{
    FIRST, FOR_BOTH, FOR_FIRST, SECOND, Stage, URGENT, Verdict, Violation, ensure, ensure_in_order, ensure_same,
};
use crate::{PublishResult, Publishing, Settlement, Subscription};

pub const CASES: &[Case] = &[
    Case::new("each key keeps its order", |stage| order_per_key(stage).boxed()),
    Case::new("each key keeps its order while deliveries are requeued", |stage| order_despite_requeues(stage).boxed()),
    Case::new("a lane that is stuck delays no other", |stage| lanes(stage).boxed()),
    Case::new("a slow consumer delays nobody", |stage| slow_consumer(stage).boxed()),
    Case::new("a full queue refuses, its other lane does not, and it recovers", |stage| full_queue(stage).boxed())
        .only_if(|promises| promises.bounded_queues),
    Case::new("a thousand messages of four publishers arrive once each", |stage| in_parallel(stage).boxed()),
];

/// More than any bounded queue holds.
const FILL_MAX: usize = 100_000;

/// Messages that are published before the suite looks for refusals, and how long it looks.
const FILL_ROUND: (usize, Duration) = (1_024, Duration::from_millis(200));

async fn order_per_key(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 100, 20);
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay(sent.clone());
    let arrived = relay.alongside(consumer.receive(sent.len())).await?;
    ensure_same(&arrived, &sent)?;
    ensure_in_order(&arrived)?;
    relay.run().await
}

async fn order_despite_requeues(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_FIRST, 10, 10);
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay(sent.clone());
    let work = async {
        let mut arrived = Vec::new();
        let mut window = 0;
        while arrived.len() < sent.len() {
            let deliveries = consumer.subscription.next(7).await?;
            window += 1;
            // A whole window is requeued, as when the consumer's store is unavailable: nothing of it has had an effect.
            let settlement = if window % 3 == 0 { Settlement::Requeue } else { Settlement::Done };
            consumer.settle(&deliveries, settlement).await?;
            if settlement == Settlement::Done {
                arrived.extend(deliveries.into_iter().map(|delivery| delivery.message));
            }
        }
        Ok(arrived)
    };
    let arrived = relay.alongside(work).await?;
    ensure_same(&arrived, &sent)?;
    ensure_in_order(&arrived)?;
    relay.run().await
}

async fn lanes(stage: Stage) -> Verdict {
    let stuck = stage.messages(FOR_FIRST, 500, 2);
    let urgent = stage.messages(URGENT, 20, 5);
    let mut background = stage.subscribe(FIRST, Lane::Background).await?;
    let mut immediate = stage.subscribe(FIRST, Lane::Immediate).await?;
    let mut relay = stage.relay(stuck.iter().chain(&urgent).cloned());
    let unsettled = relay.alongside(background.take(100)).await?;
    let arrived = relay.alongside(immediate.receive(urgent.len())).await?;
    ensure_same(&arrived, &urgent)?;
    ensure_in_order(&arrived)?;
    background.settle(&unsettled, Settlement::Done).await?;
    let rest = relay.alongside(background.receive(stuck.len() - unsettled.len())).await?;
    let arrived: Vec<_> = unsettled.into_iter().map(|delivery| delivery.message).chain(rest).collect();
    ensure_same(&arrived, &stuck)
}

async fn slow_consumer(stage: Stage) -> Verdict {
    let sent = stage.messages(FOR_BOTH, 50, 10);
    let mut slow = stage.subscribe(SECOND, Lane::Background).await?;
    let mut quick = stage.subscribe(FIRST, Lane::Background).await?;
    let mut relay = stage.relay(sent.clone());
    let unsettled = relay.alongside(slow.take(50)).await?;
    let arrived = relay.alongside(quick.receive(sent.len())).await?;
    ensure_same(&arrived, &sent)?;
    slow.settle(&unsettled, Settlement::Done).await?;
    relay.alongside(slow.receive(sent.len() - unsettled.len())).await?;
    relay.run().await
}

async fn full_queue(stage: Stage) -> Verdict {
    let (accepted, unconfirmed) = fill(&stage).await?;
    let urgent = stage.messages(URGENT, 5, 1);
    let mut immediate = stage.subscribe(FIRST, Lane::Immediate).await?;
    let arrived = stage.relay(urgent.clone()).alongside(immediate.receive(urgent.len())).await?;
    ensure_same(&arrived, &urgent)?;

    let mut background = stage.subscribe(FIRST, Lane::Background).await?;
    let confirmed = unconfirmed.collect::<Vec<_>>().map(Ok);
    let (_, outcomes) = try_join(background.receive(accepted), confirmed).await?;
    ensure(outcomes.iter().all(|outcome| *outcome == PublishResult::Stored), || "what it accepted is lost".to_owned())?;
    let more = stage.messages(FOR_FIRST, 5, 1);
    let arrived = stage.relay(more.clone()).alongside(background.receive(more.len())).await?;
    ensure_same(&arrived, &more)
}

/// Publishes until something is refused. Answers with how many were not, and those that are yet unconfirmed.
async fn fill(stage: &Stage) -> Verdict<(usize, FuturesUnordered<Publishing>)> {
    let mut unconfirmed = FuturesUnordered::new();
    let mut accepted = 0;
    while accepted < FILL_MAX {
        let (round, look) = FILL_ROUND;
        let mut refused = 0;
        for message in stage.messages(FOR_FIRST, round, 1) {
            for destination in stage.broker.destinations(FOR_FIRST) {
                unconfirmed.push(stage.broker.publish(&destination, message.clone()));
            }
        }
        while let Ok(Some(outcome)) = tokio::time::timeout(look, unconfirmed.next()).await {
            match outcome {
                PublishResult::Stored => {}
                PublishResult::Refused { .. } => refused += 1,
                PublishResult::Unroutable | PublishResult::Unknown { .. } => {
                    return Err(Violation(format!("it says {outcome:?}")));
                }
            }
        }
        // A refusal may be of an earlier round, where the machine is busy.
        accepted = accepted + round - refused;
        if refused > 0 {
            return Ok((accepted, unconfirmed));
        }
    }
    Err(Violation(format!("it accepts {FILL_MAX} and more")))
}

async fn in_parallel(stage: Stage) -> Verdict {
    let batches: Vec<_> = (0..4).map(|_| stage.messages(FOR_FIRST, 25, 10)).collect();
    let mut consumer = stage.subscribe(FIRST, Lane::Background).await?;
    let mut publishers = JoinSet::new();
    for batch in &batches {
        let mut relay = stage.relay(batch.clone());
        publishers.spawn(async move { relay.run().await });
    }
    let sent = batches.concat();
    let arrived = consumer.receive(sent.len()).await?;
    for finished in publishers.join_all().await {
        finished?;
    }
    ensure_same(&arrived, &sent)?;
    ensure_in_order(&arrived)
}
