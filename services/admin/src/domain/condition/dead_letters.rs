//! A service that has dead letters.

use kernel::Timestamp;

use super::Finding;

/// The dead letters of a service when it was asked. One instance at a time asks, so the last answer counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeadLetters {
    pub count: i64,
    /// The type of the newest one's event.
    pub newest: Option<String>,
    /// The time at which there were some for the first time, after there were none.
    pub since: Option<Timestamp>,
}

impl DeadLetters {
    pub(super) fn count(&mut self, count: i64, newest: Option<&str>, asked_at: Timestamp) {
        let since = if count == 0 { None } else { self.since.or(Some(asked_at)) };
        *self = Self { count, newest: newest.map(str::to_owned), since };
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        let since = self.since?;
        let newest = self.newest.as_deref().map(|newest| format!(", the newest of type {newest}")).unwrap_or_default();
        let noun = if self.count == 1 { "dead letter" } else { "dead letters" };
        Some(Finding { since, detail: format!("{} {noun}{newest}", self.count) })
    }
}
