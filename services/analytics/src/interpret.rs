//! From a message to what analytics knows of it. Fields that an event has beyond those are ignored.

use events::{
    CancellationRequested, OrderCancelled, OrderPaid, OrderPlaced, OrderUpdated, PaymentRefunded, ProductCreated,
    ProductReviewRemoved, ProductReviewed, ProductUpdated,
};
use kernel::{Envelope, Event, Lane, Shards};
use service::Failure;

use crate::domain::{Fact, Name, Observed};

/// The bucket of the lane whose keys are in one shard.
const IMMEDIATE: i64 = -1;

/// The types that are interpreted; all others are only counted.
pub(crate) const INTERPRETED: [&str; 10] = [
    OrderPlaced::TYPE,
    OrderPaid::TYPE,
    OrderUpdated::TYPE,
    CancellationRequested::TYPE,
    OrderCancelled::TYPE,
    PaymentRefunded::TYPE,
    ProductReviewed::TYPE,
    ProductReviewRemoved::TYPE,
    ProductCreated::TYPE,
    ProductUpdated::TYPE,
];

/// The event of a delivery. A body that is not what its type says is parked.
pub(crate) fn observe(envelope: &Envelope, body: &[u8], shards: Shards) -> Result<Observed, Failure> {
    let bucket = match envelope.lane {
        Lane::Immediate => IMMEDIATE,
        Lane::Background => shards.of(envelope.lane, envelope.key).into(),
    };
    let event_type = envelope.event_type.clone();
    let fact = fact(&event_type, body)
        .map_err(|error| Failure::park(format!("the body is not what {event_type} is: {error}")))?;
    Ok(Observed { event_type, time: envelope.time, sequence: envelope.sequence, bucket, fact })
}

fn fact(event_type: &str, body: &[u8]) -> Result<Fact, serde_json::Error> {
    Ok(match event_type {
        OrderPlaced::TYPE => Fact::Placed(Event::decode(body)?),
        OrderPaid::TYPE => Fact::Paid(Event::decode(body)?),
        OrderUpdated::TYPE => Fact::Updated(Event::decode(body)?),
        CancellationRequested::TYPE => Fact::CancellationRequested(CancellationRequested::decode(body)?.order_id),
        OrderCancelled::TYPE => Fact::Cancelled(Event::decode(body)?),
        PaymentRefunded::TYPE => Fact::Refunded(Event::decode(body)?),
        ProductReviewed::TYPE => Fact::Reviewed(Event::decode(body)?),
        ProductReviewRemoved::TYPE => Fact::ReviewRemoved(Event::decode(body)?),
        ProductCreated::TYPE => {
            let ProductCreated { product_id, sku, name, version, .. } = Event::decode(body)?;
            Fact::Named(product_id, Name { sku, name, version })
        }
        ProductUpdated::TYPE => {
            let ProductUpdated { product_id, sku, name, version, .. } = Event::decode(body)?;
            Fact::Named(product_id, Name { sku, name, version })
        }
        _ => Fact::Other,
    })
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;
    use serde_json::json;

    use super::*;

    fn envelope(event_type: &str, lane: Lane) -> Envelope {
        let key = Uuid::from_u128(7);
        Envelope {
            id: key.into(),
            event_type: event_type.to_owned(),
            source: event_type.split('.').next().unwrap_or_default().to_owned(),
            key,
            sequence: 3,
            lane,
            time: "2026-01-01T12:00:00Z".parse().unwrap(),
            correlation_id: key,
            causation_id: key,
            traceparent: None,
        }
    }

    #[test]
    fn a_field_that_is_not_known_is_ignored_and_a_type_that_is_not_known_is_counted() {
        let body = json!({"order_id": Uuid::from_u128(7), "number": 1, "requested_by": "customer", "mood": {"is": 1}});
        let requested = envelope(CancellationRequested::TYPE, Lane::Background);
        let seen = observe(&requested, body.to_string().as_bytes(), Shards::DEFAULT).unwrap();
        assert!(matches!(seen.fact, Fact::CancellationRequested(_)));
        assert_eq!(seen.bucket, i64::from(Shards::DEFAULT.of(Lane::Background, requested.key)));

        let new = envelope("orders.order_sung.v1", Lane::Immediate);
        let seen = observe(&new, b"not even JSON", Shards::DEFAULT).unwrap();
        assert!(matches!(seen.fact, Fact::Other));
        assert_eq!((seen.event_type.as_str(), seen.bucket), ("orders.order_sung.v1", IMMEDIATE));
    }

    #[test]
    fn a_body_that_is_not_what_its_type_says_is_parked() {
        let failed = observe(&envelope(OrderPaid::TYPE, Lane::Background), b"{}", Shards::DEFAULT).unwrap_err();
        assert!(matches!(failed, Failure::Park(reason) if reason.contains(OrderPaid::TYPE)));
    }

    #[test]
    fn the_interpreted_types_are_those_that_are_read() {
        for event in events::all() {
            let is_read = !matches!(fact(event.event_type, b"{}"), Ok(Fact::Other));
            assert_eq!(INTERPRETED.contains(&event.event_type), is_read, "{}", event.event_type);
        }
    }
}
