//! The way of what was sold: all of it is in shipments, and none of what was cancelled has left.

use std::collections::BTreeMap;

use events::ProductId;

use super::{BookCheck, Ledger, Order, Shipment};
use crate::cli::bench::shop::Line;

impl<'a> Ledger<'a> {
    pub(super) fn shipments_of(&self, order: &Order) -> &[&'a Shipment] {
        self.shipments.get(&order.order_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Each paid order is in shipments, which are as far as its status says; no order is both cancelled and sent.
    pub(super) fn shipments(&self) -> BookCheck {
        let mut findings = Vec::new();
        let (mut paid, mut all) = (0, BTreeMap::new());
        for (_, order) in &self.orders {
            let shipments = self.shipments_of(order);
            for shipment in shipments {
                *all.entry(shipment.status.as_str()).or_insert(0) += 1;
            }
            paid += usize::from(order.is_kept() || order.is_cancelled_after_payment());
            if !is_right(order, shipments) {
                let statuses: Vec<&str> = shipments.iter().map(|shipment| shipment.status.as_str()).collect();
                let (id, status) = (order.order_id, &order.status);
                findings.push(format!("{id} is {status}, and its shipments are [{}]", statuses.join(", ")));
            }
        }
        let expected = format!("shipments of {paid} paid orders, as far as each is");
        let found: Vec<String> = all.iter().map(|(status, count)| format!("{count} {status}")).collect();
        let found = if found.is_empty() { "no shipments".to_owned() } else { found.join(", ") };
        BookCheck::new("shipments", expected, found, findings)
    }
}

fn is_right(order: &Order, shipments: &[&Shipment]) -> bool {
    let all_are = |statuses: &[&str]| shipments.iter().all(|it| statuses.contains(&it.status.as_str()));
    let some_is = |status: &str| shipments.iter().any(|it| it.status == status);
    let is_whole = units(shipments.iter().flat_map(|it| &it.lines)) == units(&order.lines);
    match order.status.as_str() {
        "paid" => is_whole && some_is("pending") && !some_is("stopped"),
        "shipped" => is_whole && some_is("dispatched") && all_are(&["dispatched", "delivered"]),
        "delivered" | "refunded" => is_whole && all_are(&["delivered"]),
        "cancelled" if order.is_cancelled_after_payment() => is_whole && all_are(&["stopped"]),
        "rejected" | "cancelled" => shipments.is_empty(),
        // It is stuck, which another check says.
        _ => true,
    }
}

/// Units of each product.
fn units<'a>(lines: impl IntoIterator<Item = &'a Line>) -> BTreeMap<ProductId, i64> {
    let mut units = BTreeMap::new();
    for line in lines {
        *units.entry(line.product_id).or_default() += line.quantity;
    }
    units
}
