//! The timer of a slot: sends what is due, one message after the other, outside of any transaction, and commits the
//! results together.
//!
//! A slot has one timer, so of its deliveries one is in flight at a time, in whichever process. A crash between a call
//! and its commit means that the message is sent again, under the same `webhook-id`.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use events::EndpointId;
use kernel::{Timestamp, Uuid};
use service::storage::{Batch, Error};
use service::{Committed, Failure, Timer, ends, holds};

use crate::domain::{self, AttemptId, AttemptResult, Delivery, DeliveryStatus, Endpoint, Slot, SlotId};
use crate::sender::{Answer, Signed};
use crate::store::attempts::{self, NewAttempt};
use crate::store::{self, DELIVER, deliveries as queues};
use crate::{Ctx, signature};

/// Deliveries of a round at most: their results are one commit.
const ROUND_MAX: i64 = 64;

/// After this time a round begins no further call. With the wait before it and the longest call it is within the timer's
/// lease of a minute.
const ROUND_WITHIN: Duration = Duration::from_secs(10);

/// Commits of a round that may find its slot changed by what was queued meanwhile.
const DECISIONS: i64 = 50;

/// Marks slots that slept as awake, and answers with all that are there.
pub(crate) async fn begin(ctx: Ctx, timers: Vec<Timer>) -> Result<Vec<(Timer, (Slot, Endpoint))>, Failure> {
    let ids = timers.iter().map(|timer| SlotId::from(timer.key)).collect();
    let mut slots: HashMap<Uuid, Slot> =
        queues::slots(&ctx.db, ids).await?.into_iter().map(|slot| (slot.slot_id.into(), slot)).collect();
    let of: HashSet<EndpointId> = slots.values().map(|slot| slot.endpoint_id).collect();
    let endpoints: HashMap<EndpointId, Endpoint> =
        store::endpoints(&ctx.db, of.into_iter().collect()).await?.into_iter().map(|it| (it.endpoint_id, it)).collect();
    let (mut begun, mut gone) = (Vec::with_capacity(timers.len()), Vec::new());
    let (mut marks, mut marked) = (Batch::new(), Vec::new());
    for timer in timers {
        let slot = slots.remove(&timer.key);
        let endpoint = slot.as_ref().and_then(|slot| endpoints.get(&slot.endpoint_id)).cloned();
        let Some((slot, endpoint)) = slot.zip(endpoint) else {
            gone.push(timer);
            continue;
        };
        if slot.is_awake {
            begun.push((timer, (slot, endpoint)));
        } else {
            let awake = Slot { is_awake: true, ..slot };
            marks = marks.and(queues::set_slot(&awake));
            marked.push(begun.len());
            begun.push((timer, (Slot { version: awake.version.next(), ..awake }, endpoint)));
        }
    }
    if !marked.is_empty() {
        ctx.commit(marks, holds(marked.into_iter().map(|at| &begun[at].0))).await?;
    }
    if !gone.is_empty() {
        ctx.commit(Batch::new(), ends(gone)).await?;
    }
    Ok(begun)
}

/// One attempt of a round, and its delivery after it.
struct Attempted {
    before: Delivery,
    after: Delivery,
    call: Option<Call>,
}

/// A call of the endpoint.
struct Call {
    attempt_id: AttemptId,
    url: String,
    signature: String,
    at: Timestamp,
    answer: Answer,
}

/// Sends what is due in a slot.
pub(crate) async fn send_due(ctx: Ctx, timer: Timer, (slot, endpoint): (Slot, Endpoint)) -> Result<Committed, Failure> {
    let due = queues::due(&ctx.db, slot.slot_id, ctx.clock.now(), ROUND_MAX).await?;
    let is_all = i64::try_from(due.len()).is_ok_and(|rows| rows < ROUND_MAX);
    if let Some(oldest) = due.iter().map(|delivery| delivery.queued_at).min() {
        ctx.yield_to_others(oldest).await;
    }
    let (attempted, left) = attempt_all(&ctx, &endpoint, due).await;
    // What was not tried of a key whose first was is next; what was read is all unless the slot has changed since.
    let mut read = is_all.then(|| (slot.clone(), endpoint, left));
    for tries in 1..=DECISIONS {
        let (slot, endpoint, next) = if let Some((slot, endpoint, left)) = read.take() {
            (slot, endpoint, first_of_keys(&attempted, left))
        } else {
            let slots = queues::slots(&ctx.db, vec![slot.slot_id]).await?;
            let Some(slot) = slots.into_iter().next() else { return gone(&ctx, timer).await };
            let endpoint = store::endpoint(&ctx.db, slot.endpoint_id).await?;
            let Some(endpoint) = endpoint else { return gone(&ctx, timer).await };
            (slot, endpoint, next_of_keys(&ctx, &attempted).await?)
        };
        let batch = results(&ctx, &slot, &endpoint, &attempted, &next).await?;
        match ctx.commit(batch, timer.end()).await {
            Err(Error::Conflict { .. }) => ctx.between_decisions(tries).await,
            committed => return Ok(committed?),
        }
    }
    Err(Failure::retry("the slot changed each time its results were to be committed"))
}

/// The endpoint was deleted meanwhile.
async fn gone(ctx: &Ctx, timer: Timer) -> Result<Committed, Failure> {
    Ok(ctx.commit(Batch::new(), timer.cause()).await?)
}

/// Tries deliveries one after the other; behind one that is to be tried again its key waits. Answers with those that were
/// not tried, too.
async fn attempt_all(ctx: &Ctx, endpoint: &Endpoint, due: Vec<Delivery>) -> (Vec<Attempted>, Vec<Delivery>) {
    let (mut attempted, mut left, mut waiting) = (Vec::new(), Vec::new(), HashSet::new());
    let began = Instant::now();
    for delivery in due {
        if waiting.contains(&delivery.key) || began.elapsed() >= ROUND_WITHIN {
            waiting.insert(delivery.key);
            left.push(delivery);
            continue;
        }
        let done = attempt(ctx, endpoint, delivery).await;
        if done.after.status == DeliveryStatus::Queued {
            waiting.insert(done.after.key);
        }
        attempted.push(done);
    }
    (attempted, left)
}

async fn attempt(ctx: &Ctx, endpoint: &Endpoint, before: Delivery) -> Attempted {
    let at = ctx.clock.now();
    if !endpoint.takes(&before) {
        let after = before.ended(DeliveryStatus::Failed, at);
        return Attempted { before, after, call: None };
    }
    let (id, timestamp) = (before.event_id.to_string(), at.as_second());
    let signature = signature::sign(&endpoint.signing(at), &id, timestamp, &before.body);
    let body = before.body.clone();
    let message = Signed { url: &endpoint.url, id, timestamp, signature: &signature, body };
    let answer = ctx.state.sender.send(message).await;
    let now = ctx.clock.now();
    let after = match &answer.error {
        None => before.delivered(now),
        Some(_) => before.not_delivered(now, jitter(ctx)),
    };
    ctx.state.attempts.count([if answer.error.is_none() { "delivered" } else { "failed" }]);
    if after.status == DeliveryStatus::Failed {
        let (endpoint_id, delivery_id, event_id) = (before.endpoint_id, before.delivery_id, before.event_id);
        let (attempts, error) = (after.attempts, answer.error.as_deref().unwrap_or_default());
        tracing::warn!(%endpoint_id, %delivery_id, %event_id, attempts, error, "a webhook was not delivered");
    }
    let call = Call { attempt_id: ctx.ids.next(), url: endpoint.url.clone(), signature, at, answer };
    Attempted { before, after, call: Some(call) }
}

/// A random number from 0 to 1.
fn jitter(ctx: &Ctx) -> f64 {
    ctx.ids.jitter(Duration::from_secs(1)).as_secs_f64()
}

/// Of the deliveries that were not tried, the first of each key that has none before it any more.
fn first_of_keys(attempted: &[Attempted], left: Vec<Delivery>) -> Vec<Delivery> {
    let ended = keys_without_first(attempted);
    let mut seen = HashSet::new();
    left.into_iter().filter(|it| ended.contains_key(&it.key) && seen.insert(it.key)).collect()
}

/// The same as it is now in the store.
async fn next_of_keys(ctx: &Ctx, attempted: &[Attempted]) -> Result<Vec<Delivery>, Error> {
    let mut next = Vec::new();
    for (key, last) in keys_without_first(attempted) {
        next.extend(queues::next_of_key(&ctx.db, last.slot_id, key, last.place).await?);
    }
    Ok(next)
}

/// The keys whose first delivery ended, each with the last that was tried of it, if that ended too.
fn keys_without_first(attempted: &[Attempted]) -> HashMap<Uuid, &Delivery> {
    let mut last: HashMap<Uuid, &Delivery> = HashMap::new();
    for Attempted { after, .. } in attempted {
        last.insert(after.key, after);
    }
    last.retain(|_, delivery| delivery.status != DeliveryStatus::Queued);
    last
}

/// Everything that follows from a round.
async fn results(
    ctx: &Ctx,
    slot: &Slot,
    endpoint: &Endpoint,
    attempted: &[Attempted],
    next: &[Delivery],
) -> Result<Batch, Error> {
    let now = ctx.clock.now();
    let mut batch = Batch::new();
    let mut outcomes = Vec::new();
    let mut earliest: Option<Timestamp> = (!next.is_empty()).then_some(now);
    for Attempted { before, after, call } in attempted {
        batch = batch.and(queues::update(after));
        earliest = earliest.into_iter().chain(after.due_at).min();
        let Some(Call { attempt_id, url, signature, at, answer }) = call else { continue };
        let attempt_id = *attempt_id;
        batch =
            batch.and(attempts::insert(&NewAttempt { attempt_id, delivery: before, url, signature, at: *at, answer }));
        outcomes.push(AttemptResult { at: *at, error: answer.error.clone() });
    }
    for delivery in next {
        // It was queued behind another, so it had no time.
        batch = batch.and(queues::update(&Delivery { due_at: Some(now), ..delivery.clone() }));
    }
    if let Some((after, event)) = endpoint.after_attempts(&outcomes) {
        batch = batch.and(store::update(&after));
        if let Some(event) = event {
            batch = batch.emit(after.version.next(), &event);
        }
    }
    let known = attempted.iter().map(|it| it.after.delivery_id).chain(next.iter().map(|it| it.delivery_id)).collect();
    let others = queues::next_due(&ctx.db, slot.slot_id, known).await?;
    let sleep = domain::after(earliest.into_iter().chain(others).min(), now);
    batch = batch.and(queues::set_slot(&Slot { is_awake: sleep.is_awake, ..slot.clone() }));
    Ok(match sleep.due_at {
        Some(due_at) => batch.schedule(DELIVER.name, slot.slot_id, due_at),
        None => batch,
    })
}
