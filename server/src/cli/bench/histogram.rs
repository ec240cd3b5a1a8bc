//! Durations, counted in buckets whose width grows with them.
//!
//! Recording is an index and an addition, and the size doesn't depend on how much was recorded, so that measuring
//! costs next to nothing of the machine that is measured.

use std::time::Duration;

/// Buckets for each power of two are 2^7: a value is known to 1 part in 128.
const PRECISION_BITS: u32 = 7;
const PER_OCTAVE: usize = 1 << PRECISION_BITS;

/// Microseconds of the longest duration that is distinguished, 19 hours: far above any bench.
const MICROS_MAX: u64 = (1 << 36) - 1;

/// The first two octaves' worth are exact, then one set of buckets for each further power of two.
const BUCKETS: usize = 2 * PER_OCTAVE + (36 - PRECISION_BITS as usize - 1) * PER_OCTAVE;

/// Number of occurrences of each duration, in microseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u32>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(MICROS_MAX);
        self.buckets[bucket(micros)] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `percent` of all don't exceed; `None` if there are none.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.buckets.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        })?;
        Some(Duration::from_micros(upper_bound(at).min(self.max)))
    }

    /// The longest; `None` if there are none.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_micros(self.max))
    }
}

fn bucket(micros: u64) -> usize {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    let within = usize::try_from(micros >> shift).expect("at most 8 bits are left");
    shift as usize * PER_OCTAVE + within
}

/// The largest value that falls into a bucket.
fn upper_bound(bucket: usize) -> u64 {
    let shift = (bucket / PER_OCTAVE).saturating_sub(1);
    let within = (bucket - shift * PER_OCTAVE) as u64;
    ((within + 1) << shift) - 1
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
        fn a_bucket_holds_what_is_at_most_one_part_in_128_below_its_bound(micros in 0..=MICROS_MAX) {
            let bound = upper_bound(bucket(micros));
            prop_assert!(bound >= micros && bound - micros <= micros / 128, "{micros} counts as {bound}");
        }

        #[test]
        fn the_longest_duration_has_a_bucket(micros: u64) {
            let histogram = of([micros]);
            prop_assert_eq!(histogram.max(), Some(Duration::from_micros(micros.min(MICROS_MAX))));
        }
    }
}
