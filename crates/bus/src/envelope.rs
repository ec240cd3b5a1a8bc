//! What travels: CloudEvents 1.0 in binary mode, attributes beside the body.
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>

use bytes::Bytes;
use kernel::{EventId, Lane, Timestamp, TraceParent, Uuid};

/// An event on its way. On a networked broker the attributes are headers; the body is never encoded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// CloudEvents `id`.
    pub id: EventId,
    /// CloudEvents `type`.
    pub event_type: String,
    /// CloudEvents `source`: the emitting service.
    pub source: String,
    /// CloudEvents `time`: when it was committed.
    pub time: Timestamp,
    /// CloudEvents `subject`: what it is about, and what it is kept in order by.
    pub key: Uuid,
    /// How urgent it is.
    pub lane: Lane,
    /// The version of the aggregate that it tells.
    pub sequence: i64,
    /// The request from which it followed.
    pub correlation_id: Uuid,
    /// The request or event that caused it.
    pub causation_id: Uuid,
    /// W3C trace context.
    pub traceparent: Option<TraceParent>,
    /// The payload's bytes.
    pub body: Bytes,
}

/// A message that arrived at a subscription.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What arrived.
    pub message: Message,
    /// Names the delivery when it is settled.
    pub tag: Tag,
    /// The broker delivered it before, and was not told what became of it.
    pub redelivered: bool,
}

/// Names a delivery within its subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u64);

impl Tag {
    /// The tag with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}
