//! State of a subject at a service: its status, its timers, and its events that are not sent.

use kernel::{EventId, Timestamp, Uuid};
use serde::{Deserialize, Serialize};
use storage::{Error, outbox, timers};

use crate::operator::Operator;
use crate::operator::question::Question;

/// Timers and unsent events of one answer at most. A subject has a handful.
const ROWS: i64 = 100;

/// The state of a subject at a service, its timers there, and its events that are not sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookAt {
    /// The subject.
    pub subject: Uuid,
}

/// The answer to [`LookAt`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outlook {
    /// The state, if the service knows the subject.
    pub state: Option<SubjectState>,
    /// Timers about it.
    pub timers: Vec<PendingTimer>,
    /// Events about it that are committed and not sent, oldest first.
    pub unsent: Vec<EventId>,
}

/// The state of a subject at a service that knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectState {
    /// The status by its name.
    pub status: String,
    /// The status of a part on which it depends, such as an order's payment.
    pub part: Option<String>,
    /// The time of its last change.
    pub since: Timestamp,
    /// Other keys under which the service has timers about it.
    pub keys: Vec<Uuid>,
}

/// A timer of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the field of `timers::PendingTimer` of this name")]
pub struct PendingTimer {
    pub name: String,
    pub due_at: Timestamp,
    pub attempts: i64,
    pub is_leased: bool,
}

impl Question for LookAt {
    const NAME: &'static str = "outlook";
    type Answer = Outlook;

    async fn answer(self, operator: &Operator) -> Result<Outlook, Error> {
        let state = operator.state_of(self.subject).await?;
        let keys = state.iter().flat_map(|state| state.keys.iter().copied()).chain([self.subject]).collect();
        let db = &operator.ctx.db;
        let pending = |timer: timers::PendingTimer| {
            let timers::PendingTimer { name, due_at, attempts, is_leased } = timer;
            PendingTimer { name, due_at, attempts, is_leased }
        };
        let timers = timers::of_keys(db, keys, ROWS).await?.into_iter().map(pending).collect();
        Ok(Outlook { state, timers, unsent: outbox::unsent_about(db, self.subject, ROWS).await? })
    }
}
