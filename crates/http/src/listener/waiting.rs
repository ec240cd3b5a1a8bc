//! The connections that wait for a request, oldest first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Those that may be closed to make room. Each is here between its requests only.
#[derive(Default)]
pub(super) struct Waiting {
    queue: Mutex<Queue>,
    begun: Notify,
}

#[derive(Default)]
struct Queue {
    next: u64,
    close: BTreeMap<u64, Arc<Notify>>,
}

impl Waiting {
    /// A connection waits from now on; `close` tells it to make room. Answers with its place in the queue.
    pub fn enter(&self, close: Arc<Notify>) -> u64 {
        let mut queue = self.lock();
        let place = queue.next;
        queue.next += 1;
        queue.close.insert(place, close);
        drop(queue);
        // The one that takes connections may not have begun to listen for this: a permit is kept for it.
        self.begun.notify_one();
        place
    }

    /// It doesn't wait any more.
    pub fn leave(&self, place: u64) {
        self.lock().close.remove(&place);
    }

    /// Tells the connection to close that has waited the longest. False if none waits.
    pub fn close_oldest(&self) -> bool {
        let oldest = self.lock().close.pop_first();
        oldest.inspect(|(_, close)| close.notify_one()).is_some()
    }

    /// Is done when another connection begins to wait.
    pub async fn begins(&self) {
        self.begun.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
