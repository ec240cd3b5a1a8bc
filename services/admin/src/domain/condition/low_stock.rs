//! A product that ran low.

use kernel::Timestamp;

use super::Finding;

/// A product that was low at some time: it still is while no more than its threshold is available.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LowStock {
    /// The newest that the inventory reported.
    pub shortage: Option<Shortage>,
    /// The newest that the inventory reported.
    pub level: Option<Level>,
    /// The catalogue's newest version of the product, and the threshold in it.
    pub threshold: Option<(i64, i64)>,
    pub is_deleted: bool,
}

/// The beginning of a shortage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// The version of the stock level.
    pub version: i64,
    pub sku: String,
    pub name: String,
    pub available: i64,
    pub threshold: i64,
    pub since: Timestamp,
}

/// Units that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// The version of the stock level.
    pub version: i64,
    pub available: i64,
}

impl LowStock {
    pub(super) fn is_low(&mut self, shortage: &Shortage) {
        if self.shortage.as_ref().is_none_or(|known| known.version < shortage.version) {
            self.shortage = Some(shortage.clone());
        }
    }

    pub(super) fn has_level(&mut self, level: Level) {
        if self.level.is_none_or(|known| known.version < level.version) {
            self.level = Some(level);
        }
    }

    pub(super) fn has_threshold(&mut self, version: i64, units: i64) {
        if self.threshold.is_none_or(|(known, _)| known < version) {
            self.threshold = Some((version, units));
        }
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        let shortage = self.shortage.as_ref().filter(|_| !self.is_deleted)?;
        let newer = self.level.filter(|level| level.version > shortage.version);
        let available = newer.map_or(shortage.available, |level| level.available);
        let threshold = self.threshold.map_or(shortage.threshold, |(_, units)| units);
        let Shortage { sku, name, since, .. } = shortage;
        let detail = format!("{name} ({sku}): {available} available, at or below the threshold of {threshold}");
        (available <= threshold).then_some(Finding { since: *since, detail })
    }
}
