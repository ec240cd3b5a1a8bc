//! The accounts that are banned or have roles, as the services know them.

use std::sync::Arc;

use axum::http::StatusCode;
use futures_util::future::{BoxFuture, select_ok};
use kernel::UserId;
use service::http::{Accounts, Problem};
use service::operator::{AccountStanding, Known};
use service::storage::accounts::Standing;

use crate::peer::{PEER_AWAY, RETRY_AFTER_S};
use crate::{Peer, PeerError};

/// Asks the services at each request with a user's token: nothing is kept, so that a banned user is refused here as soon
/// as there.
#[derive(Clone, Debug)]
pub struct AskedAccounts(Arc<Vec<Peer>>);

impl AskedAccounts {
    /// Asks these: a service of this process if there is one, else all at once, and the first that answers counts.
    pub fn of(peers: Arc<Vec<Peer>>) -> Self {
        Self(peers)
    }

    async fn ask(&self, user_id: UserId) -> Result<Standing, Problem> {
        let question = || AccountStanding { user_id };
        let known = |answer: Result<Known, PeerError>| answer.map(|Known(standing)| standing).map_err(Problem::from);
        if let Some(here) = self.0.iter().find(|peer| !peer.is_elsewhere()) {
            return known(here.ask(question()).await);
        }
        let asked: Vec<_> = self.0.iter().map(|peer| Box::pin(peer.ask(question()))).collect();
        if asked.is_empty() {
            let detail = "no service can say if the account is banned: try again later";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, PEER_AWAY, detail).retry_after(RETRY_AFTER_S));
        }
        known(select_ok(asked).await.map(|(answer, _others)| answer))
    }
}

impl Accounts for AskedAccounts {
    fn standing(&self, user_id: UserId) -> BoxFuture<'_, Result<Standing, Problem>> {
        Box::pin(self.ask(user_id))
    }
}
