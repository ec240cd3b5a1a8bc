//! The services as admin asks them for their dead letters: the same way as a console does.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use admin::{DeadLetters, ServiceDeadLetters};
use console::Peer;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use service::operator::CountParked;

/// The wait for a service's answer: reading a number takes milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// All services, once those of this process are started: before, none can be asked. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub struct AskedDeadLetters(Arc<OnceLock<Vec<Peer>>>);

impl AskedDeadLetters {
    /// Asks these from now on.
    pub fn ask_from_now_on(&self, peers: Vec<Peer>) {
        let peers = peers.into_iter().map(|peer| peer.answering_within(ANSWER_WITHIN)).collect();
        // Only the first attempt to start that succeeds sets it.
        let _ = self.0.set(peers);
    }
}

impl DeadLetters for AskedDeadLetters {
    fn ask(&self) -> BoxFuture<'_, Vec<ServiceDeadLetters>> {
        let peers = self.0.get().map(Vec::as_slice).unwrap_or_default();
        let ask = |peer: &Peer| {
            let peer = peer.clone();
            async move {
                match peer.ask(CountParked {}).await {
                    Ok(parked) => {
                        Some(ServiceDeadLetters { service: peer.service(), count: parked.count, newest: parked.newest })
                    }
                    Err(error) => {
                        kernel::warn_limited!(%error, "a service can't be asked for its dead letters");
                        None
                    }
                }
            }
        };
        join_all(peers.iter().map(ask)).map(|answers| answers.into_iter().flatten().collect()).boxed()
    }
}
