//! A service as the console asks it: in this process by its operator handle, in another one over HTTP.

mod remote;

use std::collections::HashMap;
use std::time::Duration;

use axum::http::StatusCode;
use kernel::{DeadLetterId, EventId, Uuid};
use service::http::Problem;
use service::http::auth::Caller;
use service::operator::wire::{Answer, EventName, IDS_MAX, Question, WAIT_MAX};
use service::storage;
use service::storage::archive::StoredEvent;
use service::storage::held::Held;
use service::storage::outbox;
use service::storage::published_keys::PublishedKey;
use service::{Activity, DeliveryStatus, Operator};

use remote::Remote;

pub use remote::{Address, NotHttp, innermost, is_loopback};

/// The code of a problem where the only service that could answer is unreachable.
pub(crate) const PEER_AWAY: &str = "peer_away";

/// The wait before the next question, in seconds: a process that restarts is there by then.
pub(crate) const RETRY_AFTER_S: u32 = 5;

/// A service that can be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer(PeerLocation);

#[derive(Clone, Debug)]
enum PeerLocation {
    Here(Operator),
    Elsewhere(Remote),
}

/// The reason why a service did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Its store, which is in this process, can't answer.
    #[error(transparent)]
    Store(#[from] storage::Error),
    /// It is in another process, which can't be reached or says something else.
    #[error("{service} at {address} {reason}")]
    Unreachable {
        /// The service.
        service: &'static str,
        /// The address at which it was asked.
        address: String,
        /// The failure.
        reason: String,
    },
}

impl From<PeerError> for Problem {
    fn from(error: PeerError) -> Self {
        match error {
            PeerError::Store(error) => error.into(),
            PeerError::Unreachable { .. } => {
                tracing::warn!(%error, "a request was refused");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, PEER_AWAY, error.to_string()).retry_after(RETRY_AFTER_S)
            }
        }
    }
}

impl Peer {
    /// A service in this process.
    pub fn here(operator: Operator) -> Self {
        Self(PeerLocation::Here(operator))
    }

    /// A service in another process, asked with the right of this admin token.
    /// The process must have chosen its cryptography (`rustls`) before, as the program does when it begins.
    pub fn elsewhere(service: &'static str, address: Address, admin_token: &str) -> Self {
        Self(PeerLocation::Elsewhere(Remote::new(service, address, admin_token)))
    }

    /// The same, with a bound on the wait for an answer.
    #[must_use]
    pub fn answering_within(self, within: Duration) -> Self {
        let place = match self.0 {
            PeerLocation::Elsewhere(mut remote) => {
                remote.within = within;
                PeerLocation::Elsewhere(remote)
            }
            here @ PeerLocation::Here(_) => here,
        };
        Self(place)
    }

    /// The service.
    pub fn service(&self) -> &'static str {
        match &self.0 {
            PeerLocation::Here(operator) => operator.service(),
            PeerLocation::Elsewhere(remote) => remote.service,
        }
    }

    /// True if it is in another process.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.0, PeerLocation::Elsewhere(_))
    }

    /// See [`Operator::keys`].
    pub async fn keys(&self) -> Result<Vec<PublishedKey>, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.keys().await?),
            PeerLocation::Elsewhere(remote) => match remote.ask(&Question::Keys).await? {
                Answer::Keys(keys) => Ok(keys.into_iter().map(|key| key.0).collect()),
                _ => Err(remote.is_other()),
            },
        }
    }

    /// See [`Operator::events_about`].
    pub async fn events_about(&self, subject: Uuid, limit: i64) -> Result<Vec<StoredEvent>, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.events_about(subject, limit).await?),
            PeerLocation::Elsewhere(remote) => remote.events(Question::EventsAbout { subject, limit }).await,
        }
    }

    /// See [`Operator::events_before`].
    pub async fn events_before(
        &self,
        before: EventId,
        event_type: Option<String>,
        subject: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.events_before(before, event_type, subject, limit).await?),
            PeerLocation::Elsewhere(remote) => {
                remote.events(Question::EventsBefore { before, event_type, subject, limit }).await
            }
        }
    }

    /// See [`Operator::events_to_come`]; waits as long as an answer may.
    pub async fn events_to_come(&self, position: i64, limit: i64) -> Result<Vec<StoredEvent>, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.events_to_come(position, limit, WAIT_MAX).await?),
            PeerLocation::Elsewhere(remote) => remote.events_to_come(position, limit).await,
        }
    }

    /// See [`Operator::event`].
    pub async fn event(&self, event_id: EventId) -> Result<Option<StoredEvent>, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.event(event_id).await?),
            PeerLocation::Elsewhere(remote) => match remote.ask(&Question::Event { event_id }).await? {
                Answer::Event(found) => Ok(found.map(|event| event.0)),
                _ => Err(remote.is_other()),
            },
        }
    }

    /// See [`Operator::newest_position`].
    pub async fn newest_position(&self) -> Result<i64, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.newest_position().await?),
            PeerLocation::Elsewhere(remote) => match remote.ask(&Question::NewestPosition).await? {
                Answer::Position(position) => Ok(position),
                _ => Err(remote.is_other()),
            },
        }
    }

    /// See [`Operator::deliveries`].
    pub async fn deliveries(&self, events: &[(EventId, &str)]) -> Result<HashMap<EventId, DeliveryStatus>, PeerError> {
        let remote = match &self.0 {
            PeerLocation::Here(operator) => return Ok(operator.deliveries(events).await?),
            PeerLocation::Elsewhere(remote) => remote,
        };
        let mut all = HashMap::new();
        for events in events.chunks(IDS_MAX) {
            let name = |(event_id, event_type): &(EventId, &str)| EventName {
                event_id: *event_id,
                event_type: (*event_type).to_owned(),
            };
            let asked = Question::Deliveries { events: events.iter().map(name).collect() };
            let Answer::Deliveries(deliveries) = remote.ask(&asked).await? else { return Err(remote.is_other()) };
            for delivery in deliveries {
                let (event_id, status) = delivery.at(remote.service).ok_or_else(|| remote.is_other())?;
                all.insert(event_id, status);
            }
        }
        Ok(all)
    }

    /// See [`Operator::dead_letters`].
    pub async fn dead_letters(&self, before: DeadLetterId, limit: i64) -> Result<Vec<Held>, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.dead_letters(before, limit).await?),
            PeerLocation::Elsewhere(remote) => match remote.ask(&Question::DeadLetters { before, limit }).await? {
                Answer::DeadLetters(letters) => Ok(letters.into_iter().map(|letter| letter.0).collect()),
                _ => Err(remote.is_other()),
            },
        }
    }

    /// See [`Operator::dead_letter`].
    pub async fn dead_letter(&self, id: DeadLetterId) -> Result<Option<Held>, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.dead_letter(id).await?),
            PeerLocation::Elsewhere(remote) => match remote.ask(&Question::DeadLetter { id }).await? {
                Answer::DeadLetter(found) => Ok(found.map(|letter| letter.0)),
                _ => Err(remote.is_other()),
            },
        }
    }

    /// See [`Operator::replay`].
    pub async fn replay(&self, id: DeadLetterId) -> Result<bool, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.replay(id).await?),
            PeerLocation::Elsewhere(remote) => remote.done(Question::Replay { id }).await,
        }
    }

    /// See [`Operator::discard`].
    pub async fn discard(&self, id: DeadLetterId) -> Result<bool, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.discard(id).await?),
            PeerLocation::Elsewhere(remote) => remote.done(Question::Discard { id }).await,
        }
    }

    /// See [`Operator::republish`].
    pub async fn republish(&self, after: EventId, limit: i64) -> Result<outbox::Republished, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.republish(after, limit).await?),
            PeerLocation::Elsewhere(remote) => match remote.ask(&Question::Republish { after, limit }).await? {
                Answer::Republished { events, up_to } => Ok(outbox::Republished { events, up_to }),
                _ => Err(remote.is_other()),
            },
        }
    }

    /// See [`Operator::activity`].
    pub async fn activity(&self) -> Result<Activity, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.activity().await?),
            PeerLocation::Elsewhere(remote) => match remote.ask(&Question::Activity).await? {
                Answer::Activity(activity) => Ok(activity),
                _ => Err(remote.is_other()),
            },
        }
    }

    /// See [`Operator::may_read`].
    pub async fn may_read(&self, subject: Uuid, caller: Caller) -> Result<Option<bool>, PeerError> {
        match &self.0 {
            PeerLocation::Here(operator) => Ok(operator.may_read(subject, caller).await?),
            PeerLocation::Elsewhere(remote) => {
                match remote.ask(&Question::MayRead { subject, caller: caller.into() }).await? {
                    Answer::MayRead(allowed) => Ok(allowed),
                    _ => Err(remote.is_other()),
                }
            }
        }
    }
}
