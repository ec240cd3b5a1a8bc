//! The wait before the next attempt.

use std::time::Duration;

use kernel::Ids;

/// Exponential backoff with full jitter: attempt `n` waits a random time below `base` · 2ⁿ⁻¹, at most `max`. Full
/// jitter spreads those who failed together
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The bound of the first wait.
    pub base: Duration,
    /// The bound of every wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait after `attempts` failed attempts, of which there was at least one.
    pub fn after(&self, attempts: i64, ids: &Ids) -> Duration {
        let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(31);
        let bound = self.base.saturating_mul(1 << doublings).min(self.max);
        // A wait of nothing would be a hot loop, so a quarter of the bound is always waited.
        bound / 4 + ids.jitter(bound * 3 / 4)
    }
}

#[cfg(test)]
mod tests {
    use kernel::Clock;

    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let ids = Ids::new(Clock::system());
        let backoff = Backoff { base: Duration::from_millis(200), max: Duration::from_mins(5) };
        for attempts in 1..100 {
            let wait = backoff.after(attempts, &ids);
            assert!(wait <= backoff.max, "attempt {attempts} waits {wait:?}");
            assert!(wait >= backoff.base / 4, "attempt {attempts} waits {wait:?}");
        }
    }
}
