//! The order of deliveries: by key, in the slots of an endpoint.

use std::collections::{HashMap, HashSet};

use events::EndpointId;
use kernel::{Timestamp, Uuid, Version};

use crate::domain::delivery::{Delivery, DeliveryStatus};

kernel::id!(SlotId, SlotKind, "A slot of an endpoint: an attempt at a time.");

/// Slots of an endpoint: attempts at it that are in flight at most.
pub(crate) const SLOTS: usize = 8;

/// The slot of a key, which never changes.
pub(crate) fn slot_of(key: Uuid) -> i64 {
    let slots = u64::try_from(SLOTS).expect("it is a small number");
    i64::try_from(kernel::fnv1a(key.as_bytes()) % slots).expect("it is less than the number of slots")
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub slot_id: SlotId,
    pub endpoint_id: EndpointId,
    pub number: i64,
    /// The place of the next delivery.
    pub next_place: i64,
    /// True if its timer is due or handled, and will look for deliveries before it sleeps.
    pub is_awake: bool,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// Slots to which deliveries are added, and what is in their queues.
#[derive(Debug)]
pub(crate) struct Queue {
    slots: HashMap<(EndpointId, i64), Slot>,
    /// Slots that were changed, and those of them that are to be woken.
    changed: HashMap<(EndpointId, i64), bool>,
    /// Keys of which something is in the queue.
    taken: HashSet<(SlotId, Uuid)>,
}

/// The place of a delivery in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub slot_id: SlotId,
    pub place: i64,
    /// `None` if another of its key is before it.
    pub due_at: Option<Timestamp>,
}

impl Queue {
    pub fn new(slots: Vec<Slot>, taken: HashSet<(SlotId, Uuid)>) -> Self {
        let slots = slots.into_iter().map(|slot| ((slot.endpoint_id, slot.number), slot)).collect();
        Self { slots, changed: HashMap::new(), taken }
    }

    /// The next place behind all that is there. `None` if the endpoint was deleted.
    pub fn add(&mut self, endpoint_id: EndpointId, key: Uuid, now: Timestamp) -> Option<Place> {
        let at = (endpoint_id, slot_of(key));
        let slot = self.slots.get_mut(&at)?;
        let place = slot.next_place;
        slot.next_place += 1;
        let is_woken = !slot.is_awake;
        slot.is_awake = true;
        *self.changed.entry(at).or_default() |= is_woken;
        let is_first = self.taken.insert((slot.slot_id, key));
        Some(Place { slot_id: slot.slot_id, place, due_at: is_first.then_some(now) })
    }

    /// The slots as they are to be written, and true for those that are to be woken.
    pub fn changed(self) -> Vec<(Slot, bool)> {
        let Self { mut slots, changed, .. } = self;
        changed.into_iter().filter_map(|(at, is_woken)| Some((slots.remove(&at)?, is_woken))).collect()
    }
}

impl Delivery {
    /// The same in a queue, to be sent again under its event's id.
    pub fn queued_again(&self, place: Place, now: Timestamp) -> Self {
        Self {
            slot_id: place.slot_id,
            place: place.place,
            status: DeliveryStatus::Queued,
            attempts: 0,
            due_at: place.due_at,
            queued_at: now,
            ended_at: None,
            ..self.clone()
        }
    }
}

/// The sleep of a slot after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After {
    pub is_awake: bool,
    /// The time at which its timer is due, if it has one.
    pub due_at: Option<Timestamp>,
}

/// The next look at a slot whose earliest delivery is due at `next`. A slot that has something due stays awake, so that
/// nobody else sets its timer.
pub(crate) fn after(next: Option<Timestamp>, now: Timestamp) -> After {
    After { is_awake: next.is_some_and(|due_at| due_at <= now), due_at: next }
}
