//! One purchase order for one shortage.
//!
//! A shortage is a product and the version of its stock level at which it began. It is covered by the purchase order
//! that was placed for it, or by one that was open already; which one is kept forever, so a shortage that is emitted,
//! delivered or replayed again finds it. Two decisions at the same instant would insert the same keys (see
//! `migrations`), so one of them decides again.

use events::{ProductId, PurchaseOrderId, StockLow};
use kernel::{Timestamp, Version};

use super::{Opened, Placed, QUANTITY_MAX, Supplier, WantedLine, place};

/// The actor who places purchase orders of shortages.
const REPLENISHMENT: &str = "replenishment";

/// A product that ran low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    pub product_id: ProductId,
    /// The version of the stock level that ran low.
    pub at: Version,
    pub available: i64,
    pub threshold: i64,
}

/// The consequence of a shortage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Replenished {
    /// It has its order, or nobody delivers the product without being asked.
    Nothing,
    /// An order that is open already brings units.
    Covered(PurchaseOrderId),
    Ordered(Box<Placed>),
}

impl Shortage {
    pub fn of(event: &StockLow, at: Version) -> Self {
        Self { product_id: event.product_id, at, available: event.available, threshold: event.threshold }
    }

    /// Units to order: as often the order quantity as ends the shortage.
    fn quantity(&self, order_quantity: i64) -> i64 {
        let missing = self.threshold.saturating_sub(self.available).saturating_add(1).max(1);
        let times = missing.saturating_add(order_quantity - 1) / order_quantity;
        times.saturating_mul(order_quantity).min(QUANTITY_MAX)
    }
}

/// Decides about a shortage. `newest` is the newest shortage of the product that was decided, `open` are the product's
/// open lines, and `suppliers` are those with `auto_replenish` that have it.
pub(crate) fn replenish(
    shortage: &Shortage,
    newest: Option<Version>,
    open: &[Opened],
    suppliers: &[Supplier],
    purchase_order_id: PurchaseOrderId,
    now: Timestamp,
) -> Replenished {
    if newest.is_some_and(|newest| newest >= shortage.at) {
        return Replenished::Nothing;
    }
    if let Some(line) = open.iter().find(|line| line.product_id == shortage.product_id) {
        return Replenished::Covered(line.purchase_order_id);
    }
    // The cheapest, then the fastest, then the oldest.
    let offers = suppliers.iter().filter(|supplier| supplier.auto_replenish).filter_map(|supplier| {
        let offer = supplier.offer(shortage.product_id)?;
        Some(((offer.unit_cost.amount, supplier.lead_time_days, supplier.supplier_id), supplier, offer))
    });
    let Some((_, supplier, offer)) = offers.min_by_key(|(rank, ..)| *rank) else { return Replenished::Nothing };
    let quantity = shortage.quantity(offer.order_quantity);
    let wanted = WantedLine { product_id: shortage.product_id, quantity: Some(quantity), unit_cost: None };
    match place(supplier, &[wanted], open, REPLENISHMENT, purchase_order_id, now) {
        Ok(placed) => Replenished::Ordered(Box::new(placed)),
        Err(_) => Replenished::Nothing,
    }
}
