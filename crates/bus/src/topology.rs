//! The services and the types to which they react.

use std::collections::{BTreeMap, BTreeSet};

use kernel::Lane;

/// The consumers, and the event types to which each reacts, with the lane of each.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    consumers: BTreeMap<String, Vec<(String, Lane)>>,
    /// Types that a consumer receives only while it wants them.
    on_demand: BTreeMap<String, BTreeSet<String>>,
}

impl Topology {
    /// Nobody reacts to anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a consumer, or further types to one that is known.
    #[must_use]
    pub fn consumer<T: Into<String>>(mut self, name: &str, event_types: impl IntoIterator<Item = (T, Lane)>) -> Self {
        let types = event_types.into_iter().map(|(event_type, lane)| (event_type.into(), lane));
        self.consumers.entry(name.to_owned()).or_default().extend(types);
        self
    }

    /// Declares that a consumer receives some of its types only while it wants them; see [`Broker::bind`](crate::Broker::bind).
    #[must_use]
    pub fn on_demand<T: Into<String>>(mut self, name: &str, event_types: impl IntoIterator<Item = T>) -> Self {
        self.on_demand.entry(name.to_owned()).or_default().extend(event_types.into_iter().map(Into::into));
        self
    }

    /// The consumers' names.
    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.consumers.keys().map(String::as_str)
    }

    /// The types to which a consumer reacts; none if it is unknown.
    pub fn types_of(&self, consumer: &str) -> impl Iterator<Item = (&str, Lane)> {
        let types = self.consumers.get(consumer).map_or(&[][..], Vec::as_slice);
        types.iter().map(|(event_type, lane)| (event_type.as_str(), *lane))
    }

    /// True if a consumer receives this type only while it wants it.
    pub fn is_on_demand(&self, consumer: &str, event_type: &str) -> bool {
        self.on_demand.get(consumer).is_some_and(|types| types.contains(event_type))
    }

    /// The consumers that react to this type.
    pub fn subscribers_of(&self, event_type: &str) -> Vec<&str> {
        let reacting = self.consumers.iter().filter(|(_, types)| types.iter().any(|(name, _)| name == event_type));
        reacting.map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: (&str, Lane) = ("made", Lane::Background);
    const BROKE: (&str, Lane) = ("broke", Lane::Immediate);

    #[test]
    fn a_type_has_the_consumers_that_react_to_it() {
        let topology = Topology::new().consumer("first", [MADE, BROKE]).consumer("second", [BROKE]);
        assert_eq!(topology.subscribers_of("made"), ["first"]);
        assert_eq!(topology.subscribers_of("broke"), ["first", "second"]);
        assert!(topology.subscribers_of("moved").is_empty());
        assert_eq!(topology.types_of("second").collect::<Vec<_>>(), [BROKE]);
    }

    #[test]
    fn a_consumer_named_twice_reacts_to_both() {
        let topology = Topology::new().consumer("first", [MADE]).consumer("first", [BROKE]);
        assert_eq!(topology.consumers().collect::<Vec<_>>(), ["first"]);
        assert_eq!(topology.subscribers_of("broke"), ["first"]);
    }
}
