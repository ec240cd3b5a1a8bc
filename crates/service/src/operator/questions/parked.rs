//! The number of a service's dead letters.

use kernel::Uuid;
use serde::{Deserialize, Serialize};
use storage::{Error, held};

use crate::operator::Operator;
use crate::operator::question::Question;

/// The number of a service's dead letters, for whoever watches it: their bodies stay where they are.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountParked {}

/// The number of dead letters, and the type of the newest one's event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the struct's documentation says both")]
pub struct Parked {
    pub count: i64,
    pub newest: Option<String>,
}

impl Question for CountParked {
    const NAME: &'static str = "parked";
    type Answer = Parked;

    async fn answer(self, operator: &Operator) -> Result<Parked, Error> {
        let count = held::counts(&operator.ctx.db).await?.parked;
        if count == 0 {
            return Ok(Parked { count, newest: None });
        }
        let newest = operator.dead_letters(Uuid::max().into(), 1).await?;
        Ok(Parked { count, newest: newest.into_iter().next().map(|held| held.envelope.event_type) })
    }
}
