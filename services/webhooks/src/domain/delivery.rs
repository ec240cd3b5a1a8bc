//! One event for one endpoint.

use events::EndpointId;
use kernel::{EventId, SignedDuration, Timestamp, Uuid, Version};

use crate::domain::queue::SlotId;

kernel::id!(DeliveryId, DeliveryKind, "One event that is to be sent to one endpoint.");
kernel::id!(AttemptId, AttemptKind, "One call of an endpoint.");

/// The time for which a delivery is tried.
pub(crate) const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The time for which a delivery is kept after its end, with its attempts.
pub(crate) const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The type of the events by which an endpoint is tested: none of a service, tried once.
pub(crate) const TEST_EVENT: &str = "webhooks.test.v1";

/// The wait after the first, the second, … failure, in seconds. From the last on it stays.
const WAITS_S: [i64; 7] = [5, 30, 2 * 60, 10 * 60, 30 * 60, 60 * 60, 2 * 60 * 60];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryStatus {
    Queued,
    /// The endpoint took it.
    Delivered,
    /// It was tried for long enough, or its endpoint was disabled.
    Failed,
}

kernel::named!(DeliveryStatus { Queued = "queued", Delivered = "delivered", Failed = "failed" });

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub delivery_id: DeliveryId,
    pub endpoint_id: EndpointId,
    pub slot_id: SlotId,
    pub key: Uuid,
    /// Its place in the slot.
    pub place: i64,
    pub event_id: EventId,
    pub event_type: String,
    /// As it is signed and sent.
    pub body: String,
    pub status: DeliveryStatus,
    /// Attempts since it was queued.
    pub attempts: i64,
    /// Of a key that has any in the queue, the first has one.
    pub due_at: Option<Timestamp>,
    pub queued_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

impl Delivery {
    pub fn is_test(&self) -> bool {
        self.event_type == TEST_EVENT
    }

    /// It ended without a further attempt.
    pub fn ended(&self, status: DeliveryStatus, now: Timestamp) -> Self {
        Self { status, due_at: None, ended_at: Some(now), ..self.clone() }
    }

    /// The endpoint took it.
    pub fn delivered(&self, now: Timestamp) -> Self {
        Self { attempts: self.attempts + 1, ..self.ended(DeliveryStatus::Delivered, now) }
    }

    /// An attempt failed: it is tried again, for a day. `jitter` is from 0 to 1, so that what failed together isn't tried
    /// together.
    pub fn not_delivered(&self, now: Timestamp, jitter: f64) -> Self {
        let attempts = self.attempts + 1;
        let tried_until = self.queued_at + TRIED_FOR;
        if self.is_test() || now >= tried_until {
            return Self { attempts, ..self.ended(DeliveryStatus::Failed, now) };
        }
        Self { attempts, due_at: Some((now + wait(attempts, jitter)).min(tried_until)), ..self.clone() }
    }
}

/// The wait after so many failures: as the schedule says, and up to a fifth longer.
fn wait(attempts: i64, jitter: f64) -> SignedDuration {
    let nth = usize::try_from(attempts - 1).unwrap_or_default().min(WAITS_S.len() - 1);
    let wait = SignedDuration::from_secs(WAITS_S[nth]);
    wait + SignedDuration::from_secs_f64(wait.as_secs_f64() * jitter / 5.0)
}
