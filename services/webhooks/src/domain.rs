//! Endpoints, and the deliveries that wait for them.
//!
//! A delivery is queued → delivered or failed. The deliveries of one key follow one another; keys are spread over the
//! [`SLOTS`] of an endpoint, and of each slot one attempt at a time is in flight.

mod delivery;
mod endpoint;
mod queue;
mod subscription;

pub(crate) use delivery::{AttemptId, Delivery, DeliveryId, DeliveryStatus, KEPT_FOR, TEST_EVENT};
pub(crate) use endpoint::{AttemptResult, Change, Disabled, Endpoint, NewEndpoint, Secret};
pub(crate) use queue::{Queue, SLOTS, Slot, SlotId, after};
pub(crate) use subscription::{check, is_sent, matches};

#[cfg(test)]
mod tests;
