//! The services and the types to which they react.

use std::collections::BTreeMap;

/// The consumers, and the event types to which each reacts.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    consumers: BTreeMap<String, Vec<String>>,
}

impl Topology {
    /// Nobody reacts to anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a consumer, or further types to one that is known.
    #[must_use]
    pub fn consumer<T: Into<String>>(mut self, name: &str, event_types: impl IntoIterator<Item = T>) -> Self {
        let types = event_types.into_iter().map(Into::into);
        self.consumers.entry(name.to_owned()).or_default().extend(types);
        self
    }

    /// The consumers' names.
    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.consumers.keys().map(String::as_str)
    }

    /// The types to which a consumer reacts; none if it is unknown.
    pub fn types_of(&self, consumer: &str) -> &[String] {
        self.consumers.get(consumer).map_or(&[], Vec::as_slice)
    }

    /// The consumers that react to this type.
    pub fn subscribers_of(&self, event_type: &str) -> Vec<&str> {
        let reacting = self.consumers.iter().filter(|(_, types)| types.iter().any(|name| name == event_type));
        reacting.map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_the_consumers_that_react_to_it() {
        let topology = Topology::new().consumer("stock", ["placed", "paid"]).consumer("mail", ["paid"]);
        assert_eq!(topology.subscribers_of("placed"), ["stock"]);
        assert_eq!(topology.subscribers_of("paid"), ["mail", "stock"]);
        assert!(topology.subscribers_of("shipped").is_empty());
    }

    #[test]
    fn a_consumer_named_twice_reacts_to_both() {
        let topology = Topology::new().consumer("stock", ["placed"]).consumer("stock", ["paid"]);
        assert_eq!(topology.consumers().collect::<Vec<_>>(), ["stock"]);
        assert_eq!(topology.subscribers_of("paid"), ["stock"]);
    }
}
