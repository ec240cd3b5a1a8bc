//! The keys: streams of consumers, and the routes that lead to them.
//!
//! An event goes to the streams of all consumers that the publisher knows to receive its type always, and to those of
//! the type's routes. Routes are on the server, so that a consumer that the publisher does not know, and one that
//! receives a type only while it wants it, is reached from the moment at which its route is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus::{Topology, Wanted};
use kernel::{Lane, Shards, Uuid};

/// The group of every stream, and its one consumer.
pub(crate) const GROUP: &str = "tradepost";

/// The generation of routes that are always there.
pub(crate) const ALWAYS: i64 = 0;

/// A consumer's stream in a shard of a lane.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub key: Arc<str>,
    /// The key that says which subscription holds it.
    pub holder: Arc<str>,
}

/// A route of a type to a consumer: a key, and a field of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub key: Arc<str>,
    pub field: String,
}

/// The target of an event.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The key of the type's routes.
    pub routes: Arc<str>,
    /// The streams that receive it always.
    pub streams: Vec<Arc<str>>,
    /// The shard of its key in each lane.
    pub immediate: u16,
    pub background: u16,
}

/// Every consumer's streams and routes.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The beginning of a stream's name, before that of its consumer.
    prefix: String,
    shards: Shards,
    consumers: BTreeMap<String, Consumer>,
    /// By type.
    wanted: BTreeMap<String, Receivers>,
}

#[derive(Debug)]
struct Consumer {
    streams: BTreeMap<(Lane, u16), Stream>,
    always: Vec<Route>,
    /// With the type of each.
    on_demand: Vec<(String, Route)>,
    /// Routes by another lane: they led to it while a type had that lane.
    former: Vec<Route>,
    /// The same of types on demand.
    former_on_demand: Vec<Route>,
}

#[derive(Debug)]
struct Receivers {
    routes: Arc<str>,
    /// Those that receive it always, with the lane.
    always: Vec<(String, Lane)>,
}

impl Layout {
    pub fn new(topology: &Topology, shards: Shards, prefix: &str) -> Self {
        let mut layout =
            Self { prefix: format!("{prefix}tradepost."), shards, consumers: BTreeMap::new(), wanted: BTreeMap::new() };
        for name in topology.consumers() {
            layout.add(topology, name);
        }
        layout
    }

    fn add(&mut self, topology: &Topology, name: &str) {
        let mut streams = BTreeMap::new();
        for lane in Lane::ALL {
            for shard in self.shards.all(lane) {
                let key = format!("{}{name}.{lane}.{shard}", self.prefix);
                let holder = format!("{key}.holder").into();
                streams.insert((lane, shard), Stream { key: key.into(), holder });
            }
        }
        let (always, on_demand, former, former_on_demand) = Default::default();
        let mut consumer = Consumer { streams, always, on_demand, former, former_on_demand };
        for (event_type, lane) in topology.types_of(name) {
            let key: Arc<str> = format!("{}routes.{event_type}", self.prefix).into();
            let route = |lane: Lane| Route { key: key.clone(), field: format!("{name}.{lane}") };
            let others = Lane::ALL.into_iter().filter(|other| *other != lane).map(route);
            let receivers = self
                .wanted
                .entry(event_type.to_owned())
                .or_insert_with(|| Receivers { routes: key.clone(), always: Vec::new() });
            if topology.is_on_demand(name, event_type) {
                consumer.on_demand.push((event_type.to_owned(), route(lane)));
                consumer.former_on_demand.extend(others);
            } else {
                consumer.always.push(route(lane));
                consumer.former.extend(others);
                receivers.always.push((name.to_owned(), lane));
            }
        }
        self.consumers.insert(name.to_owned(), consumer);
    }

    pub fn shards(&self) -> Shards {
        self.shards
    }

    /// The beginning of a stream's name, before that of its consumer.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// True if anybody reacts to this type.
    pub fn is_wanted(&self, event_type: &str) -> bool {
        self.wanted.contains_key(event_type)
    }

    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.consumers.keys().map(String::as_str)
    }

    pub fn stream(&self, consumer: &str, lane: Lane, shard: u16) -> Option<&Stream> {
        self.consumers.get(consumer)?.streams.get(&(lane, shard))
    }

    /// All streams of a consumer.
    pub fn streams_of(&self, consumer: &str) -> impl Iterator<Item = &Stream> {
        self.consumers.get(consumer).into_iter().flat_map(|it| it.streams.values())
    }

    /// The target of an event; `None` if nobody reacts to its type.
    pub fn target(&self, event_type: &str, key: Uuid) -> Option<Target> {
        let receivers = self.wanted.get(event_type)?;
        let of_lane = |lane| self.shards.of(lane, key);
        let stream =
            |(consumer, lane): &(String, Lane)| Some(self.stream(consumer, *lane, of_lane(*lane))?.key.clone());
        Some(Target {
            routes: receivers.routes.clone(),
            streams: receivers.always.iter().filter_map(stream).collect(),
            immediate: of_lane(Lane::Immediate),
            background: of_lane(Lane::Background),
        })
    }

    /// The routes of what a consumer always receives.
    pub fn always_of(&self, consumer: &str) -> Vec<Route> {
        self.consumers.get(consumer).map(|it| it.always.clone()).unwrap_or_default()
    }

    /// The routes that led to a consumer while a type that it always receives had another lane.
    pub fn former_of(&self, consumer: &str) -> Vec<Route> {
        self.consumers.get(consumer).map(|it| it.former.clone()).unwrap_or_default()
    }

    /// The routes of what a consumer wants.
    pub fn routes_of(&self, consumer: &str, types: &BTreeSet<String>) -> Vec<Route> {
        let on_demand = self.consumers.get(consumer).into_iter().flat_map(|it| &it.on_demand);
        on_demand.filter(|(event_type, _)| types.contains(event_type)).map(|(_, route)| route.clone()).collect()
    }

    /// All routes that a generation can have.
    pub fn routes_of_generation(&self, consumer: &str) -> Vec<Route> {
        let consumer = self.consumers.get(consumer).into_iter();
        consumer
            .flat_map(|it| it.on_demand.iter().map(|(_, route)| route).chain(&it.former_on_demand))
            .cloned()
            .collect()
    }
}

/// Types by the generation under which they are bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bound(BTreeMap<i64, BTreeSet<String>>);

impl Bound {
    pub fn add(&mut self, wanted: Wanted) {
        self.0.entry(wanted.generation).or_default().extend(wanted.types);
    }

    pub fn remove(&mut self, generation: i64) {
        self.0.remove(&generation);
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, &BTreeSet<String>)> {
        self.0.iter().map(|(generation, types)| (*generation, types))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKE: (&str, Lane) = ("source.thing_broke.v1", Lane::Immediate);
    const MADE: (&str, Lane) = ("source.thing_made.v1", Lane::Background);

    fn layout() -> Layout {
        let topology = Topology::new()
            .consumer("first", [BROKE, MADE])
            .consumer("second", [MADE, ("source.thing_seen.v1", Lane::Background)])
            .on_demand("second", [MADE.0, "source.thing_seen.v1"]);
        Layout::new(&topology, Shards::new(2).unwrap(), "a:")
    }

    fn written(routes: Vec<Route>) -> Vec<String> {
        routes.into_iter().map(|route| format!("{} {}", route.key, route.field)).collect()
    }

    #[test]
    fn a_consumer_has_a_stream_for_each_shard_of_each_lane() {
        let layout = layout();
        let streams: Vec<&str> = layout.streams_of("first").map(|stream| &*stream.key).collect();
        assert_eq!(
            streams,
            ["a:tradepost.first.immediate.0", "a:tradepost.first.background.0", "a:tradepost.first.background.1"]
        );
        assert!(layout.stream("first", Lane::Immediate, 1).is_none());
        assert!(layout.is_wanted(MADE.0) && !layout.is_wanted("source.thing_lost.v1"));
    }

    #[test]
    fn an_event_goes_to_who_receives_it_always_and_to_its_routes() {
        let layout = layout();
        let key = Uuid::from_u128(7);
        let shard = layout.shards().of(Lane::Background, key);
        let target = layout.target(MADE.0, key).unwrap();
        assert_eq!(&*target.routes, "a:tradepost.routes.source.thing_made.v1");
        assert_eq!(target.streams, [Arc::from(format!("a:tradepost.first.background.{shard}"))]);
        assert_eq!((target.immediate, target.background), (0, shard));
        let on_demand = layout.target("source.thing_seen.v1", key).unwrap();
        assert!(on_demand.streams.is_empty(), "only its routes say whether somebody wants it");
        assert!(layout.target("source.thing_lost.v1", key).is_none());
    }

    #[test]
    fn routes_are_of_a_lane() {
        let layout = layout();
        assert_eq!(
            written(layout.always_of("first")),
            [
                "a:tradepost.routes.source.thing_broke.v1 first.immediate",
                "a:tradepost.routes.source.thing_made.v1 first.background"
            ]
        );
        assert_eq!(layout.former_of("first").len(), 2);
        assert!(layout.always_of("second").is_empty());
        let seen = ["source.thing_seen.v1".to_owned()].into();
        assert_eq!(
            written(layout.routes_of("second", &seen)),
            ["a:tradepost.routes.source.thing_seen.v1 second.background"]
        );
        // Of two types, in both lanes.
        assert_eq!(layout.routes_of_generation("second").len(), 4);
    }
}
