//! Shipments, refunds and returned units: what follows from a payment, and what comes back.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::books::{Line, Order, Payment, Shipment};
use crate::journal::{Ack, Entry};

/// The reason of a refund that is not mailed, for the mail about the cancellation says it.
const ORDER_CANCELLED: &str = "order_cancelled";

impl Order {
    /// It waits for units.
    pub fn is_waiting(&self) -> bool {
        self.status == "backordered"
    }

    /// It is paid, and its customer has the units or waits for them.
    pub fn is_kept(&self) -> bool {
        matches!(self.status.as_str(), "paid" | "shipped" | "delivered" | "refunded")
    }

    /// It was paid, and cancelled before anything had left.
    pub fn is_cancelled_after_payment(&self) -> bool {
        self.status == "cancelled" && self.cancellation.is_some()
    }
}

impl Payment {
    /// Money that came and did not go back.
    pub fn kept(&self) -> i64 {
        self.captured.amount - self.refunded.amount
    }

    /// Units that came back with money.
    pub fn returned(&self) -> impl Iterator<Item = &Line> {
        self.refunds.iter().filter(|refund| refund.status == "succeeded").flat_map(|refund| &refund.restock)
    }

    /// Refunds of which the customer is mailed.
    pub fn mailed_refunds(&self) -> usize {
        let is_mailed = |reason: Option<&str>| reason != Some(ORDER_CANCELLED);
        let refunds = self.refunds.iter().filter(|refund| refund.status == "succeeded");
        refunds.filter(|refund| is_mailed(refund.reason.as_deref())).count()
    }

    /// Its refunds are decided, and their sum is what went back.
    pub fn of_refunds(&self) -> Option<String> {
        let succeeded = self.refunds.iter().filter(|refund| refund.status == "succeeded");
        let sum: i64 = succeeded.map(|refund| refund.amount.amount).sum();
        let are_decided = self.refunds.iter().all(|refund| matches!(refund.status.as_str(), "succeeded" | "failed"));
        let is_right = are_decided && sum == self.refunded.amount && self.kept() >= 0;
        (!is_right).then(|| {
            let refunds: Vec<_> = self.refunds.iter().map(|it| (it.amount.amount, it.status.as_str())).collect();
            let (captured, refunded) = (self.captured.amount, self.refunded.amount);
            format!("the payment of {}: {captured} captured, {refunded} back by {refunds:?}", self.order_id)
        })
    }
}

/// Everything of an order is in shipments, which are as far as the order says; none is both sent and cancelled.
pub fn of_shipments(order: &Order, shipments: &[&Shipment]) -> Option<String> {
    let count = |statuses: &[&str]| shipments.iter().filter(|it| statuses.contains(&it.status.as_str())).count();
    let (pending, on_way) = (count(&["pending"]), count(&["dispatched"]));
    let (arrived, stopped) = (count(&["delivered"]), count(&["stopped"]));
    let is_whole = units(shipments.iter().flat_map(|it| &it.lines)) == units(&order.lines);
    let known: HashSet<_> = order.shipments.iter().map(|it| (it.shipment_id.as_str(), it.status.as_str())).collect();
    let left = shipments.iter().filter(|it| matches!(it.status.as_str(), "dispatched" | "delivered"));
    let left: HashSet<_> = left.map(|it| (it.shipment_id.as_str(), it.status.as_str())).collect();
    let is_right = match order.status.as_str() {
        // It waits for somebody who sends what is left.
        "paid" => is_whole && pending == 1 && stopped == 0,
        "shipped" => is_whole && pending == 0 && on_way > 0 && stopped == 0,
        "delivered" | "refunded" => is_whole && shipments.len() == arrived,
        "cancelled" if order.is_cancelled_after_payment() => is_whole && shipments.len() == stopped,
        _ => shipments.is_empty(),
    };
    (!is_right || known != left).then(|| {
        format!(
            "{} is {}, {pending} of its shipments pending, {on_way} dispatched, {arrived} delivered, {stopped} stopped; \
             whole: {is_whole}, it knows {known:?} of {left:?}",
            order.order_id, order.status
        )
    })
}

/// Units of each product.
fn units<'a>(lines: impl IntoIterator<Item = &'a Line>) -> BTreeMap<&'a str, i64> {
    let mut units = BTreeMap::new();
    for line in lines {
        *units.entry(line.product_id.as_str()).or_default() += line.quantity;
    }
    units
}

/// Answers that something was done, against what is there.
pub fn of_acks(entries: &[Entry], shipments: &[Shipment], payments: &[Payment]) -> Vec<String> {
    let statuses: HashMap<&str, &str> =
        shipments.iter().map(|it| (it.shipment_id.as_str(), it.status.as_str())).collect();
    let refunds: HashSet<&str> =
        payments.iter().flat_map(|it| &it.refunds).map(|refund| refund.refund_id.as_str()).collect();
    let is_kept = |ack: &Ack| match ack {
        Ack::Dispatched(id) => matches!(statuses.get(id.as_str()), Some(&("dispatched" | "delivered"))),
        Ack::Delivered(id) => statuses.get(id.as_str()) == Some(&"delivered"),
        Ack::Refund(id) => refunds.contains(id.as_str()),
    };
    let all = entries.iter().flat_map(|entry| entry.acks.iter().map(|ack| (&entry.draft.email, ack)));
    let lost = all.filter(|(_, ack)| !is_kept(ack));
    lost.map(|(email, ack)| format!("for {email} this was answered, and is lost: {ack:?}")).collect()
}
