//! The protocol by which a console in another process asks a service: one [`Question`], one [`Answer`], as JSON.
//!
//! Whichever instance of a service answers, it answers from the store that all of them share.
//! Only an [`Activity`](super::Activity) counts also the handlers that run in the instance itself.
//!
//! These forms are for this wire alone: between a console and services of the same version, or of neighbouring ones.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::auth;
use kernel::{DeadLetterId, Envelope, EventId, KeyId, SessionId, Timestamp, UserId, Uuid};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use storage::archive::StoredEvent;
use storage::held::{Held, HeldState};
use storage::published_keys::PublishedKey;

use super::{Activity, DeliveryStatus};

/// Events or dead letters of one answer at most. A longer limit counts as this one.
pub const ROWS_MAX: i64 = 1_000;

/// Events whose status one question may ask for: some 100 KB, well below the cap of a body.
pub const IDS_MAX: usize = 1_000;

/// The time that an answer may wait for new events: shorter than the limit of any answer.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// A question of a console.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the method of `Operator` of this name, with its arguments")]
pub enum Question {
    EventsAbout { subject: Uuid, limit: i64 },
    EventsBefore { before: EventId, event_type: Option<String>, subject: Option<Uuid>, limit: i64 },
    EventsToCome { position: i64, limit: i64, within_ms: u64 },
    Event { event_id: EventId },
    NewestPosition,
    Deliveries { events: Vec<EventName> },
    DeadLetters { before: DeadLetterId, limit: i64 },
    DeadLetter { id: DeadLetterId },
    Replay { id: DeadLetterId },
    Discard { id: DeadLetterId },
    Republish { after: EventId, limit: i64 },
    Activity,
    MayRead { subject: Uuid, caller: Caller },
    Keys,
}

/// The answer of a service.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// To each question about several events.
    Events(Vec<Event>),
    /// The event, if there is one.
    Event(Option<Event>),
    /// The newest position.
    Position(i64),
    /// Of those events to whose type the service reacts.
    Deliveries(Vec<Delivery>),
    /// The dead letters.
    DeadLetters(Vec<Letter>),
    /// The dead letter, if there is one.
    DeadLetter(Option<Letter>),
    /// True if a replay or discard found its dead letter.
    Done(bool),
    /// Number of republished events, and the last of them if there are more.
    Republished { events: usize, up_to: Option<EventId> },
    /// The unfinished work.
    Activity(Activity),
    /// True if the caller may read; `None` if the service doesn't know the subject.
    MayRead(Option<bool>),
    /// The keys by which users' tokens are checked.
    Keys(Vec<Key>),
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

/// The status of an event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    event_id: EventId,
    status: String,
    attempts: i64,
    handled_at: Option<Timestamp>,
    reason: Option<String>,
}

impl Delivery {
    pub(super) fn new(event_id: EventId, status: DeliveryStatus) -> Self {
        let DeliveryStatus { consumer: _, status, attempts, handled_at, reason } = status;
        Self { event_id, status: status.to_owned(), attempts, handled_at, reason }
    }

    /// The status of a consumer; `None` for a status that this version doesn't know.
    pub fn at(self, consumer: &'static str) -> Option<(EventId, DeliveryStatus)> {
        let Self { event_id, status, attempts, handled_at, reason } = self;
        let status = DeliveryStatus::STATUSES.into_iter().find(|known| *known == status)?;
        Some((event_id, DeliveryStatus { consumer, status, attempts, handled_at, reason }))
    }
}

/// The caller of the console. The console holds the admin's right to ask at all, so its word is taken.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    is_admin: bool,
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
    order_token: Option<Digest>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Digest(#[serde(with = "bytes")] [u8; 32]);

impl From<auth::Caller> for Caller {
    fn from(caller: auth::Caller) -> Self {
        let auth::Caller { is_admin, user_id, session_id, order_token } = caller;
        Self { is_admin, user_id, session_id, order_token: order_token.map(Digest) }
    }
}

impl From<Caller> for auth::Caller {
    fn from(caller: Caller) -> Self {
        let Caller { is_admin, user_id, session_id, order_token } = caller;
        Self { is_admin, user_id, session_id, order_token: order_token.map(|token| token.0) }
    }
}

/// An event as it was committed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Event(#[serde(with = "EventForm")] pub StoredEvent);

#[derive(Serialize, Deserialize)]
#[serde(remote = "StoredEvent", deny_unknown_fields)]
struct EventForm {
    position: i64,
    envelope: Envelope,
    #[serde(with = "bytes")]
    body: Vec<u8>,
}

/// A delivery that the consumer's store keeps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter(#[serde(with = "LetterForm")] pub Held);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Held", deny_unknown_fields)]
struct LetterForm {
    position: i64,
    dead_letter_id: DeadLetterId,
    envelope: Envelope,
    #[serde(with = "bytes")]
    body: Vec<u8>,
    #[serde(with = "bytes")]
    digest: [u8; 16],
    #[serde(with = "state")]
    state: HeldState,
    due_at: Option<Timestamp>,
    attempts: i64,
    reason: Option<String>,
    first_failed_at: Option<Timestamp>,
}

/// A public key by which users' tokens are checked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Key(#[serde(with = "KeyForm")] pub PublishedKey);

#[derive(Serialize, Deserialize)]
#[serde(remote = "PublishedKey", deny_unknown_fields)]
struct KeyForm {
    key_id: KeyId,
    #[serde(with = "bytes")]
    public_key: Vec<u8>,
    not_after: Timestamp,
}

/// Bytes as base64: a dead letter's body may be no JSON, and an event's must arrive as it was committed.
mod bytes {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(deserializer: D) -> Result<T, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)?;
        T::try_from(bytes).map_err(|_| de::Error::custom("bytes of another length"))
    }
}

mod state {
    use super::{Deserialize, Deserializer, HeldState, Serializer, de};

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

    fn over_the_wire<T: Serialize + for<'de> Deserialize<'de>>(sent: &T) -> T {
        serde_json::from_slice(&serde_json::to_vec(sent).unwrap()).unwrap()
    }

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

    #[test]
    fn a_caller_arrives_with_the_order_token_and_without() {
        for order_token in [None, Some(auth::digest(b"secret"))] {
            let sent = auth::Caller {
                is_admin: false,
                user_id: Some(Uuid::from_u128(1).into()),
                session_id: None,
                order_token,
            };
            let arrived: auth::Caller = over_the_wire(&Caller::from(sent.clone())).into();
            assert_eq!(format!("{arrived:?}"), format!("{sent:?}"));
        }
    }

    #[test]
    fn a_status_of_another_version_is_not_taken_for_one_that_is_known() {
        let status = DeliveryStatus { consumer: "mail", status: "parked", attempts: 3, handled_at: None, reason: None };
        let sent = Delivery::new(Uuid::from_u128(1).into(), status.clone());
        let unknown = Delivery { status: "resting".to_owned(), ..over_the_wire(&sent) };
        assert_eq!(sent.at("mail"), Some((Uuid::from_u128(1).into(), status)));
        assert_eq!(unknown.at("mail"), None);
    }
}
