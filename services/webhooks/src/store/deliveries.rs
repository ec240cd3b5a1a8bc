//! Slots and deliveries.

use std::collections::HashSet;

use events::EndpointId;
use kernel::{Timestamp, Uuid, Version};
use service::storage::{Batch, Db, Error, Row, Value, params};

use super::{
    ALL_DELIVERIES, DELETE_DELIVERY, DELETE_SLOT, DELIVER, DELIVERY, DUE_KEYS, ENDED_DELIVERIES, INSERT_DELIVERY,
    NEXT_DUE, NEXT_OF_KEY, NTH_END, OLD_DELIVERIES, QUEUED_OF_KEYS, SET_DELIVERY, SET_SLOT, SLOTS_BY_ID,
    SLOTS_OF_ENDPOINTS, TAKEN_KEYS,
};
use crate::domain::{Delivery, DeliveryId, Queue, Slot, SlotId, TEST_EVENT};

/// Keys of a slot that are looked at in one round.
const KEYS_MAX: i64 = 32;

/// A delivery by its id, at a version.
pub(crate) type DeliveryVersion = (DeliveryId, Version);

pub(crate) async fn slots(db: &Db, ids: Vec<SlotId>) -> Result<Vec<Slot>, Error> {
    db.query(&SLOTS_BY_ID, params![ids], slot_of_row).await
}

pub(crate) async fn slots_of(db: &Db, endpoints: Vec<EndpointId>) -> Result<Vec<Slot>, Error> {
    db.query(&SLOTS_OF_ENDPOINTS, params![endpoints], slot_of_row).await
}

/// The queues of these endpoints, as far as these keys are concerned.
pub(crate) async fn queue(db: &Db, endpoints: Vec<EndpointId>, keys: Vec<Uuid>) -> Result<Queue, Error> {
    // The slots first: what is added to a queue after this read counts up their versions.
    let slots = slots_of(db, endpoints).await?;
    let ids: Vec<SlotId> = slots.iter().map(|slot| slot.slot_id).collect();
    let taken = db.query(&TAKEN_KEYS, params![ids, keys], |row| Ok((row.get("slot_id")?, row.get("key")?))).await?;
    Ok(Queue::new(slots, taken.into_iter().collect::<HashSet<_>>()))
}

/// Writes what was added to queues, and wakes the slots that sleep.
pub(crate) fn set_queue(queue: Queue, now: Timestamp) -> Batch {
    queue.changed().into_iter().fold(Batch::new(), |batch, (slot, is_woken)| {
        let batch = batch.and(set_slot(&slot));
        if is_woken { batch.schedule(DELIVER.name, slot.slot_id, now) } else { batch }
    })
}

/// Writes a slot, guarded by the version on which it was decided.
pub(crate) fn set_slot(slot: &Slot) -> Batch {
    Batch::new().change(&SET_SLOT, slot.version, params![slot.slot_id, slot.next_place, slot.is_awake])
}

/// Removes a slot and its timer.
pub(crate) fn delete_slot(slot: &Slot) -> Batch {
    let batch = Batch::new().change(&DELETE_SLOT, slot.version, params![slot.slot_id]);
    batch.unschedule(DELIVER.name, slot.slot_id)
}

/// The deliveries of the keys that are due in a slot, in their order, at most `rows`.
pub(crate) async fn due(db: &Db, slot_id: SlotId, now: Timestamp, rows: i64) -> Result<Vec<Delivery>, Error> {
    let keys: Vec<Uuid> = db.query(&DUE_KEYS, params![slot_id, now, KEYS_MAX], |row| row.get("key")).await?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    db.query(&QUEUED_OF_KEYS, params![slot_id, keys, rows], delivery_of).await
}

/// The first delivery of a key behind a place.
pub(crate) async fn next_of_key(db: &Db, slot_id: SlotId, key: Uuid, place: i64) -> Result<Option<Delivery>, Error> {
    db.query_one(&NEXT_OF_KEY, params![slot_id, key, place], delivery_of).await
}

/// The time at which the next delivery of a slot is due, those aside.
pub(crate) async fn next_due(db: &Db, slot_id: SlotId, without: Vec<DeliveryId>) -> Result<Option<Timestamp>, Error> {
    db.query_one(&NEXT_DUE, params![slot_id, without], |row| row.get("due_at")).await
}

pub(crate) async fn delivery(db: &Db, delivery_id: DeliveryId) -> Result<Option<Delivery>, Error> {
    db.query_one(&DELIVERY, params![delivery_id], delivery_of).await
}

/// Deliveries that ended, with ids between these, the oldest first. Tests are none.
pub(crate) async fn ended(
    db: &Db,
    endpoint_id: EndpointId,
    (after, until): (Uuid, Uuid),
    rows: i64,
) -> Result<Vec<Delivery>, Error> {
    db.query(&ENDED_DELIVERIES, params![endpoint_id, after, until, TEST_EVENT, rows], delivery_of).await
}

/// A new delivery.
pub(crate) fn insert(delivery: &Delivery) -> Batch {
    let row = params![
        delivery.delivery_id,
        delivery.endpoint_id,
        delivery.slot_id,
        delivery.key,
        delivery.place,
        delivery.event_id,
        &delivery.event_type,
        &delivery.body,
        delivery.status.as_str(),
        delivery.attempts,
        delivery.due_at,
        delivery.queued_at,
        delivery.ended_at,
        delivery.version,
    ];
    Batch::new().insert(&INSERT_DELIVERY, row)
}

/// Writes a change of a delivery, guarded by the version on which it was decided.
pub(crate) fn update(delivery: &Delivery) -> Batch {
    let row: Vec<Value> = params![
        delivery.delivery_id,
        delivery.slot_id,
        delivery.place,
        delivery.status.as_str(),
        delivery.attempts,
        delivery.due_at,
        delivery.queued_at,
        delivery.ended_at,
    ];
    Batch::new().change(&SET_DELIVERY, delivery.version, row)
}

/// Deliveries that ended until a time, at most `rows`.
pub(crate) async fn old(
    db: &Db,
    endpoint_id: EndpointId,
    until: Timestamp,
    rows: i64,
) -> Result<Vec<DeliveryVersion>, Error> {
    db.query(&OLD_DELIVERIES, params![endpoint_id, until, rows], version_of).await
}

/// Deliveries of an endpoint in whatever status, at most `rows`.
pub(crate) async fn any(db: &Db, endpoint_id: EndpointId, rows: i64) -> Result<Vec<DeliveryVersion>, Error> {
    db.query(&ALL_DELIVERIES, params![endpoint_id, rows], version_of).await
}

/// The end of the delivery behind the newest `n` that ended, if there are more.
pub(crate) async fn nth_end(db: &Db, endpoint_id: EndpointId, n: i64) -> Result<Option<Timestamp>, Error> {
    db.query_one(&NTH_END, params![endpoint_id, n], |row| row.get("ended_at")).await
}

pub(crate) fn delete((delivery_id, version): DeliveryVersion) -> Batch {
    Batch::new().change(&DELETE_DELIVERY, version, params![delivery_id])
}

fn version_of(row: &Row<'_>) -> Result<DeliveryVersion, Error> {
    Ok((row.get("delivery_id")?, row.get("version")?))
}

fn slot_of_row(row: &Row<'_>) -> Result<Slot, Error> {
    Ok(Slot {
        slot_id: row.get("slot_id")?,
        endpoint_id: row.get("endpoint_id")?,
        number: row.get("number")?,
        next_place: row.get("next_place")?,
        is_awake: row.get("is_awake")?,
        version: row.get("version")?,
    })
}

fn delivery_of(row: &Row<'_>) -> Result<Delivery, Error> {
    Ok(Delivery {
        delivery_id: row.get("delivery_id")?,
        endpoint_id: row.get("endpoint_id")?,
        slot_id: row.get("slot_id")?,
        key: row.get("key")?,
        place: row.get("place")?,
        event_id: row.get("event_id")?,
        event_type: row.get("event_type")?,
        body: row.get("body")?,
        status: row.parse("status")?,
        attempts: row.get("attempts")?,
        due_at: row.get("due_at")?,
        queued_at: row.get("queued_at")?,
        ended_at: row.get("ended_at")?,
        version: row.get("version")?,
    })
}
