//! Whether more requests come than there is time for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a crowd is taken to be there after it was seen: a commit answers many at once, and as many come back.
const GONE_AFTER: Duration = Duration::from_millis(50);

/// How long it must have been there: what gathers while the disk is slow for a moment is none.
const THERE_AFTER: Duration = Duration::from_millis(200);

/// Remembers when a crowd was seen. Both times are in microseconds since its beginning.
#[derive(Debug)]
pub(super) struct Crowd {
    began: Instant,
    since: AtomicU64,
    last: AtomicU64,
}

impl Crowd {
    /// Nobody was seen yet.
    pub fn new(now: Instant) -> Self {
        Self { began: now, since: AtomicU64::new(0), last: AtomicU64::new(0) }
    }

    /// A crowd is seen.
    pub fn seen(&self, now: Instant) {
        let now = self.micros(now);
        let last = self.last.swap(now, Ordering::Relaxed);
        if last == 0 || now.saturating_sub(last) > micros(GONE_AFTER) {
            self.since.store(now, Ordering::Relaxed);
        }
    }

    /// Whether a crowd has been there for some time, and is not gone.
    pub fn is_there(&self, now: Instant) -> bool {
        let now = self.micros(now);
        let (since, last) = (self.since.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        last > 0 && now.saturating_sub(last) <= micros(GONE_AFTER) && now.saturating_sub(since) >= micros(THERE_AFTER)
    }

    #[cfg(test)]
    pub fn was_seen(&self) -> bool {
        self.last.load(Ordering::Relaxed) > 0
    }

    fn micros(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.began)).max(1)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_one_that_stays_and_is_gone_when_it_is_not_seen_for_a_moment() {
        let began = Instant::now();
        let crowd = Crowd::new(began);
        let at = |millis| began + Duration::from_millis(millis);
        assert!(!crowd.is_there(at(1_000)));
        for millis in (1_000..1_200).step_by(20) {
            crowd.seen(at(millis));
            assert!(!crowd.is_there(at(millis)), "it may be a moment's");
        }
        crowd.seen(at(1_200));
        assert!(crowd.is_there(at(1_200)) && crowd.is_there(at(1_250)));
        assert!(!crowd.is_there(at(1_251)));
        crowd.seen(at(1_300));
        assert!(!crowd.is_there(at(1_300)), "it is another one");
    }
}
