//! Unfinished work.

use serde::{Deserialize, Serialize};
use storage::Error;

use crate::operator::question::Question;
use crate::operator::{Activity, Operator};

/// The unfinished work of a service. The running handlers in it are those of the instance that answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookForActivity {}

impl Question for LookForActivity {
    const NAME: &'static str = "activity";
    type Answer = Activity;

    async fn answer(self, operator: &Operator) -> Result<Activity, Error> {
        operator.activity().await
    }
}
