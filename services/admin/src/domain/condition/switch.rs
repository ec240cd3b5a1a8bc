//! Something that one event begins and another ends.

use kernel::Timestamp;

use super::Finding;

/// Begun, if the newest beginning is newer than the newest end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switch {
    pub began: Option<Switched>,
    /// The newest version with which it ended.
    pub ended: Option<i64>,
}

/// The beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Switched {
    /// The version of the order, or of the endpoint.
    pub version: i64,
    pub since: Timestamp,
    pub detail: String,
}

impl Switch {
    pub(super) fn begins(&mut self, began: &Switched) {
        if self.began.as_ref().is_none_or(|known| known.version < began.version) {
            self.began = Some(began.clone());
        }
    }

    pub(super) fn ends(&mut self, version: i64) {
        self.ended = self.ended.max(Some(version));
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        let began = self.began.as_ref().filter(|began| self.ended.is_none_or(|ended| ended < began.version))?;
        Some(Finding { since: began.since, detail: began.detail.clone() })
    }
}
