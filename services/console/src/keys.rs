//! The keys by which a console checks users' tokens that has no service in its process which is told of them.

use std::time::Duration;

use futures_util::future::join_all;
use service::Tasks;
use service::http::Keyring;

use crate::Peer;

/// The time between two questions: a key is told long before it signs.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Keeps the keyring as the services have theirs, until the tasks stop. While all are away it stays as it is.
pub async fn keep_keys(peers: Vec<Peer>, keyring: Keyring, tasks: Tasks) {
    while !tasks.is_stopping() {
        let told = join_all(peers.iter().map(Peer::keys)).await;
        let told: Vec<_> = told.into_iter().flatten().collect();
        if !told.is_empty() {
            keyring.replace(told.into_iter().flatten().collect());
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_AGAIN) => {}
            () = tasks.stopping() => {}
        }
    }
}
