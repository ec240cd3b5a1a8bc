//! The stage of the cases: a broker, two consumers, and checks that state the violation.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use kernel::{Clock, Envelope, EventId, Ids, Lane, Uuid};

use super::Harness;
use super::relay::Relay;
use crate::{Broker, Delivery, Error, Gathered, Message, Settlement, Subscription, Topology};

/// The consumer of [`FOR_FIRST`], [`FOR_BOTH`] and [`URGENT`].
pub const FIRST: &str = "first";
/// The consumer of [`FOR_BOTH`] and [`URGENT`].
pub const SECOND: &str = "second";

pub const FOR_FIRST: &str = "source.thing_made.v1";
pub const FOR_BOTH: &str = "source.thing_moved.v1";
/// In the immediate lane, the others in the background.
pub const URGENT: &str = "source.thing_broke.v1";
pub const FOR_NOBODY: &str = "source.thing_seen.v1";

/// A broken promise of a broker.
#[derive(Debug)]
pub struct Violation(pub String);

pub type Verdict<T = ()> = Result<T, Violation>;

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Violation {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

pub fn ensure(condition: bool, violation: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(Violation(violation())) }
}

/// A fresh broker and what is needed to use it.
pub struct Stage {
    pub broker: Arc<dyn Broker>,
    harness: Arc<dyn Harness>,
    topology: fn() -> Topology,
    ids: Ids,
}

impl Stage {
    pub async fn new(harness: Arc<dyn Harness>, topology: fn() -> Topology) -> Self {
        Self { broker: harness.start(topology()).await, harness, topology, ids: Ids::new(Clock::system()) }
    }

    pub async fn restart(&mut self) {
        self.broker = self.harness.restart((self.topology)()).await;
    }

    /// Declares what these consumers need, and goes on with a broker for them.
    pub async fn redeclare(&mut self, topology: Topology) {
        self.broker = self.harness.redeclare(topology).await;
    }

    pub async fn subscribe(&self, consumer: &str, lane: Lane) -> Verdict<Consumer> {
        let mut subscription = Gathered::new();
        subscription.assign(&*self.broker, consumer, lane, self.broker.shards().all(lane)).await?;
        Ok(Consumer { subscription })
    }

    pub fn key(&self) -> Uuid {
        self.ids.next()
    }

    pub fn message(&self, event_type: &str, key: Uuid, sequence: i64) -> Message {
        let body = Bytes::from(format!(r#"{{"key":"{key}","sequence":{sequence}}}"#));
        let (_, lane) = in_lane(event_type);
        // Of one generator, so that later messages have greater ids.
        Message {
            envelope: Envelope { id: self.ids.next(), sequence, ..message(event_type, lane, key).envelope },
            body,
        }
    }

    /// Messages of this many keys, so many of each, the keys taking turns.
    pub fn messages(&self, event_type: &str, keys: usize, each: i64) -> Vec<Message> {
        let keys: Vec<Uuid> = (0..keys).map(|_| self.key()).collect();
        (1..=each).flat_map(|sequence| keys.iter().map(move |key| self.message(event_type, *key, sequence))).collect()
    }

    pub fn relay(&self, messages: impl IntoIterator<Item = Message>) -> Relay {
        Relay::start(self.broker.clone(), messages)
    }
}

pub fn topology() -> Topology {
    Topology::new()
        .consumer(FIRST, [FOR_FIRST, FOR_BOTH, URGENT].map(in_lane))
        .consumer(SECOND, [FOR_BOTH, URGENT].map(in_lane))
}

pub struct Consumer {
    pub subscription: Gathered,
}

impl Consumer {
    /// This many deliveries, unsettled.
    pub async fn take(&mut self, count: usize) -> Verdict<Vec<Delivery>> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.extend(self.subscription.next(count - taken.len()).await?);
        }
        Ok(taken)
    }

    /// Settles as done whatever arrives, until it has been this many.
    pub async fn receive(&mut self, count: usize) -> Verdict<Vec<Message>> {
        let mut received = Vec::with_capacity(count);
        while received.len() < count {
            received.extend(self.receive_some(count - received.len()).await?);
        }
        Ok(received)
    }

    /// Settles as done whatever arrives, until all of these have come. Answers with each message once, in the order
    /// of first sight: a redelivery is no violation.
    pub async fn receive_all(&mut self, expected: &[Message]) -> Verdict<Vec<Message>> {
        let mut missing: HashSet<EventId> = expected.iter().map(|message| message.envelope.id).collect();
        let mut received = Vec::with_capacity(expected.len());
        while !missing.is_empty() {
            let arrived = self.receive_some(missing.len()).await?;
            received.extend(arrived.into_iter().filter(|message| missing.remove(&message.envelope.id)));
        }
        Ok(received)
    }

    async fn receive_some(&mut self, max: usize) -> Verdict<Vec<Message>> {
        let arrived = self.subscription.next(max).await?;
        self.settle(&arrived, Settlement::Done).await?;
        Ok(arrived.into_iter().map(|delivery| delivery.message).collect())
    }

    pub async fn settle(&mut self, deliveries: &[Delivery], settlement: Settlement) -> Verdict {
        let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
        Ok(self.subscription.settle(&tags, settlement).await?)
    }
}

/// Checks that these messages arrived, each once and unchanged.
pub fn ensure_same(arrived: &[Message], expected: &[Message]) -> Verdict {
    let by_id = |messages: &[Message]| {
        let mut sorted = messages.to_vec();
        sorted.sort_by_key(|message| message.envelope.id);
        sorted
    };
    let (arrived, expected) = (by_id(arrived), by_id(expected));
    ensure(arrived.len() == expected.len(), || format!("{} arrived, not {}", arrived.len(), expected.len()))?;
    for (arrived, expected) in arrived.iter().zip(&expected) {
        let attributes = |message: &Message| Message { body: Bytes::new(), ..message.clone() };
        ensure(attributes(arrived) == attributes(expected), || {
            format!("{:?} was sent, {:?} arrived", attributes(expected), attributes(arrived))
        })?;
        let (sent, came) = (&expected.body, &arrived.body);
        ensure(sent == came, || format!("of {} bytes, {} came and are not the same", sent.len(), came.len()))?;
    }
    Ok(())
}

/// Checks that each key's messages are in the order of their sequence.
pub fn ensure_in_order(arrived: &[Message]) -> Verdict {
    let mut latest: HashMap<Uuid, i64> = HashMap::new();
    for message in arrived {
        let earlier = latest.insert(message.envelope.key, message.envelope.sequence);
        ensure(earlier < Some(message.envelope.sequence), || {
            format!("of key {}, {} came after {earlier:?}", message.envelope.key, message.envelope.sequence)
        })?;
    }
    Ok(())
}

pub fn in_lane(event_type: &str) -> (&str, Lane) {
    (event_type, if event_type == URGENT { Lane::Immediate } else { Lane::Background })
}

/// An event as its source would emit it, with new ids and the body `{}`. The source stands before the first dot of its
/// type.
pub fn message(event_type: &str, lane: Lane, key: Uuid) -> Message {
    let source = event_type.split('.').next().unwrap_or_default().to_owned();
    let clock = Clock::system();
    let ids = Ids::new(clock.clone());
    let envelope = Envelope {
        id: ids.next(),
        event_type: event_type.to_owned(),
        source,
        key,
        sequence: 1,
        lane,
        time: clock.now(),
        correlation_id: ids.next(),
        causation_id: ids.next(),
        traceparent: None,
    };
    Message { envelope, body: Bytes::from_static(b"{}") }
}
