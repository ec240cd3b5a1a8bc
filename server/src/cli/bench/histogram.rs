//! Durations, counted so that measuring costs next to nothing of the machine that is measured.

use std::time::Duration;

/// Microseconds of the longest duration that is distinguished, 19 hours: far above any bench.
const MICROS_MAX: u64 = (1 << 36) - 1;

/// Decimal digits to which a duration is known.
const DIGITS: u8 = 3;

/// Number of occurrences of each duration, in microseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u32>,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = hdrhistogram::Histogram::new_with_max(MICROS_MAX, DIGITS);
        Self { counts: counts.expect("the bounds are those of a histogram"), max: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(MICROS_MAX);
        self.counts.saturating_record(micros);
        self.max = self.max.max(micros);
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts).expect("all histograms have the same bounds");
        self.max = self.max.max(other.max);
    }

    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// The duration that `percent` of all don't exceed; `None` if there are none.
    pub fn percentile(&self, percent: u32) -> Option<Duration> {
        let micros = self.counts.value_at_percentile(f64::from(percent)).min(self.max);
        (self.count() > 0).then(|| Duration::from_micros(micros))
    }

    /// The longest; `None` if there are none.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.max))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        micros.into_iter().for_each(|micros| histogram.record(Duration::from_micros(micros)));
        histogram
    }

    #[test]
    fn percentiles_are_ranks() {
        let histogram = of(1..=200);
        let at = |percent| histogram.percentile(percent).unwrap().as_micros();
        assert_eq!([at(0), at(50), at(95), at(99), at(100)], [1, 100, 190, 198, 200]);
        assert_eq!(histogram.max(), Some(Duration::from_micros(200)));
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!((Histogram::default().percentile(50), Histogram::default().max()), (None, None));
    }

    #[test]
    fn what_is_merged_counts_as_one() {
        let mut one = of([1, 2, 3]);
        one.merge(&of([1_000_000]));
        assert_eq!(one.percentile(75), Some(Duration::from_micros(3)));
        assert_eq!(one.percentile(76), Some(Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn a_percentile_is_a_duration_to_three_digits(micros in 0..=MICROS_MAX) {
            let found = of([micros, MICROS_MAX]).percentile(50).unwrap();
            let found = u64::try_from(found.as_micros()).unwrap();
            prop_assert!(found >= micros && found - micros <= micros / 1_000, "{micros} counts as {found}");
        }

        #[test]
        fn the_longest_duration_has_a_bucket(micros: u64) {
            let histogram = of([micros]);
            prop_assert_eq!(histogram.max(), Some(Duration::from_micros(micros.min(MICROS_MAX))));
        }
    }
}
