//! The standing of an account: banned, or admin.

use kernel::UserId;
use serde::{Deserialize, Serialize};
use storage::Error;
use storage::accounts::Standing;

use crate::operator::Operator;
use crate::operator::question::Question;

/// The standing of one account as the service's store has it now.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountStanding {
    /// The account.
    pub user_id: UserId,
}

/// The answer to [`AccountStanding`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Known(#[serde(with = "Form")] pub Standing);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Standing", deny_unknown_fields)]
struct Form {
    is_banned: bool,
    is_admin: bool,
}

impl Question for AccountStanding {
    const NAME: &'static str = "account-standing";
    type Answer = Known;

    async fn answer(self, operator: &Operator) -> Result<Known, Error> {
        operator.standing(self.user_id).await.map(Known)
    }
}
