//! An event as it is sent: CloudEvents 1.0 in structured mode, with the attributes that it has between the services.

use kernel::{Envelope, EventId, Timestamp, TraceParent, Uuid};
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::TEST_EVENT;

/// The media type of a message.
pub(crate) const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

#[derive(Serialize)]
struct Message<'a> {
    specversion: &'static str,
    id: EventId,
    #[serde(rename = "type")]
    event_type: &'a str,
    source: &'a str,
    subject: Uuid,
    time: Timestamp,
    datacontenttype: &'static str,
    /// As text: the numbers of an attribute have 32 bits.
    sequence: String,
    correlationid: Uuid,
    causationid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<TraceParent>,
    data: Value,
}

impl Message<'_> {
    fn text(&self) -> String {
        serde_json::to_string(self).expect("a message has text keys and no failing fields")
    }
}

/// The message of an event. Tokens stay here, as where events are shown.
pub(crate) fn of_event(envelope: &Envelope, body: &[u8]) -> String {
    Message {
        specversion: "1.0",
        id: envelope.id,
        event_type: &envelope.event_type,
        source: &envelope.source,
        subject: envelope.key,
        time: envelope.time,
        datacontenttype: "application/json",
        sequence: envelope.sequence.to_string(),
        correlationid: envelope.correlation_id,
        causationid: envelope.causation_id,
        traceparent: envelope.traceparent,
        data: events::redact::redacted(body),
    }
    .text()
}

/// A message by which an endpoint is tested.
pub(crate) fn of_test(event_id: EventId, endpoint_id: Uuid, now: Timestamp) -> String {
    Message {
        specversion: "1.0",
        id: event_id,
        event_type: TEST_EVENT,
        source: "webhooks",
        subject: endpoint_id,
        time: now,
        datacontenttype: "application/json",
        sequence: "0".to_owned(),
        correlationid: event_id.into(),
        causationid: event_id.into(),
        traceparent: None,
        data: json!({"endpoint_id": endpoint_id}),
    }
    .text()
}

#[cfg(test)]
mod tests {
    use kernel::Lane;

    use super::*;

    #[test]
    fn a_message_has_the_attributes_of_its_event_and_no_token() {
        let envelope = Envelope {
            id: Uuid::from_u128(1).into(),
            event_type: "orders.payment_requested.v1".to_owned(),
            source: "orders".to_owned(),
            key: Uuid::from_u128(2),
            sequence: i64::MAX,
            lane: Lane::Background,
            time: "2026-01-01T12:00:00.123456Z".parse().unwrap(),
            correlation_id: Uuid::from_u128(4),
            causation_id: Uuid::from_u128(5),
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok(),
        };
        let message: Value = serde_json::from_str(&of_event(&envelope, br#"{"token":"tok_ok","amount":1}"#)).unwrap();
        assert_eq!(
            message,
            json!({
                "specversion": "1.0",
                "id": "00000000-0000-0000-0000-000000000001",
                "type": "orders.payment_requested.v1",
                "source": "orders",
                "subject": "00000000-0000-0000-0000-000000000002",
                "time": "2026-01-01T12:00:00.123456Z",
                "datacontenttype": "application/json",
                "sequence": "9223372036854775807",
                "correlationid": "00000000-0000-0000-0000-000000000004",
                "causationid": "00000000-0000-0000-0000-000000000005",
                "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "data": {"token": "[redacted]", "amount": 1},
            })
        );
    }
}
