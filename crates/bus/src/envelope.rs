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
    /// Why it is no message that Tradepost sends, if it is none. What could not be read of it is made up then;
    /// the body is as it came.
    pub defect: Option<String>,
}

/// Names a delivery within its consumer and lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag {
    shard: u16,
    number: u64,
}

impl Tag {
    /// The tag with this number in the subscription of a shard.
    pub const fn new(shard: u16, number: u64) -> Self {
        Self { shard, number }
    }

    /// The shard whose subscription it came by.
    pub const fn shard(self) -> u16 {
        self.shard
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.number
    }
}
