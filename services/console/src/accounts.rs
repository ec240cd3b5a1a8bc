//! The accounts that are banned or have roles, as the services know them.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use kernel::UserId;
use service::http::{Accounts, Problem};
use service::operator::{AccountStanding, Known};
use service::storage::accounts::{Account, Standing};
use tokio::time::Instant;

use crate::Peer;
use crate::peer::{PEER_AWAY, RETRY_AFTER_S};

/// The time in which services answer who are not late: a read by key and a way there and back take milliseconds. One that
/// hangs costs each request of a user so much.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// Asks the services at each request with a user's token: nothing is kept, so that a banned user is refused here as soon
/// as there.
#[derive(Clone, Debug)]
pub struct AskedAccounts(Arc<Vec<Peer>>);

impl AskedAccounts {
    /// Asks these: a service of this process if there is one, else all at once, and what is newest of their answers
    /// counts, for a service whose broker is unreachable does not know a ban yet. One that takes longer than half a second
    /// is left out, unless none is faster.
    pub fn of(peers: Arc<Vec<Peer>>) -> Self {
        Self(peers)
    }

    async fn ask(&self, user_id: UserId) -> Result<Standing, Problem> {
        let question = || AccountStanding { user_id };
        if let Some(here) = self.0.iter().find(|peer| !peer.is_elsewhere()) {
            let Known(account) = here.ask(question()).await?;
            return Ok(account.standing);
        }
        let (mut known, mut failed) = (Vec::new(), None);
        let mut asked: FuturesUnordered<_> = self.0.iter().map(|peer| peer.ask(question())).collect();
        let deadline = Instant::now() + ANSWER_WITHIN;
        loop {
            let answer = if known.is_empty() {
                asked.next().await
            } else {
                tokio::time::timeout_at(deadline, asked.next()).await.unwrap_or_default()
            };
            match answer {
                Some(Ok(Known(account))) => known.push(account),
                Some(Err(error)) => failed = Some(error),
                None => break,
            }
        }
        newest(&known).ok_or_else(|| failed.map_or_else(nobody, Problem::from))
    }
}

/// The standing by the newest ban and the newest roles that anybody knows; the strictest of those that are as new.
fn newest(known: &[Account]) -> Option<Standing> {
    let of_bans = |account: &&Account| {
        let Standing { is_banned, tokens_from, .. } = account.standing;
        (account.ban_version, is_banned, tokens_from)
    };
    let of_roles = |account: &&Account| (account.roles_version, !account.standing.is_admin);
    let (bans, roles) = (known.iter().max_by_key(of_bans)?, known.iter().max_by_key(of_roles)?);
    Some(Standing { is_admin: roles.standing.is_admin, ..bans.standing })
}

fn nobody() -> Problem {
    let detail = "no service can say if the account is banned: try again later";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, PEER_AWAY, detail).retry_after(RETRY_AFTER_S)
}

impl Accounts for AskedAccounts {
    fn standing(&self, user_id: UserId) -> BoxFuture<'_, Result<Standing, Problem>> {
        Box::pin(self.ask(user_id))
    }
}

#[cfg(test)]
mod tests {
    use kernel::Timestamp;

    use super::*;

    fn account((is_banned, ban_version): (bool, i64), (is_admin, roles_version): (bool, i64)) -> Account {
        let tokens_from = (ban_version > 0).then(|| Timestamp::from_second(ban_version).unwrap());
        Account { standing: Standing { is_banned, is_admin, tokens_from }, ban_version, roles_version }
    }

    #[test]
    fn the_newest_ban_and_the_newest_roles_count_whoever_knows_them() {
        let unknown = Account::default();
        let (banned, unbanned) = (account((true, 2), (false, 0)), account((false, 3), (false, 0)));
        let (promoted, demoted) = (account((false, 0), (true, 2)), account((false, 0), (false, 3)));
        for (known, is_banned, is_admin, version) in [
            (&[unknown, banned][..], true, false, 2),
            (&[banned, unbanned, unknown], false, false, 3),
            (&[promoted, unknown], false, true, 0),
            (&[demoted, promoted], false, false, 0),
            (&[unknown, promoted, banned], true, true, 2),
        ] {
            let mut orders = [known.to_vec(), known.to_vec()];
            orders[1].reverse();
            for known in orders {
                let standing = newest(&known).unwrap();
                assert_eq!((standing.is_banned, standing.is_admin), (is_banned, is_admin), "{known:?}");
                let tokens_from = (version > 0).then(|| Timestamp::from_second(version).unwrap());
                assert_eq!(standing.tokens_from, tokens_from, "of the same ban: {known:?}");
            }
        }
        assert_eq!(newest(&[]), None);
    }
}
