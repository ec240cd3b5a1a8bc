//! A service's dead letters.

use kernel::{DeadLetterId, Envelope, Timestamp, Uuid};
use serde::{Deserialize, Serialize};
use storage::Error;
use storage::held::{self, Held, HeldState};

use crate::operator::question::{Question, rows};
use crate::operator::{OnBehalfOf, Operator, as_base64};

/// A delivery that the consumer's store keeps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter(#[serde(with = "Form")] pub Held);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Held", deny_unknown_fields)]
struct Form {
    position: i64,
    dead_letter_id: DeadLetterId,
    envelope: Envelope,
    #[serde(with = "as_base64")]
    body: Vec<u8>,
    #[serde(with = "as_base64")]
    digest: [u8; 16],
    #[serde(with = "state")]
    state: HeldState,
    due_at: Option<Timestamp>,
    attempts: i64,
    reason: Option<String>,
    first_failed_at: Option<Timestamp>,
}

/// Dead letters with ids below one, newest first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is an argument of `Operator::dead_letters`")]
pub struct DeadLetters {
    pub before: DeadLetterId,
    pub limit: i64,
}

impl Question for DeadLetters {
    const NAME: &'static str = "dead-letters";
    type Answer = Vec<Letter>;

    async fn answer(self, operator: &Operator) -> Result<Vec<Letter>, Error> {
        let letters = operator.dead_letters(self.before, rows(self.limit)).await?;
        Ok(letters.into_iter().map(Letter).collect())
    }
}

/// Dead letters with ids below one, newest first, without their bodies: to find those that belong together.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is an argument of `held::parked_names`")]
pub struct NameDeadLetters {
    pub before: DeadLetterId,
    pub limit: i64,
}

/// A dead letter without its body.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the field of `held::ParkedName` of this name")]
pub struct DeadLetterName {
    pub dead_letter_id: DeadLetterId,
    pub event_type: String,
    pub key: Uuid,
    pub reason: Option<String>,
    pub first_failed_at: Option<Timestamp>,
}

impl Question for NameDeadLetters {
    const NAME: &'static str = "dead-letter-names";
    type Answer = Vec<DeadLetterName>;

    async fn answer(self, operator: &Operator) -> Result<Vec<DeadLetterName>, Error> {
        let name = |name: held::ParkedName| {
            let held::ParkedName { dead_letter_id, event_type, key, reason, first_failed_at } = name;
            DeadLetterName { dead_letter_id, event_type, key, reason, first_failed_at }
        };
        let names = held::parked_names(&operator.ctx.db, self.before, rows(self.limit)).await?;
        Ok(names.into_iter().map(name).collect())
    }
}

/// One dead letter, if the service has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "it is the argument of `Operator::dead_letter`")]
pub struct DeadLetterById {
    pub id: DeadLetterId,
}

impl Question for DeadLetterById {
    const NAME: &'static str = "dead-letter";
    type Answer = Option<Letter>;

    async fn answer(self, operator: &Operator) -> Result<Option<Letter>, Error> {
        Ok(operator.dead_letter(self.id).await?.map(Letter))
    }
}

/// Handles a dead letter again. The answer is false if it isn't one (any more).
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The dead letter.
    pub id: DeadLetterId,
    /// The caller of the console, who decides: kept with the decision.
    pub caller: OnBehalfOf,
}

impl Question for Replay {
    const NAME: &'static str = "replay";
    type Answer = bool;

    async fn answer(self, operator: &Operator) -> Result<bool, Error> {
        operator.replay(self.id, &self.caller.0.actor()).await
    }
}

/// Discards a dead letter. The answer is false if it isn't one (any more).
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discard {
    /// The dead letter.
    pub id: DeadLetterId,
    /// The caller of the console, who decides: kept with the decision.
    pub caller: OnBehalfOf,
}

impl Question for Discard {
    const NAME: &'static str = "discard";
    type Answer = bool;

    async fn answer(self, operator: &Operator) -> Result<bool, Error> {
        operator.discard(self.id, &self.caller.0.actor()).await
    }
}

mod state {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use storage::held::HeldState;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde lends it")]
    pub fn serialize<S: Serializer>(state: &HeldState, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(state.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeldState, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use kernel::Lane;

    use super::*;
    use crate::operator::questions::over_the_wire;

    #[test]
    fn a_dead_letter_arrives_as_it_was_sent_even_if_its_body_is_no_json() {
        let at: Timestamp = "2026-01-01T12:00:00.123456789Z".parse().unwrap();
        let held = Held {
            position: 7,
            dead_letter_id: Uuid::from_u128(1).into(),
            envelope: Envelope {
                id: Uuid::from_u128(2).into(),
                event_type: "orders.order_paid.v1".to_owned(),
                source: "orders".to_owned(),
                key: Uuid::from_u128(3),
                sequence: 4,
                lane: Lane::Immediate,
                time: at,
                correlation_id: Uuid::from_u128(5),
                causation_id: Uuid::from_u128(6),
                traceparent: None,
            },
            body: b"\xff\0{".to_vec(),
            digest: [9; 16],
            state: HeldState::Parked,
            due_at: None,
            attempts: 10,
            reason: Some("never \u{1f4a5}".to_owned()),
            first_failed_at: Some(at),
        };
        let arrived = over_the_wire(&Letter(held.clone())).0;
        assert_eq!(format!("{arrived:?}"), format!("{held:?}"));
    }
}
