//! Parts that the adapters of brokers on a server share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernel::{Ids, Lane};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::PublishResult;

/// The time for which a refusal is reported: longer than the wait before the next attempt of whoever was refused.
const REPORTED_FOR: Duration = Duration::from_secs(30);

/// The bound of the first wait after a failure. It doubles with each failure, and each wait is drawn evenly below it,
/// so that all who lost a broker at once don't come back at once.
const FIRST_WAIT_MAX: Duration = Duration::from_millis(200);

/// A connection that lasts as long did work; one that ends before counts as one more failure.
const STEADY: Duration = Duration::from_secs(5);

/// One of each lane.
#[derive(Clone, Debug)]
pub struct EachLane<T> {
    /// That of the immediate lane.
    pub immediate: T,
    /// That of the background lane.
    pub background: T,
}

impl<T> EachLane<T> {
    /// Two that are made alike.
    pub fn new(make: impl Fn() -> T) -> Self {
        Self { immediate: make(), background: make() }
    }

    /// That of a lane.
    pub fn of(&self, lane: Lane) -> &T {
        match lane {
            Lane::Immediate => &self.immediate,
            Lane::Background => &self.background,
        }
    }
}

/// The waits between attempts to connect.
#[derive(Clone, Debug)]
pub struct Waits {
    max: Duration,
    ids: Ids,
    failures: u32,
}

impl Waits {
    /// Waits of at most `max`.
    pub fn new(max: Duration, ids: Ids) -> Self {
        Self { max, ids, failures: 0 }
    }

    /// The wait after something that lasted as long.
    pub fn after(&mut self, lasted: Duration) -> Duration {
        self.failures = if lasted > STEADY { 1 } else { self.failures.saturating_add(1) };
        let bound = FIRST_WAIT_MAX.saturating_mul(1 << (self.failures - 1).min(16)).min(self.max);
        self.ids.jitter(bound)
    }
}

/// The last refusal of a broker and its time, kept while it is worth reporting. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct RecentErrors(Arc<Mutex<Option<(Instant, String)>>>);

impl RecentErrors {
    /// Keeps a refusal in the place of the one before.
    pub fn note(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), reason));
    }

    /// The refusal within the last half minute.
    pub fn recent(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < REPORTED_FOR).map(|(_, reason)| reason.clone())
    }
}

/// The result of a publish that a broker confirms within a deadline.
pub async fn confirmed(confirmation: oneshot::Receiver<PublishResult>, deadline: Duration) -> PublishResult {
    let unknown = |detail: String| PublishResult::Unknown { detail };
    match timeout(deadline, confirmation).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => unknown("the connection broke before it was confirmed".to_owned()),
        Err(_) => unknown(format!("it was not confirmed within {deadline:?}")),
    }
}
