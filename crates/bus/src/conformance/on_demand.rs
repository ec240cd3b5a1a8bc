//! Types that a consumer receives only while it wants them: [`Broker::bind`](crate::Broker::bind).

use std::collections::BTreeSet;

use futures_util::FutureExt;
use kernel::Lane;

use super::Case;
use super::stage::{FIRST, FOR_BOTH, FOR_FIRST, SECOND, Stage, URGENT, Verdict, ensure, ensure_same, in_lane};
use crate::{PublishResult, Settlement, Subscription, Topology, Wanted};

pub const CASES: &[Case] = &[
    Case::new("a type on demand arrives while it is wanted, and is stored while nobody wants it", |stage| {
        wanted(stage).boxed()
    }),
    Case::new("what is bound under a generation stays when another is removed, however late", |stage| {
        generations(stage).boxed()
    }),
    Case::new("what was always received is generation zero", |stage| was_always_received(stage).boxed()),
    Case::new("nothing is missed that is published after it was bound", |stage| none_missed(stage).boxed()),
];

/// Events of each attempt: enough for some in each shard.
const EVENTS: u64 = 10;

/// [`SECOND`] reacts to three types on demand, to one of which [`FIRST`] reacts always.
pub fn topology() -> Topology {
    Topology::new()
        .consumer(FIRST, [FOR_BOTH].map(in_lane))
        .consumer(SECOND, [FOR_FIRST, FOR_BOTH, URGENT].map(in_lane))
        .on_demand(SECOND, [FOR_FIRST, FOR_BOTH, URGENT])
}

async fn wanted(stage: Stage) -> Verdict {
    for event_type in [FOR_BOTH, FOR_FIRST, URGENT] {
        ensure_arriving(&stage, event_type, 0).await?;
    }
    bind(&stage, 1, &[FOR_FIRST]).await?;
    bind(&stage, 1, &[URGENT]).await?;
    ensure_arriving(&stage, FOR_FIRST, EVENTS).await?;
    ensure_arriving(&stage, URGENT, EVENTS).await?;
    ensure_arriving(&stage, FOR_BOTH, 0).await
}

async fn generations(stage: Stage) -> Verdict {
    bind(&stage, 1, &[FOR_FIRST, FOR_BOTH]).await?;
    bind(&stage, 2, &[FOR_FIRST]).await?;
    // Once, though it is bound twice.
    ensure_arriving(&stage, FOR_FIRST, EVENTS).await?;
    stage.broker.unbind(SECOND, 1).await?;
    ensure_arriving(&stage, FOR_FIRST, EVENTS).await?;
    ensure_arriving(&stage, FOR_BOTH, 0).await?;
    stage.broker.unbind(SECOND, 1).await?;
    ensure_arriving(&stage, FOR_FIRST, EVENTS).await?;
    stage.broker.unbind(SECOND, 2).await?;
    ensure_arriving(&stage, FOR_FIRST, 0).await
}

async fn was_always_received(mut stage: Stage) -> Verdict {
    // An earlier version of the consumer, which received all of it.
    let always = Topology::new().consumer(SECOND, [FOR_FIRST, FOR_BOTH].map(in_lane));
    stage.redeclare(always).await;
    stage.redeclare(topology()).await;
    bind(&stage, 1, &[FOR_BOTH]).await?;
    ensure_arriving(&stage, FOR_FIRST, EVENTS).await?;
    stage.broker.unbind(SECOND, 0).await?;
    ensure_arriving(&stage, FOR_FIRST, 0).await?;
    ensure_arriving(&stage, FOR_BOTH, EVENTS).await
}

async fn none_missed(stage: Stage) -> Verdict {
    let mut consumer = stage.subscribe(SECOND, Lane::Background).await?;
    for generation in 1..=20 {
        bind(&stage, generation, &[FOR_FIRST]).await?;
        let sent = stage.message(FOR_FIRST, stage.key(), generation);
        ensure_stored(&stage, sent.clone()).await?;
        let arrived = consumer.take(1).await?;
        consumer.settle(&arrived, Settlement::Done).await?;
        ensure_same(&[arrived[0].message.clone()], &[sent])?;
        stage.broker.unbind(SECOND, generation).await?;
        ensure_stored(&stage, stage.message(FOR_FIRST, stage.key(), generation)).await?;
    }
    let waiting = stage.broker.waiting(SECOND).await?;
    ensure(waiting == 0, || format!("{waiting} events wait that nobody wanted"))?;
    ensure(consumer.subscription.next(1).now_or_never().is_none(), || "an event came that nobody wanted".to_owned())
}

async fn bind(stage: &Stage, generation: i64, types: &[&str]) -> Verdict {
    let types: BTreeSet<String> = types.iter().map(|event_type| (*event_type).to_owned()).collect();
    Ok(stage.broker.bind(SECOND, Wanted { generation, types }).await?)
}

async fn ensure_stored(stage: &Stage, message: crate::Message) -> Verdict {
    for destination in stage.broker.destinations(&message.envelope.event_type) {
        let outcome = stage.broker.publish(&destination, message.clone()).await;
        ensure(outcome == PublishResult::Stored, || {
            format!("{outcome:?} is the result of {}", message.envelope.event_type)
        })?;
    }
    Ok(())
}

/// Publishes events of a type, and checks the number that reached the consumer.
async fn ensure_arriving(stage: &Stage, event_type: &str, expected: u64) -> Verdict {
    let before = stage.broker.waiting(SECOND).await?;
    for sequence in 1..=EVENTS {
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        ensure_stored(stage, stage.message(event_type, stage.key(), sequence)).await?;
    }
    let arrived = stage.broker.waiting(SECOND).await? - before;
    ensure(arrived == expected, || format!("{arrived} of {event_type} reached the consumer, not {expected}"))
}
