//! Sending events again.

use kernel::EventId;
use serde::{Deserialize, Serialize};
use storage::Error;
use storage::outbox;

use crate::operator::Operator;
use crate::operator::question::{Question, rows};

/// Sends events after one again, oldest first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is an argument of `Operator::republish`")]
pub struct RepublishAfter {
    pub after: EventId,
    pub limit: i64,
}

/// The number of events that are sent again, and the last of them, if there are more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the field of `outbox::Republished` of this name")]
pub struct Republished {
    pub events: usize,
    pub up_to: Option<EventId>,
}

impl Question for RepublishAfter {
    const NAME: &'static str = "republish";
    type Answer = Republished;

    async fn answer(self, operator: &Operator) -> Result<Republished, Error> {
        let outbox::Republished { events, up_to } = operator.republish(self.after, rows(self.limit)).await?;
        Ok(Republished { events, up_to })
    }
}
