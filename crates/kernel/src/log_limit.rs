//! A bound on how often a line of one kind is logged: a store or a broker that is down fails every request and every look.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest time between two lines of one kind: soon enough to notice, seldom enough to read.
const EVERY: Duration = Duration::from_secs(10);

/// The lines of one kind: one at once, then at most one each 10 s, which says how many were suppressed meanwhile.
///
/// A line is written by [`warn_limited!`](crate::warn_limited) or [`error_limited!`](crate::error_limited), each of which
/// has a limit of its own wherever it stands.
#[derive(Debug)]
pub struct LogLimit(Mutex<State>);

#[derive(Debug)]
struct State {
    logged_at: Option<Instant>,
    suppressed: u64,
}

impl LogLimit {
    /// The limit of a kind of which nothing was logged yet.
    pub const fn new() -> Self {
        Self(Mutex::new(State { logged_at: None, suppressed: 0 }))
    }

    /// The number of lines that were suppressed since the last one, if a line may be logged now.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.logged_at.is_some_and(|at| now.saturating_duration_since(at) < EVERY) {
            state.suppressed += 1;
            return None;
        }
        state.logged_at = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new()
    }
}

/// Logs a line like `tracing::warn!`, at most one each 10 s, with the number of those that were `suppressed` meanwhile.
#[macro_export]
macro_rules! warn_limited {
    ($($line:tt)*) => { $crate::log_limited!(warn, $($line)*) };
}

/// Logs a line like `tracing::error!`, at most one each 10 s, with the number of those that were `suppressed` meanwhile.
#[macro_export]
macro_rules! error_limited {
    ($($line:tt)*) => { $crate::log_limited!(error, $($line)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! log_limited {
    ($level:ident, $($line:tt)*) => {{
        static LIMIT: $crate::LogLimit = $crate::LogLimit::new();
        match LIMIT.admit(::std::time::Instant::now()) {
            Some(0) => ::tracing::$level!($($line)*),
            Some(suppressed) => ::tracing::$level!(suppressed, $($line)*),
            None => {}
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_down_for_half_an_hour_logs_one_line_each_ten_seconds_and_counts_the_others() {
        let limit = LogLimit::new();
        let began = Instant::now();
        // Seven failed looks a second.
        let looks = (0..30 * 60 * 7).map(|look| began + Duration::from_millis(look * 1_000 / 7));
        let lines: Vec<u64> = looks.filter_map(|now| limit.admit(now)).collect();
        assert_eq!(lines.len(), 30 * 6);
        assert_eq!(lines[0], 0, "the first line is logged at once");
        assert_eq!(
            lines.iter().sum::<u64>() + lines.len() as u64,
            30 * 60 * 7 - 69,
            "the last 69 are yet to be counted"
        );
    }

    #[test]
    fn a_line_after_a_quiet_time_is_logged_at_once() {
        let limit = LogLimit::new();
        let began = Instant::now();
        assert_eq!(limit.admit(began), Some(0));
        assert_eq!(limit.admit(began + EVERY / 2), None);
        assert_eq!(limit.admit(began + EVERY * 50), Some(1));
        assert_eq!(limit.admit(began), None, "a time before the last line is no reason to panic");
    }
}
