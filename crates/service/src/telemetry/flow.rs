//! The flow of events through the consumers of a process: what became of deliveries, and how long each took from the commit
//! of its event to its effect.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Outcome;

/// The upper bounds of latencies in microseconds. Each is at most half as large again as the one before, so that a quantile
/// that is read from the counts is at most so much too large.
pub const BOUNDS_US: [u64; 32] = [
    250,
    375,
    500,
    750,
    1_000,
    1_500,
    2_000,
    3_000,
    4_000,
    6_000,
    8_000,
    12_000,
    16_000,
    24_000,
    32_000,
    48_000,
    64_000,
    96_000,
    128_000,
    192_000,
    256_000,
    384_000,
    512_000,
    768_000,
    1_000_000,
    1_500_000,
    2_000_000,
    4_000_000,
    8_000_000,
    16_000_000,
    64_000_000,
    256_000_000,
];

/// The deliveries of one event type at one consumer, since its process began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Those that took effect.
    pub done: u64,
    /// Attempts that failed and will be repeated.
    pub retried: u64,
    /// Those that became dead letters.
    pub parked: u64,
    /// Those that took effect, by their latency: one count for each of [`BOUNDS_US`], and one for what took longer.
    pub latencies: Vec<u64>,
}

/// The tallies of all consumers of a process.
#[derive(Debug, Default)]
pub(super) struct Flow(RwLock<HashMap<&'static str, HashMap<String, Tally>>>);

impl Flow {
    /// Counts how a delivery ended. Duplicates are not counted: nothing happened.
    pub(super) fn ended(&self, consumer: &'static str, event_type: &str, outcome: Outcome) {
        self.change(consumer, event_type, |tally| match outcome {
            Outcome::Done => tally.done += 1,
            Outcome::Retried => tally.retried += 1,
            Outcome::Parked => tally.parked += 1,
            Outcome::Duplicate => {}
        });
    }

    /// Counts the latency of a delivery that took effect.
    pub(super) fn took(&self, consumer: &'static str, event_type: &str, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_US.partition_point(|bound| *bound < micros);
        self.change(consumer, event_type, |tally| {
            tally.latencies.resize(BOUNDS_US.len() + 1, 0);
            tally.latencies[place] += 1;
        });
    }

    /// The tallies of one consumer by event type.
    pub(super) fn of(&self, consumer: &str) -> HashMap<String, Tally> {
        let tallies = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tallies.get(consumer).cloned().unwrap_or_default()
    }

    fn change(&self, consumer: &'static str, event_type: &str, change: impl FnOnce(&mut Tally)) {
        let mut tallies = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let of_consumer = tallies.entry(consumer).or_default();
        match of_consumer.get_mut(event_type) {
            Some(tally) => change(tally),
            None => change(of_consumer.entry(event_type.to_owned()).or_default()),
        }
    }
}

impl Tally {
    /// The part that was added since an earlier tally of the same process.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |place: usize| earlier.latencies.get(place).copied().unwrap_or_default();
        let latencies = self.latencies.iter().enumerate().map(|(place, count)| count.saturating_sub(before(place)));
        Self {
            done: self.done.saturating_sub(earlier.done),
            retried: self.retried.saturating_sub(earlier.retried),
            parked: self.parked.saturating_sub(earlier.parked),
            latencies: latencies.collect(),
        }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.retried += other.retried;
        self.parked += other.parked;
        if self.latencies.len() < other.latencies.len() {
            self.latencies.resize(other.latencies.len(), 0);
        }
        for (count, more) in self.latencies.iter_mut().zip(&other.latencies) {
            *count += more;
        }
    }

    /// The latency that a share of the deliveries did not exceed, in milliseconds: the bound of the count in which it is.
    /// `None` without deliveries.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let all: u64 = self.latencies.iter().sum();
        if all == 0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count is one")]
        let rank = ((all as f64 * share).ceil() as u64).clamp(1, all);
        let mut below = 0;
        let place = self.latencies.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        let bound = BOUNDS_US.get(place).copied().unwrap_or(BOUNDS_US[BOUNDS_US.len() - 1]);
        Some(bound as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_grow_by_half_up_to_two_seconds() {
        let fine = BOUNDS_US.iter().take_while(|bound| **bound <= 2_000_000).collect::<Vec<_>>();
        assert!(fine.windows(2).all(|pair| pair[0] < pair[1] && pair[1] * 2 <= pair[0] * 3), "{fine:?}");
    }

    #[test]
    fn a_quantile_is_the_bound_of_the_delivery_at_its_rank() {
        let flow = Flow::default();
        for millis in 1..=100 {
            flow.took("mail", "orders.order_paid.v1", Duration::from_millis(millis));
            flow.ended("mail", "orders.order_paid.v1", Outcome::Done);
        }
        let tally = flow.of("mail").remove("orders.order_paid.v1").unwrap();
        assert_eq!(tally.done, 100);
        assert_eq!((tally.quantile_ms(0.5), tally.quantile_ms(0.99)), (Some(64.0), Some(128.0)));
        assert_eq!(tally.quantile_ms(0.01), Some(1.0));
        assert_eq!(Tally::default().quantile_ms(0.5), None);
        assert_eq!(tally.since(&tally).quantile_ms(0.5), None);
        let mut twice = tally.clone();
        twice.add(&tally);
        assert_eq!(twice.since(&tally), tally);
    }

    #[test]
    fn what_took_longer_than_every_bound_is_counted_at_the_last() {
        let flow = Flow::default();
        flow.took("mail", "x", Duration::from_hours(1));
        assert_eq!(flow.of("mail")["x"].quantile_ms(0.5), Some(256_000.0));
    }
}
