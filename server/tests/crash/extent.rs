//! Extent of a run: short forms of the tests for each change, long forms for `cargo xtask soak`.

use std::ops::RangeInclusive;

use test_servers::is_soak;

use crate::rng::setting;

/// Rounds of a long run, unless TRADEPOST_CRASH_ROUNDS asks for another number.
const LONG_ROUNDS: u64 = 20;

/// The first in `cargo xtask test`, the second in `cargo xtask soak`.
pub fn short_or_long<T>(short: T, long: T) -> T {
    if is_soak() { long } else { short }
}

/// Orders of a long run; half of them in a short one.
pub fn orders(long: usize) -> usize {
    short_or_long(long / 2, long)
}

/// The least and the most rounds of a run: as many as it is asked for, or else these.
pub fn rounds(short: RangeInclusive<u64>) -> RangeInclusive<u64> {
    let asked = setting("TRADEPOST_CRASH_ROUNDS").or(is_soak().then_some(LONG_ROUNDS));
    asked.map_or(short, |rounds| rounds..=rounds)
}
