//! A service's archive.

use std::time::Duration;

use kernel::{Envelope, EventId, Uuid};
use serde::{Deserialize, Serialize};
use storage::Error;
use storage::archive::StoredEvent;

use crate::operator::question::{Question, WAIT_MAX, rows};
use crate::operator::{Operator, as_base64};

/// An event as it was committed.
#[derive(Debug, Serialize, Deserialize)]
pub struct ArchivedEvent(#[serde(with = "Form")] pub StoredEvent);

#[derive(Serialize, Deserialize)]
#[serde(remote = "StoredEvent", deny_unknown_fields)]
struct Form {
    position: i64,
    envelope: Envelope,
    #[serde(with = "as_base64")]
    body: Vec<u8>,
}

/// Events about a subject, oldest first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is an argument of `Operator::events_about`")]
pub struct EventsAbout {
    pub subject: Uuid,
    pub limit: i64,
}

impl Question for EventsAbout {
    const NAME: &'static str = "events-about";
    type Answer = Vec<ArchivedEvent>;

    async fn answer(self, operator: &Operator) -> Result<Vec<ArchivedEvent>, Error> {
        Ok(archived(operator.events_about(self.subject, rows(self.limit)).await?))
    }
}

/// Events older than one, newest first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is an argument of `Operator::events_before`")]
pub struct EventsBefore {
    pub before: EventId,
    pub event_type: Option<String>,
    pub subject: Option<Uuid>,
    pub limit: i64,
}

impl Question for EventsBefore {
    const NAME: &'static str = "events-before";
    type Answer = Vec<ArchivedEvent>;

    async fn answer(self, operator: &Operator) -> Result<Vec<ArchivedEvent>, Error> {
        let Self { before, event_type, subject, limit } = self;
        Ok(archived(operator.events_before(before, event_type, subject, rows(limit)).await?))
    }
}

/// Events after a position, oldest first; the answer waits until there is one, as long as it may.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is an argument of `Operator::events_to_come`")]
pub struct EventsToCome {
    pub position: i64,
    pub limit: i64,
}

impl Question for EventsToCome {
    const NAME: &'static str = "events-to-come";
    type Answer = Vec<ArchivedEvent>;

    async fn answer(self, operator: &Operator) -> Result<Vec<ArchivedEvent>, Error> {
        Ok(archived(operator.events_to_come(self.position, rows(self.limit), WAIT_MAX).await?))
    }

    fn may_wait(&self) -> Duration {
        WAIT_MAX
    }
}

/// One event, if the service emitted it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "it is the argument of `Operator::event`")]
pub struct EventById {
    pub event_id: EventId,
}

impl Question for EventById {
    const NAME: &'static str = "event";
    type Answer = Option<ArchivedEvent>;

    async fn answer(self, operator: &Operator) -> Result<Option<ArchivedEvent>, Error> {
        Ok(operator.event(self.event_id).await?.map(ArchivedEvent))
    }
}

/// The position of the newest event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewestPosition {}

impl Question for NewestPosition {
    const NAME: &'static str = "newest-position";
    type Answer = i64;

    async fn answer(self, operator: &Operator) -> Result<i64, Error> {
        operator.newest_position().await
    }
}

fn archived(events: Vec<StoredEvent>) -> Vec<ArchivedEvent> {
    events.into_iter().map(ArchivedEvent).collect()
}
