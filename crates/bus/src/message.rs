//! Messages: an envelope and a body.

use bytes::Bytes;
use kernel::Envelope;

/// An event in flight. On a networked broker the envelope's attributes are headers; the body is never encoded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its attributes; see [`cloud_events`](crate::cloud_events).
    pub envelope: Envelope,
    /// The payload's bytes.
    pub body: Bytes,
}

/// A message that arrived at a subscription.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// Names the delivery when it is settled.
    pub tag: Tag,
    /// The broker delivered it before, and it was not settled.
    pub redelivered: bool,
    /// The reason why it is no message of Tradepost, if it is none. Fields that could not be read are made up then;
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
