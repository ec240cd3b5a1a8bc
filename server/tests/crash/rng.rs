//! Chance that can be repeated: every run prints the seed of its choices.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Seeded by the variable, or by the operating system if it isn't set.
    pub fn of_this_run() -> Self {
        let seed = setting("TRADEPOST_CRASH_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
        eprintln!("seed {seed} (TRADEPOST_CRASH_SEED={seed} repeats the choices of this run)");
        Self::new(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The range must not be empty. Its bias is far below what a test could notice.
    pub fn between(&mut self, range: Range<usize>) -> usize {
        let span = (range.end - range.start) as u64;
        range.start + usize::try_from(self.next() % span).expect("it is below the span of a usize range")
    }

    /// Puts them into an order of chance.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.between(0..end + 1));
        }
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.between(0..100) < chance
    }

    pub fn duration(&mut self, range: Range<Duration>) -> Duration {
        let micros = range.end.saturating_sub(range.start).as_micros();
        let span = u64::try_from(micros).expect("tests wait for seconds at most");
        range.start + Duration::from_micros(self.next() % span)
    }
}

/// A number by which whoever runs the tests changes them.
pub fn setting(variable: &str) -> Option<u64> {
    let text = std::env::var_os(variable)?;
    let number = text.to_str().and_then(|text| text.parse().ok());
    Some(number.unwrap_or_else(|| panic!("{variable} must be a whole number, and is {}", text.display())))
}
