//! The queues, and the events that are routed to each.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Topology, Wanted};
use kernel::{Lane, Shards};
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::ConfigError;

/// The exchange to which every event is published.
pub(crate) const EXCHANGE: &str = "tradepost.events";

/// Deliveries after which the broker dead-letters a message. It is far more than any outage causes, for what the
/// consumer can't handle is parked in its store; this only ends what keeps a consumer from its store for ever.
pub(crate) const DELIVERIES_MAX: i32 = 10_000;

/// The argument of a binding that is its generation. It routes nothing, and makes bindings of one queue and routing key
/// differ, so that each is removed alone.
const GENERATION: &str = "tradepost-generation";

/// A queue, and the routing keys that lead to it.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub name: ShortString,
    pub keys: Vec<ShortString>,
    /// Types that lead to it only while its consumer wants them, with their routing keys.
    pub on_demand: Vec<(String, ShortString)>,
    /// Routing keys of types on demand that have another lane: they led here while a type had this lane.
    pub former_on_demand: Vec<ShortString>,
    /// Routing keys of what its consumer receives in another lane: they led here while a type had this lane.
    pub former_keys: Vec<ShortString>,
    pub arguments: FieldTable,
    /// An exchange of its own that leads to it alone.
    pub own_exchange: Option<ShortString>,
}

/// A binding of a queue to events that its consumer wants.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub queue: ShortString,
    pub key: ShortString,
    pub arguments: FieldTable,
}

/// Every consumer's queues.
#[derive(Debug)]
pub(crate) struct Layout {
    shards: Shards,
    consumers: BTreeMap<String, Consumer>,
    /// Types to which somebody reacts.
    wanted: BTreeSet<String>,
    /// Those of them that somebody always receives.
    always_bound: BTreeSet<String>,
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
        let (consumers, wanted, always_bound) = Default::default();
        let mut layout = Self { shards, consumers, wanted, always_bound };
        for name in topology.consumers() {
            let dead = Queue {
                name: short(&format!("tradepost.{name}.dead"))?,
                keys: Vec::new(),
                on_demand: Vec::new(),
                former_on_demand: Vec::new(),
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
            for (event_type, _) in topology.types_of(name) {
                layout.wanted.insert(event_type.to_owned());
                if !topology.is_on_demand(name, event_type) {
                    layout.always_bound.insert(event_type.to_owned());
                }
            }
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

    /// True if all who react to this type receive it only while they want it, and somebody reacts.
    pub fn is_on_demand(&self, event_type: &str) -> bool {
        self.is_wanted(event_type) && !self.always_bound.contains(event_type)
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

    /// The bindings of what a consumer wants.
    pub fn bindings_of(&self, consumer: &str, wanted: &Wanted) -> Vec<Binding> {
        let of_queue = |queue: &Queue| {
            let on_demand = queue.on_demand.iter().filter(|(event_type, _)| wanted.types.contains(event_type));
            on_demand.map(|(_, key)| Binding::new(queue, key, wanted.generation)).collect::<Vec<_>>()
        };
        self.queues_of(consumer).flat_map(of_queue).collect()
    }

    /// All bindings that a generation can have.
    pub fn bindings_of_generation(&self, consumer: &str, generation: i64) -> Vec<Binding> {
        let of_queue = |queue: &Queue| {
            let keys = queue.on_demand.iter().map(|(_, key)| key).chain(&queue.former_on_demand);
            keys.map(|key| Binding::new(queue, key, generation)).collect::<Vec<_>>()
        };
        self.queues_of(consumer).flat_map(of_queue).collect()
    }

    /// The routing key of an event.
    pub fn key(&self, event_type: &str, lane: Lane, key: kernel::Uuid) -> Option<ShortString> {
        ShortString::try_new(routing_key(event_type, self.shards.of(lane, key))).ok()
    }
}

impl Binding {
    /// Generation 0 has no argument: an earlier version bound all types so.
    fn new(queue: &Queue, key: &ShortString, generation: i64) -> Self {
        let arguments = match generation {
            0 => FieldTable::default(),
            generation => table([(GENERATION, AMQPValue::LongLongInt(generation))]),
        };
        Self { queue: queue.name.clone(), key: key.clone(), arguments }
    }
}

fn queue(topology: &Topology, consumer: &str, lane: Lane, shard: u16, dead: &Queue) -> Result<Queue, ConfigError> {
    let name = short(&format!("tradepost.{consumer}.{lane}.{shard}"))?;
    let mut queue = Queue {
        name,
        keys: Vec::new(),
        on_demand: Vec::new(),
        former_on_demand: Vec::new(),
        former_keys: Vec::new(),
        arguments: arguments(dead),
        own_exchange: None,
    };
    for (event_type, of_type) in topology.types_of(consumer) {
        let key = short(&routing_key(event_type, shard))?;
        match (topology.is_on_demand(consumer, event_type), of_type == lane) {
            (false, true) => queue.keys.push(key),
            (false, false) => queue.former_keys.push(key),
            (true, true) => queue.on_demand.push((event_type.to_owned(), key)),
            (true, false) => queue.former_on_demand.push(key),
        }
    }
    Ok(queue)
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
    fn a_queue_is_bound_to_types_on_demand_only_while_they_are_wanted() {
        let topology = topology()
            .consumer(
                "second",
                [("source.thing_made.v1", Lane::Background), ("source.thing_seen.v1", Lane::Background)],
            )
            .on_demand("second", ["source.thing_made.v1", "source.thing_seen.v1"]);
        let layout = Layout::new(&topology, Shards::new(2).unwrap()).unwrap();
        assert!(layout.queues_of("second").all(|queue| queue.keys.is_empty()));
        let bindings = |bindings: Vec<Binding>| {
            let bindings = bindings.into_iter();
            bindings.map(|it| format!("{} {} {}", it.queue, it.key, it.arguments.inner().len())).collect::<Vec<_>>()
        };
        let seen = Wanted { generation: 7, types: ["source.thing_seen.v1".to_owned()].into() };
        assert_eq!(
            bindings(layout.bindings_of("second", &seen)),
            [
                "tradepost.second.background.0 source.thing_seen.v1.0 1",
                "tradepost.second.background.1 source.thing_seen.v1.1 1",
            ]
        );
        // Of two types in two shards, and in the queue of the other lane.
        assert_eq!(layout.bindings_of_generation("second", 7).len(), 6);
        assert!(bindings(layout.bindings_of_generation("second", 0)).iter().all(|it| it.ends_with('0')));
        assert!(!layout.is_on_demand("source.thing_made.v1"), "the first always receives it");
        assert!(layout.is_on_demand("source.thing_seen.v1") && !layout.is_on_demand("source.thing_lost.v1"));
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        let long = Topology::new().consumer::<&str>(&"x".repeat(250), []);
        assert!(matches!(Layout::new(&long, Shards::ONE), Err(ConfigError::NameTooLong { .. })));
    }
}
