//! A service's sums of what it keeps.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use storage::Error;

use crate::operator::Operator;
use crate::operator::question::Question;

/// The sums of a service by name, which others keep too: none if it declares none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadSums {}

impl Question for ReadSums {
    const NAME: &'static str = "sums";
    type Answer = HashMap<String, i64>;

    async fn answer(self, operator: &Operator) -> Result<HashMap<String, i64>, Error> {
        operator.sums().await
    }
}
