//! Trying again what a store or a broker interrupted that was unavailable for a moment.

use std::time::{Duration, Instant};

use bus::AdapterError;
use service::storage::{self, Location};

/// The time between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Does something until no unavailable store or broker interrupts it, for as long as a server that is down is waited for:
/// not at all where the stores are files, for a full disk does not pass in half a minute.
///
/// A try may be interrupted anywhere. One that has itself waited for a server in vain ends with [`waited_in_vain`].
pub(super) async fn while_unavailable<T>(
    location: &Location,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let patience = match location {
        Location::Folder(_) => Duration::ZERO,
        Location::Postgres(server) => server.patience(),
    };
    let mut failing = Failing::default();
    loop {
        let began = Instant::now();
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if !is_passing(&error) || failing.lasts_longer_than(patience, began, Instant::now()) {
            return Err(error);
        }
        kernel::warn_limited!("{error:#}; the start is tried again");
        tokio::time::sleep(PAUSE).await;
    }
}

/// A series of tries of which none lasted long.
#[derive(Default)]
struct Failing {
    since: Option<Instant>,
}

impl Failing {
    /// Counts a try that failed; true if the series is over. A try that went well for longer than the patience begins a new
    /// one, such as after an hour of copying.
    fn lasts_longer_than(&mut self, patience: Duration, began: Instant, now: Instant) -> bool {
        if now.duration_since(began) > patience {
            self.since = None;
        }
        let since = *self.since.get_or_insert(now);
        now.duration_since(since) >= patience
    }
}

/// The error of a server that was waited for in vain: it is not waited for again.
pub(super) fn waited_in_vain(error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    if is_passing(&error) { anyhow::Error::msg(error.to_string()) } else { error }
}

fn is_passing(error: &anyhow::Error) -> bool {
    let is_store = matches!(
        error.downcast_ref::<storage::Error>(),
        Some(storage::Error::Unavailable { .. } | storage::Error::Unknown { .. })
    );
    is_store || matches!(error.downcast_ref::<AdapterError>(), Some(AdapterError::Unavailable(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn unavailable() -> storage::Error {
        storage::Error::Unavailable { store: "the store".to_owned(), detail: "connection closed".to_owned() }
    }

    #[test]
    fn short_tries_are_repeated_within_the_patience_and_long_ones_begin_a_new_series() {
        let mut failing = Failing::default();
        let mut now = Instant::now();
        let mut fails_after = |lasted: Duration| {
            let began = now;
            now += lasted;
            failing.lasts_longer_than(PATIENCE, began, now)
        };
        for _ in 0..10 {
            assert!(!fails_after(Duration::from_secs(3)));
        }
        assert!(!fails_after(PATIENCE * 20), "it copied for ten minutes");
        for _ in 0..9 {
            assert!(!fails_after(Duration::from_secs(3)));
        }
        assert!(fails_after(Duration::from_secs(3)));
        assert!(Failing::default().lasts_longer_than(Duration::ZERO, now, now), "no patience, no second try");
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_a_wait_in_vain_is_not() {
        assert!(is_passing(&unavailable().into()));
        assert!(is_passing(&AdapterError::Unavailable("starting".to_owned()).into()));
        let unusable = storage::Error::Unusable { store: "the store".to_owned(), detail: "wrong password".to_owned() };
        assert!(!is_passing(&unusable.clone().into()));
        assert!(!is_passing(&waited_in_vain(unavailable())));
        assert_eq!(waited_in_vain(unavailable()).to_string(), unavailable().to_string());
        assert!(waited_in_vain(unusable).downcast_ref::<storage::Error>().is_some(), "its kind decides the exit code");
    }
}
