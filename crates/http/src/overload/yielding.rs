//! Work that can wait yields: background work under high request load, for people wait for their answers, and services
//! for which nothing of the shop waits also while others have many events to handle. What follows is in the store.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kernel::SignedDuration;

/// The time for which high load counts after it was seen: a commit answers many at once, and as many come back.
const GONE_AFTER: Duration = Duration::from_millis(50);

/// The time after which it counts: requests that gather while the disk is slow for a moment are no high load.
const THERE_AFTER: Duration = Duration::from_millis(200);

/// The longest of each wait: whoever waits has deliveries or leases in its hands.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The time between two looks at the load.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The load to which work yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YieldsTo {
    /// High request load.
    Requests,
    /// High request load, and many events to handle in services that do not yield to others.
    Others,
}

/// Remembers when high load was seen, and holds back what can wait. Clones share it.
#[derive(Clone, Debug)]
pub struct Yielding {
    requests: Arc<HighLoad>,
    events: Arc<HighLoad>,
    /// Services that yield to the others.
    services: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Default for Yielding {
    fn default() -> Self {
        Self::since(Instant::now())
    }
}

impl YieldsTo {
    /// The age of work that no longer yields. A burst may last as long; then both get their share.
    const fn waited_enough(self) -> Duration {
        match self {
            Self::Requests => Duration::from_secs(10),
            Self::Others => Duration::from_mins(1),
        }
    }
}

impl Yielding {
    fn since(began: Instant) -> Self {
        Self {
            requests: Arc::new(HighLoad::since(began)),
            events: Arc::new(HighLoad::since(began)),
            services: Arc::default(),
        }
    }

    /// Records high request load.
    pub(crate) fn note_high_load(&self) {
        self.requests.seen(Instant::now());
    }

    /// Records that a service of the process yields to the others.
    pub fn add_service(&self, name: &'static str) {
        self.services().insert(name);
    }

    /// Tests if a service of the process yields to the others.
    pub fn has_service(&self, name: &str) -> bool {
        self.services().contains(name)
    }

    fn services(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a service is about to handle some of many events.
    pub fn note_many_events(&self) {
        self.events.seen(Instant::now());
    }

    /// Records that a service handles some of many events, for as long as the answer is held.
    #[must_use]
    pub fn many_events(&self) -> ManyEvents {
        if self.events.in_progress.fetch_add(1, Ordering::SeqCst) == 0 {
            self.events.seen(Instant::now());
        }
        ManyEvents(self.events.clone())
    }

    /// Waits while there is load to which it yields, for ten seconds at the most. Work that is old enough does not wait: ten
    /// seconds where it yields to requests alone, and a minute otherwise.
    pub async fn wait(&self, to: YieldsTo, age: SignedDuration) {
        let left = to.waited_enough().saturating_sub(Duration::try_from(age).unwrap_or_default());
        self.wait_at_most(to, left.min(WAIT_MAX)).await;
    }

    /// Waits while there is load to which it yields, for this time at the most, however old the work is.
    pub async fn wait_at_most(&self, to: YieldsTo, longest: Duration) {
        let began = Instant::now();
        while began.elapsed() < longest && self.is_load(to, Instant::now()) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn is_load(&self, to: YieldsTo, now: Instant) -> bool {
        self.requests.is_there(now) || (to == YieldsTo::Others && self.events.is_there(now))
    }

    #[cfg(test)]
    pub(crate) fn has_seen_any(&self) -> bool {
        self.requests.last.load(Ordering::Relaxed) > 0
    }
}

/// The handling of some of many events.
#[derive(Debug)]
pub struct ManyEvents(Arc<HighLoad>);

impl Drop for ManyEvents {
    fn drop(&mut self) {
        // It was there all the time since it began.
        self.0.last.store(self.0.micros(Instant::now()), Ordering::Relaxed);
        self.0.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Both times are in microseconds since its beginning.
#[derive(Debug)]
struct HighLoad {
    began: Instant,
    since: AtomicU64,
    last: AtomicU64,
    /// Pieces of work that are load until they end.
    in_progress: AtomicUsize,
}

impl HighLoad {
    fn since(began: Instant) -> Self {
        Self { began, since: AtomicU64::new(0), last: AtomicU64::new(0), in_progress: AtomicUsize::new(0) }
    }

    fn seen(&self, now: Instant) {
        let now = self.micros(now);
        let last = self.last.swap(now, Ordering::Relaxed);
        if last == 0 || now.saturating_sub(last) > micros(GONE_AFTER) {
            self.since.store(now, Ordering::Relaxed);
        }
    }

    /// True if high load has lasted for some time, and is not over.
    fn is_there(&self, now: Instant) -> bool {
        let now = self.micros(now);
        let (since, last) = (self.since.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        let is_on = self.in_progress.load(Ordering::SeqCst) > 0 || now.saturating_sub(last) <= micros(GONE_AFTER);
        last > 0 && is_on && now.saturating_sub(since) >= micros(THERE_AFTER)
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
    fn high_load_must_last_and_is_over_when_it_is_not_seen_for_a_moment() {
        let began = Instant::now();
        let yielding = Yielding::since(began);
        let load = &yielding.requests;
        let at = |millis| began + Duration::from_millis(millis);
        assert!(!load.is_there(at(1_000)));
        for millis in (1_000..1_200).step_by(20) {
            load.seen(at(millis));
            assert!(!load.is_there(at(millis)), "it may be a moment's");
        }
        load.seen(at(1_200));
        assert!(load.is_there(at(1_200)) && load.is_there(at(1_250)));
        assert!(!load.is_there(at(1_251)));
        load.seen(at(1_300));
        assert!(!load.is_there(at(1_300)), "it is another one");
    }

    #[tokio::test]
    async fn work_yields_to_high_load_until_that_is_over_or_the_work_is_old() {
        let now = Instant::now();
        let ago = |millis| now.checked_sub(Duration::from_millis(millis)).expect("the machine runs for a second");
        let yielding = Yielding::since(ago(1_000));
        let is_held_up = async |age| {
            let age = SignedDuration::from_secs(age);
            futures_util::poll!(Box::pin(yielding.wait(YieldsTo::Requests, age))).is_pending()
        };
        (0..300).rev().step_by(20).for_each(|millis| yielding.requests.seen(ago(millis)));

        assert!(is_held_up(0).await && is_held_up(9).await);
        assert!(!is_held_up(10).await, "it has waited enough");
        let at_most = async |longest| futures_util::poll!(Box::pin(yielding.wait_at_most(YieldsTo::Others, longest)));
        assert!(at_most(Duration::from_secs(1)).await.is_pending() && at_most(Duration::ZERO).await.is_ready());
        yielding.wait(YieldsTo::Requests, SignedDuration::ZERO).await;
        assert!(!is_held_up(0).await, "nobody was seen any more");
    }

    #[test]
    fn many_events_are_load_while_they_are_handled_and_only_to_what_yields_to_them() {
        let began = Instant::now();
        let yielding = Yielding::since(began);
        let many = yielding.many_events();
        let later = began + Duration::from_secs(1);
        assert!(!yielding.is_load(YieldsTo::Others, Instant::now()), "they may be a moment's");
        assert!(yielding.is_load(YieldsTo::Others, later), "a window takes its time");
        assert!(!yielding.is_load(YieldsTo::Requests, later));
        drop(many);
        assert!(!yielding.is_load(YieldsTo::Others, later + Duration::from_secs(1)));
    }
}
