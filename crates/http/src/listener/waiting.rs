//! The connections that wait for a request, oldest first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::overload::Client;

/// Those that may be closed to make room. Each is here between its requests only.
#[derive(Default)]
pub(super) struct Waiting {
    queue: Mutex<Queue>,
    begun: Notify,
}

#[derive(Default)]
struct Queue {
    next: u64,
    close: BTreeMap<u64, (Option<Client>, Arc<Notify>)>,
}

impl Waiting {
    /// A connection waits from now on; `close` asks it to make room. Answers with its place in the queue.
    pub fn enter(&self, client: Option<Client>, close: Arc<Notify>) -> u64 {
        let mut queue = self.lock();
        let place = queue.next;
        queue.next += 1;
        queue.close.insert(place, (client, close));
        drop(queue);
        // The one that takes connections may not have begun to wait for this: a permit is kept for it.
        self.begun.notify_one();
        place
    }

    /// It doesn't wait any more.
    pub fn leave(&self, place: u64) {
        self.lock().close.remove(&place);
    }

    /// Asks the connection to close that has waited the longest. False if none waits.
    pub fn close_oldest(&self) -> bool {
        let oldest = self.lock().close.pop_first();
        oldest.inspect(|(_, (_, close))| close.notify_one()).is_some()
    }

    /// The same among those of one client.
    pub fn close_oldest_of(&self, client: Client) -> bool {
        let mut queue = self.lock();
        let oldest = queue.close.iter().find(|(_, (of, _))| *of == Some(client)).map(|(place, _)| *place);
        let closing = oldest.and_then(|place| queue.close.remove(&place));
        closing.inspect(|(_, close)| close.notify_one()).is_some()
    }

    /// Is done when another connection begins to wait.
    pub async fn begins(&self) {
        self.begun.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
