//! A purchase order of which units are late.

use std::collections::BTreeMap;

use events::{ProductId, PurchaseOrderLine, ReceiptId};
use kernel::Timestamp;

use super::Finding;

/// A purchase order: late from its report until all of it came, or nothing more of it is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PurchaseOrder {
    /// The newest version of it with other lines, and all its lines in that. None of one that was placed so long ago that
    /// it is forgotten here.
    pub ordered: Option<(i64, Vec<Units>)>,
    /// Deliveries; the suppliers service bounds their number.
    pub receipts: BTreeMap<ReceiptId, Receipt>,
    pub is_cancelled: bool,
    pub overdue: Option<Overdue>,
}

/// Units of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Units {
    pub product_id: ProductId,
    pub name: String,
    pub quantity: i64,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The version of the purchase order.
    pub version: i64,
    pub lines: Vec<Units>,
}

/// The report that it is late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overdue {
    /// The version of the purchase order.
    pub version: i64,
    /// The address of the supplier.
    pub supplier: String,
    /// Units that had not come.
    pub lines: Vec<Units>,
    pub expected_at: Timestamp,
}

impl Units {
    /// The units of these lines.
    pub fn of(lines: &[PurchaseOrderLine]) -> Vec<Self> {
        let units = |line: &PurchaseOrderLine| Self {
            product_id: line.product_id,
            name: line.name.clone(),
            quantity: line.quantity,
        };
        lines.iter().map(units).collect()
    }
}

impl PurchaseOrder {
    pub(super) fn has_lines(&mut self, version: i64, lines: &[Units]) {
        if self.ordered.as_ref().is_none_or(|(known, _)| *known < version) {
            self.ordered = Some((version, lines.to_vec()));
        }
    }

    pub(super) fn received(&mut self, receipt_id: ReceiptId, receipt: &Receipt) {
        self.receipts.entry(receipt_id).or_insert_with(|| receipt.clone());
    }

    pub(super) fn is_overdue(&mut self, overdue: &Overdue) {
        if self.overdue.as_ref().is_none_or(|known| known.version < overdue.version) {
            self.overdue = Some(overdue.clone());
        }
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        let overdue = self.overdue.as_ref().filter(|_| !self.is_cancelled)?;
        let outstanding = self.outstanding(overdue);
        if outstanding.is_empty() {
            return None;
        }
        let day = overdue.expected_at.strftime("%Y-%m-%d");
        let detail = format!("{} from {}, expected on {day}", outstanding.join(", "), overdue.supplier);
        Some(Finding { since: overdue.expected_at, detail })
    }

    /// The units that are still to come, as in `20 × Laptop`.
    fn outstanding(&self, overdue: &Overdue) -> Vec<String> {
        // Without the lines that were ordered, those that were late count, and what came after that report.
        let (lines, counted_after) = match &self.ordered {
            Some((_, lines)) => (lines, 0),
            None => (&overdue.lines, overdue.version),
        };
        let mut came: BTreeMap<ProductId, i64> = BTreeMap::new();
        for line in self.receipts.values().filter(|it| it.version > counted_after).flat_map(|it| &it.lines) {
            *came.entry(line.product_id).or_default() += line.quantity;
        }
        let missing = |line: &Units| line.quantity - came.get(&line.product_id).copied().unwrap_or_default();
        let open = lines.iter().filter(|line| missing(line) > 0);
        open.map(|line| format!("{} × {}", missing(line), line.name)).collect()
    }
}
