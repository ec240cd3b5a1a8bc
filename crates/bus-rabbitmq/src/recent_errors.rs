//! What the broker refused, for as long as somebody may want to know.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long it is spoken of: longer than whoever was refused waits before the next try.
const SPOKEN_OF: Duration = Duration::from_secs(30);

/// What was refused last. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<(Instant, String)>>>);

impl Trouble {
    pub fn note(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), reason));
    }

    /// What was refused within the last half minute.
    pub fn recent(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < SPOKEN_OF).map(|(_, reason)| reason.clone())
    }
}
