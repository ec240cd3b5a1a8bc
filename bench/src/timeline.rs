//! The times at which each event was committed and took effect.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::sync::{Notify, Semaphore};

/// Events by their numbers, from 0. Times are nanoseconds since it was made; 0 is never.
pub(crate) struct Timeline {
    began: Instant,
    committed: Vec<AtomicU64>,
    done: Vec<AtomicU64>,
    count: AtomicUsize,
    twice: AtomicUsize,
    changed: Notify,
    /// One permit for each effect: whoever takes them before emitting more bounds what is in flight.
    pub room: Semaphore,
}

/// The median and the 99th percentile.
pub(crate) struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Latency {
    /// Of some times, by nearest rank: no more than half of them, or one in a hundred, took longer.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |of_100: usize| times.get((times.len() * of_100).div_ceil(100).saturating_sub(1));
        let ms = |of_100: usize| at(of_100).map_or(0.0, |time| time.as_secs_f64() * 1_000.0);
        Self { p50_ms: ms(50), p99_ms: ms(99) }
    }
}

impl Timeline {
    pub fn new(events: usize) -> Self {
        let never = || (0..events).map(|_| AtomicU64::new(0)).collect();
        Self {
            began: Instant::now(),
            committed: never(),
            done: never(),
            count: AtomicUsize::new(0),
            twice: AtomicUsize::new(0),
            changed: Notify::new(),
            room: Semaphore::new(0),
        }
    }

    /// The commit of the event was answered.
    pub fn committed(&self, number: i64) {
        self.committed[index(number)].store(self.now(), Ordering::Relaxed);
    }

    /// The commit of the effects was answered.
    pub fn done(&self, numbers: impl IntoIterator<Item = i64>) {
        let now = self.now();
        let mut count = 0;
        for number in numbers {
            count += 1;
            if self.done[index(number)].swap(now, Ordering::Relaxed) != 0 {
                self.twice.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(count, Ordering::SeqCst);
        self.room.add_permits(count);
        self.changed.notify_one();
    }

    /// Number of events that took effect.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until so many took effect, as long as that goes on.
    pub async fn until(&self, count: usize) -> Result<()> {
        while self.count() < count {
            let before = self.count();
            let moved = tokio::time::timeout(STANDSTILL, self.changed.notified()).await;
            ensure!(
                moved.is_ok() || self.count() > before,
                "{before} of {count} took effect, and no more for {STANDSTILL:?}"
            );
        }
        Ok(())
    }

    /// The times of all effects so far, since it was made, in their order.
    pub fn times(&self) -> Vec<Duration> {
        let mut times: Vec<Duration> = self.done.iter().filter_map(time).collect();
        times.sort_unstable();
        times
    }

    /// From the answer of the commit to that of the effect, of events from this number on.
    pub fn latency_from(&self, number: usize) -> Result<Latency> {
        let pairs = self.committed[number..].iter().zip(&self.done[number..]);
        let latencies: Vec<Duration> =
            pairs.filter_map(|(committed, done)| Some(time(done)?.saturating_sub(time(committed)?))).collect();
        ensure!(!latencies.is_empty(), "nothing took effect");
        Ok(Latency::of(latencies))
    }

    /// Nothing took effect twice, and the store says the same as who watched.
    pub fn check(&self, in_store: i64) -> Result<()> {
        let (twice, count) = (self.twice.load(Ordering::Relaxed), self.count());
        ensure!(twice == 0, "{twice} events took effect twice");
        ensure!(usize::try_from(in_store)? == count, "{count} effects were answered, and the store has {in_store}");
        Ok(())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

/// Longer than anything takes here that goes on.
const STANDSTILL: Duration = Duration::from_secs(30);

fn index(number: i64) -> usize {
    usize::try_from(number).expect("events are numbered from 0")
}

fn time(at: &AtomicU64) -> Option<Duration> {
    let nanos = at.load(Ordering::Relaxed);
    (nanos != 0).then(|| Duration::from_nanos(nanos))
}

/// So many in so much time.
pub(crate) fn per_s(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_may_take_longer() {
        let Latency { p50_ms, p99_ms } = Latency::of((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!((p50_ms.round(), p99_ms.round()), (100.0, 198.0));
        assert!(Latency::of(Vec::new()).p99_ms.abs() < f64::EPSILON);
    }

    #[test]
    fn what_takes_effect_twice_or_is_not_in_the_store_is_an_error() {
        let timeline = Timeline::new(3);
        (0..3).for_each(|number| timeline.committed(number));
        timeline.done([0, 2]);
        assert_eq!(timeline.times().len(), 2);
        assert!(timeline.check(2).is_ok() && timeline.check(3).is_err());
        assert!(timeline.latency_from(0).unwrap().p99_ms < 10_000.0);
        timeline.done([2]);
        assert!(timeline.check(3).is_err());
    }
}
