//! The standing of an account: banned, or admin.

use kernel::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use storage::Error;
use storage::accounts::{Account, Standing};

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
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub struct Known(pub Account);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    is_banned: bool,
    is_admin: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens_from: Option<Timestamp>,
    ban_version: i64,
    roles_version: i64,
}

impl From<Form> for Known {
    fn from(form: Form) -> Self {
        let Form { is_banned, is_admin, tokens_from, ban_version, roles_version } = form;
        let standing = Standing { is_banned, is_admin, tokens_from };
        Self(Account { standing, ban_version, roles_version })
    }
}

impl From<Known> for Form {
    fn from(Known(account): Known) -> Self {
        let Account { standing: Standing { is_banned, is_admin, tokens_from }, ban_version, roles_version } = account;
        Self { is_banned, is_admin, tokens_from, ban_version, roles_version }
    }
}

impl Question for AccountStanding {
    const NAME: &'static str = "account-standing";
    type Answer = Known;

    async fn answer(self, operator: &Operator) -> Result<Known, Error> {
        operator.account(self.user_id).await.map(Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::questions::over_the_wire;

    #[test]
    fn an_account_arrives_with_its_versions() {
        let tokens_from = Some("2026-01-01T12:00:00Z".parse().unwrap());
        let standing = Standing { is_banned: true, is_admin: true, tokens_from };
        for account in [Account { standing, ban_version: 2, roles_version: 3 }, Account::default()] {
            assert_eq!(over_the_wire(&Known(account)).0, account);
        }
    }
}
