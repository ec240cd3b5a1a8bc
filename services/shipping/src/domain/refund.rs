//! Refunds of units that have not left: they are sold again, so the shipments that wait lose them.
//!
//! A refund names units and not shipments. Those that wait are withheld, and what has left already is a return, which
//! is none of shipping's business. The inventory puts either back.

use std::collections::BTreeMap;

use events::inventory::ReservedLine;
use events::{OrderId, PaymentRefunded, ProductId, RefundId, ShipmentId, ShipmentLine, ShipmentReduced};
use kernel::Timestamp;

use super::{Shipment, Status, take, totals};

/// The number of an order of which nothing but a refund is known. Orders count from 1.
const NOT_KNOWN: i64 = 0;

/// A refund with units that are to be sold again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub refund_id: RefundId,
    pub order_id: OrderId,
    pub restock: Vec<ReservedLine>,
}

/// A shipment that lost units.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reduced {
    pub shipment: Shipment,
    pub event: ShipmentReduced,
}

/// The effect of a refund on the shipments of its order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Withheld {
    /// These shipments lost units; none, if nothing waits.
    From(Vec<Reduced>),
    /// Nothing is known of the order: this shipment stands for it until its payment is. It is seen by nobody.
    BeforeOrder(Shipment),
    /// The shipment that stands for the order is there, and changes, so that of this refund and a payment that cross only
    /// one decides on what it read.
    BeforePayment(Shipment),
}

impl Refund {
    /// The refund of this event, if it has such units.
    pub fn of(event: &PaymentRefunded) -> Option<Self> {
        let refund_id = event.refund_id.filter(|_| !event.restock.is_empty())?;
        Some(Self { refund_id, order_id: event.order_id, restock: event.restock.clone() })
    }
}

/// Withholds the units of a refund from the shipments of its order that wait, the oldest first. `shipments` are all that
/// the order has, the first one first.
///
/// Before the payment of the order is known the refund is only kept, and [`paid`](super::paid) withholds its units.
pub(crate) fn withhold(refund: &Refund, shipments: &[Shipment], unpaid_id: ShipmentId, now: Timestamp) -> Withheld {
    match shipments {
        [] => Withheld::BeforeOrder(Shipment::first(unpaid_id, refund.order_id, NOT_KNOWN, now)),
        [first, ..] if first.is_of_unpaid_order() => {
            Withheld::BeforePayment(Shipment { updated_at: now, ..first.clone() })
        }
        _ => {
            let mut wanted = units(std::slice::from_ref(refund));
            Withheld::From(shipments.iter().filter_map(|it| it.reduced(&mut wanted, now)).collect())
        }
    }
}

/// Units of each product that these refunds have together.
pub(super) fn units(refunds: &[Refund]) -> BTreeMap<ProductId, i64> {
    totals(refunds.iter().flat_map(|refund| &refund.restock).map(|line| (line.product_id, line.quantity)))
}

impl Shipment {
    /// The shipment without those of these units that it has, if it waits and has any. They are taken out of `wanted`.
    /// If it has no units any more, it is stopped.
    pub(super) fn reduced(&self, wanted: &mut BTreeMap<ProductId, i64>, now: Timestamp) -> Option<Reduced> {
        if self.status != Status::Pending {
            return None;
        }
        let (taken, staying) = take(&self.lines, wanted);
        if taken.is_empty() {
            return None;
        }
        let status = if staying.is_empty() { Status::Stopped } else { Status::Pending };
        let withheld = together(&self.withheld, taken);
        let event = ShipmentReduced { shipment_id: self.shipment_id, order_id: self.order_id, lines: withheld.clone() };
        let shipment = Self { lines: staying, withheld, ..self.moved(status, now) };
        Some(Reduced { shipment, event })
    }
}

/// The lines of both, each product once.
fn together(before: &[ShipmentLine], taken: Vec<ShipmentLine>) -> Vec<ShipmentLine> {
    let mut all = before.to_vec();
    for line in taken {
        match all.iter_mut().find(|known| known.product_id == line.product_id) {
            Some(known) => known.quantity = known.quantity.saturating_add(line.quantity),
            None => all.push(line),
        }
    }
    all
}
