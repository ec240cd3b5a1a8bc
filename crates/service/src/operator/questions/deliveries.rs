//! The state of events of other services at this one.

use std::collections::HashMap;

use kernel::{EventId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, de};
use storage::Error;

use crate::operator::question::Question;
use crate::operator::{DeliveryStatus, Operator};

/// Events of one question at most: some 100 KB, well below the cap of a body.
pub const IDS_MAX: usize = 1_000;

/// The status of some events here: of those to whose type the service reacts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliveries {
    /// The events, at most [`IDS_MAX`].
    #[serde(deserialize_with = "bounded")]
    pub events: Vec<EventName>,
}

/// An event of another service.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventName {
    /// Its id.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
}

impl Question for Deliveries {
    const NAME: &'static str = "deliveries";
    type Answer = HashMap<EventId, DeliveryStatus>;

    async fn answer(self, operator: &Operator) -> Result<HashMap<EventId, DeliveryStatus>, Error> {
        let events: Vec<(EventId, &str)> =
            self.events.iter().map(|event| (event.event_id, event.event_type.as_str())).collect();
        operator.deliveries(&events).await
    }
}

impl<'de> Deserialize<'de> for DeliveryStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Form {
            status: String,
            attempts: i64,
            handled_at: Option<Timestamp>,
            reason: Option<String>,
        }
        let Form { status, attempts, handled_at, reason } = Form::deserialize(deserializer)?;
        let known = Self::STATUSES.into_iter().find(|known| *known == status);
        // It is of another version.
        let status = known.ok_or_else(|| de::Error::custom(format!("there is no status {status}")))?;
        Ok(Self { status, attempts, handled_at, reason })
    }
}

fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EventName>, D::Error> {
    let events = Vec::deserialize(deserializer)?;
    if events.len() > IDS_MAX {
        return Err(de::Error::custom(format!("events: at most {IDS_MAX}")));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;
    use serde_json::json;

    use super::*;
    use crate::operator::questions::over_the_wire;

    #[test]
    fn a_status_of_another_version_is_not_taken_for_one_that_is_known() {
        let status = DeliveryStatus { status: "parked", attempts: 3, handled_at: None, reason: None };
        let sent = HashMap::from([(EventId::from(Uuid::from_u128(1)), status)]);
        assert_eq!(over_the_wire(&sent), sent);
        let unknown = json!({"status": "resting", "attempts": 3, "handled_at": null, "reason": null});
        assert!(serde_json::from_value::<DeliveryStatus>(unknown).is_err());
    }
}
