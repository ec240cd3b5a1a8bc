//! The queues, and the events that are routed to each.

use std::collections::{BTreeMap, BTreeSet};

use bus::Topology;
use kernel::{Lane, Shards};
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::ConfigError;

/// The exchange to which every event is published.
pub(crate) const EXCHANGE: &str = "tradepost.events";

/// Deliveries after which the broker dead-letters a message. It is far more than any outage causes, for what the
/// consumer can't handle is parked in its store; this only ends what keeps a consumer from its store for ever.
pub(crate) const DELIVERIES_MAX: i32 = 10_000;

/// A queue, and the routing keys that lead to it.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub name: ShortString,
    pub keys: Vec<ShortString>,
    /// Routing keys of what its consumer receives in another lane: they led here while a type had this lane.
    pub former_keys: Vec<ShortString>,
    pub arguments: FieldTable,
    /// An exchange of its own that leads to it alone.
    pub own_exchange: Option<ShortString>,
}

/// Every consumer's queues.
#[derive(Debug)]
pub(crate) struct Layout {
    shards: Shards,
    consumers: BTreeMap<String, Consumer>,
    /// Types to which somebody reacts.
    wanted: BTreeSet<String>,
}

#[derive(Debug)]
struct Consumer {
    /// By lane and shard.
    queues: BTreeMap<(Lane, u16), Queue>,
    /// The queue of messages that the broker dead-lettered.
    dead: Queue,
}

impl Layout {
    pub fn new(topology: &Topology, shards: Shards) -> Result<Self, ConfigError> {
        let mut layout = Self { shards, consumers: BTreeMap::new(), wanted: BTreeSet::new() };
        for name in topology.consumers() {
            let dead = Queue {
                name: short(&format!("tradepost.{name}.dead"))?,
                keys: Vec::new(),
                former_keys: Vec::new(),
                arguments: table([("x-queue-type", text("quorum"))]),
                own_exchange: Some(short(&format!("tradepost.{name}.dead"))?),
            };
            let mut queues = BTreeMap::new();
            for lane in Lane::ALL {
                for shard in shards.all(lane) {
                    queues.insert((lane, shard), queue(topology, name, lane, shard, &dead)?);
                }
            }
            layout.consumers.insert(name.to_owned(), Consumer { queues, dead });
            layout.wanted.extend(topology.types_of(name).map(|(event_type, _)| event_type.to_owned()));
        }
        Ok(layout)
    }

    pub fn shards(&self) -> Shards {
        self.shards
    }

    /// True if anybody reacts to this type.
    pub fn is_wanted(&self, event_type: &str) -> bool {
        self.wanted.contains(event_type)
    }

    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.consumers.keys().map(String::as_str)
    }

    pub fn queue(&self, consumer: &str, lane: Lane, shard: u16) -> Option<&Queue> {
        self.consumers.get(consumer)?.queues.get(&(lane, shard))
    }

    pub fn dead(&self, consumer: &str) -> Option<&Queue> {
        self.consumers.get(consumer).map(|it| &it.dead)
    }

    /// All queues of a consumer, that of dead-lettered messages first: others refer to it.
    pub fn queues_of(&self, consumer: &str) -> impl Iterator<Item = &Queue> {
        self.consumers.get(consumer).into_iter().flat_map(|it| std::iter::once(&it.dead).chain(it.queues.values()))
    }

    /// The routing key of an event.
    pub fn key(&self, event_type: &str, lane: Lane, key: kernel::Uuid) -> Option<ShortString> {
        ShortString::try_new(routing_key(event_type, self.shards.of(lane, key))).ok()
    }
}

fn queue(topology: &Topology, consumer: &str, lane: Lane, shard: u16, dead: &Queue) -> Result<Queue, ConfigError> {
    let (mut keys, mut former_keys) = (Vec::new(), Vec::new());
    for (event_type, of_type) in topology.types_of(consumer) {
        let key = short(&routing_key(event_type, shard))?;
        if of_type == lane { keys.push(key) } else { former_keys.push(key) }
    }
    let name = short(&format!("tradepost.{consumer}.{lane}.{shard}"))?;
    Ok(Queue { name, keys, former_keys, arguments: arguments(dead), own_exchange: None })
}

fn arguments(dead: &Queue) -> FieldTable {
    table([
        ("x-queue-type", text("quorum")),
        // Who takes over begins when whoever had the shard is gone.
        ("x-single-active-consumer", AMQPValue::Boolean(true)),
        ("x-delivery-limit", AMQPValue::LongInt(DELIVERIES_MAX)),
        // Not the default exchange: whoever may write to that may write to every queue.
        ("x-dead-letter-exchange", text(dead.name.as_str())),
        // A dead-lettered message stays until the other queue has it, which the broker does only if a full queue
        // refuses.
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

fn routing_key(event_type: &str, shard: u16) -> String {
    format!("{event_type}.{shard}")
}

fn short(name: &str) -> Result<ShortString, ConfigError> {
    ShortString::try_new(name).map_err(|_| ConfigError::NameTooLong { name: name.to_owned() })
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

pub(crate) fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(ShortString::from(name), value);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology() -> Topology {
        Topology::new()
            .consumer("first", [("source.thing_broke.v1", Lane::Immediate), ("source.thing_made.v1", Lane::Background)])
    }

    #[test]
    fn a_queue_is_bound_to_the_types_of_its_lane_in_its_shard() {
        let layout = Layout::new(&topology(), Shards::new(2).unwrap()).unwrap();
        let queues: Vec<String> = layout
            .queues_of("first")
            .map(|queue| {
                let keys: Vec<_> = queue.keys.iter().map(ShortString::as_str).collect();
                format!("{} {}", queue.name, keys.join(","))
            })
            .collect();
        assert_eq!(
            queues,
            [
                "tradepost.first.dead ",
                "tradepost.first.immediate.0 source.thing_broke.v1.0",
                "tradepost.first.background.0 source.thing_made.v1.0",
                "tradepost.first.background.1 source.thing_made.v1.1",
            ]
        );
        assert!(layout.is_wanted("source.thing_made.v1") && !layout.is_wanted("source.thing_seen.v1"));
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        let long = Topology::new().consumer::<&str>(&"x".repeat(250), []);
        assert!(matches!(Layout::new(&long, Shards::ONE), Err(ConfigError::NameTooLong { .. })));
    }
}
