//! The last refusal of the broker, kept while it is worth reporting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time for which it is reported: longer than the wait before the next attempt of whoever was refused.
const REPORTED_FOR: Duration = Duration::from_secs(30);

/// The last refusal, and its time. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct RecentErrors(Arc<Mutex<Option<(Instant, String)>>>);

impl RecentErrors {
    pub fn note(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), reason));
    }

    /// The refusal within the last half minute.
    pub fn recent(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < REPORTED_FOR).map(|(_, reason)| reason.clone())
    }
}
