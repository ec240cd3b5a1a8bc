//! Types of events to which one handler reacts.

use std::collections::BTreeMap;

use events::Descriptor;
use kernel::{Event, Lane};

/// A set of event types; on a broker the consumer is bound to exactly these.
///
/// ```
/// use tradepost_service::Selection;
///
/// let selection = Selection::from_service("orders").and(Selection::of::<events::PaymentFailed>());
/// assert!(selection.contains("orders.order_placed.v1"));
/// assert!(!selection.contains("payments.payment_captured.v1"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Selection(BTreeMap<&'static str, Lane>);

impl Selection {
    /// One type.
    pub fn of<E: Event>() -> Self {
        Self([(E::TYPE, E::LANE)].into())
    }

    /// All types that a service emits; none if it emits none.
    pub fn from_service(source: &str) -> Self {
        Self::matching(|event| event.source == source)
    }

    /// All types there are.
    pub fn every() -> Self {
        Self::matching(|_| true)
    }

    /// The types of the catalogue that satisfy a condition.
    pub fn matching(wanted: impl Fn(&Descriptor) -> bool) -> Self {
        Self(events::all().filter(|event| wanted(event)).map(|event| (event.event_type, event.lane)).collect())
    }

    /// The types of both.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same without one type.
    pub fn without<E: Event>(mut self) -> Self {
        self.0.remove(E::TYPE);
        self
    }

    /// Tests for a type.
    pub fn contains(&self, event_type: &str) -> bool {
        self.0.contains_key(event_type)
    }

    /// The types with their lanes.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&'static str, Lane)> {
        self.0.iter().map(|(event_type, lane)| (*event_type, *lane))
    }
}

#[cfg(test)]
mod tests {
    use events::{PaymentFailed, SigningKeyPublished};

    use super::*;

    #[test]
    fn a_selection_names_types_with_their_lanes() {
        let selection = Selection::of::<PaymentFailed>().and(Selection::of::<PaymentFailed>());
        assert_eq!(selection.types().collect::<Vec<_>>(), [(PaymentFailed::TYPE, Lane::Immediate)]);
        assert_eq!(Selection::every().types().count(), events::all().count());
        assert!(!Selection::every().without::<SigningKeyPublished>().contains(SigningKeyPublished::TYPE));
        assert_eq!(Selection::from_service("nobody"), Selection::default());
    }
}
