//! The attributes of an event that are not its payload.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventId, Lane, Origin, Timestamp, TraceParent};

/// Everything about an event but its body: the same in the archive of its source, on a broker, in the consumer's store
/// and in what a handler is given.
///
/// The columns of it stand in `storage::envelope`, the CloudEvents attributes in `bus::cloud_events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The event's id: a consumer handles it once.
    pub id: EventId,
    /// The name of the event, as in `orders.order_placed.v1`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The service that emitted it.
    pub source: String,
    /// The id of what it is about. Events of one source, key and lane take effect in order.
    pub key: Uuid,
    /// The version of the aggregate that the event made.
    pub sequence: i64,
    /// Its urgency.
    pub lane: Lane,
    /// The time of its commit.
    pub time: Timestamp,
    /// The request from which it followed.
    pub correlation_id: Uuid,
    /// The request or event that caused it.
    pub causation_id: Uuid,
    /// W3C trace context.
    pub traceparent: Option<TraceParent>,
}

impl Envelope {
    /// Events and spans that follow from this event inherit this, as part of the trace `traceparent`.
    pub fn origin(&self, traceparent: Option<TraceParent>) -> Origin {
        Origin { correlation_id: self.correlation_id, causation_id: self.id.into(), traceparent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_survives_the_round_trip_through_json() {
        let envelope = Envelope {
            id: Uuid::from_u128(1).into(),
            event_type: "orders.order_placed.v1".to_owned(),
            source: "orders".to_owned(),
            key: Uuid::from_u128(2),
            sequence: 3,
            lane: Lane::Immediate,
            time: "2026-01-01T12:00:00.123456789Z".parse().unwrap(),
            correlation_id: Uuid::from_u128(4),
            causation_id: Uuid::from_u128(5),
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok(),
        };
        let json = serde_json::to_value(&envelope).unwrap();
        assert_eq!(json["lane"], "immediate");
        assert_eq!(json["traceparent"], "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(serde_json::from_value::<Envelope>(json).unwrap(), envelope);
    }
}
