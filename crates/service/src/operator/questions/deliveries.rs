//! The state of events of other services at this one.

use std::collections::HashMap;

use kernel::{DeadLetterId, EventId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, de};
use storage::Error;
use storage::decisions::Decided;

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
            #[serde(default)]
            due_at: Option<Timestamp>,
            #[serde(default)]
            dead_letter_id: Option<DeadLetterId>,
            #[serde(default, with = "decided")]
            decided: Option<Decided>,
        }
        let Form { status, attempts, handled_at, reason, due_at, dead_letter_id, decided } =
            Form::deserialize(deserializer)?;
        let known = Self::STATUSES.into_iter().find(|known| *known == status);
        // It is of another version.
        let status = known.ok_or_else(|| de::Error::custom(format!("there is no status {status}")))?;
        Ok(Self { status, attempts, handled_at, reason, due_at, dead_letter_id, decided })
    }
}

/// The last decision about an event that was a dead letter.
pub(in crate::operator) mod decided {
    use kernel::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use storage::decisions::Decided;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        decision: String,
        decided_by: String,
        decided_at: Timestamp,
    }

    #[expect(clippy::ref_option, reason = "serde lends it")]
    pub fn serialize<S: Serializer>(decided: &Option<Decided>, serializer: S) -> Result<S::Ok, S::Error> {
        let form = decided.as_ref().map(|Decided { decision, decided_by, decided_at }| Form {
            decision: decision.as_str().to_owned(),
            decided_by: decided_by.clone(),
            decided_at: *decided_at,
        });
        form.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decided>, D::Error> {
        let form = Option::<Form>::deserialize(deserializer)?;
        let of_form = |Form { decision, decided_by, decided_at }| {
            Ok(Decided { decision: decision.parse().map_err(de::Error::custom)?, decided_by, decided_at })
        };
        form.map(of_form).transpose()
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
    use storage::decisions::Decision;

    use super::*;
    use crate::operator::questions::over_the_wire;

    #[test]
    fn a_status_of_another_version_is_not_taken_for_one_that_is_known() {
        let undecided = DeliveryStatus { status: "parked", attempts: 3, ..DeliveryStatus::pending() };
        let decided = Decided {
            decision: Decision::Replay,
            decided_by: "automation".to_owned(),
            decided_at: "2026-01-01T12:00:00Z".parse().unwrap(),
        };
        let replayed = DeliveryStatus { decided: Some(decided), ..undecided.clone() };
        let id = |number| EventId::from(Uuid::from_u128(number));
        let sent = HashMap::from([(id(1), undecided), (id(2), replayed)]);
        assert_eq!(over_the_wire(&sent), sent);
        let of_before = |status| json!({"status": status, "attempts": 3, "handled_at": null, "reason": null});
        assert!(serde_json::from_value::<DeliveryStatus>(of_before("resting")).is_err());
        assert!(serde_json::from_value::<DeliveryStatus>(of_before("parked")).is_ok(), "nothing was decided");
    }
}
