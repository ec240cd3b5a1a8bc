//! The keys by which a console checks users' tokens if no service of its process receives them.

use std::time::Duration;

use futures_util::future::join_all;
use service::Tasks;
use service::http::Keyring;
use service::operator::Keys;

use crate::Peer;

/// The time between two questions: a key is published long before it signs.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Keeps the keyring as the services have theirs, until the tasks stop. While all are unreachable it stays as it is.
pub async fn keep_keys(peers: Vec<Peer>, keyring: Keyring, tasks: Tasks) {
    while !tasks.is_stopping() {
        let answers = join_all(peers.iter().map(|peer| peer.ask(Keys {}))).await;
        let known: Vec<_> = answers.into_iter().flatten().collect();
        if !known.is_empty() {
            keyring.replace(known.into_iter().flatten().map(|key| key.0).collect());
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_AGAIN) => {}
            () = tasks.stopping() => {}
        }
    }
}
