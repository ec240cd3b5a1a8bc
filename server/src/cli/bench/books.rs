//! The books: whether what the shop has is what the run ordered, unit by unit, cent by cent, mail by mail.

mod shipments;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use events::{OrderId, ProductId};
use kernel::Uuid;
use serde::Serialize;

use super::plan::Plan;
use super::shop::{Found, Mail, Order, Payment, Shipment};

/// The reason of a refund that is not mailed, for the mail about the cancellation says it.
const ORDER_CANCELLED: &str = "order_cancelled";

/// Findings of a check that are reported; the others are counted.
const REPORTED_MAX: usize = 5;

/// One thing that must hold.
#[derive(Clone, Debug, Serialize)]
pub struct BookCheck {
    pub name: &'static str,
    pub ok: bool,
    pub expected: String,
    pub found: String,
    /// Some of what is not as it must be.
    pub findings: Vec<String>,
}

/// All of them.
#[derive(Clone, Debug, Serialize)]
pub struct Books {
    pub balanced: bool,
    pub checks: Vec<BookCheck>,
}

/// The orders, as the clients know them.
#[derive(Clone, Copy, Debug)]
pub struct Ordered<'a> {
    pub plan: &'a Plan,
    pub product_ids: &'a [ProductId],
    /// The id of each order.
    pub accepted: &'a [(u64, OrderId)],
    /// Orders that may have been accepted.
    pub unknown: &'a [u64],
}

/// The shop's records of the run, by their subject.
struct Ledger<'a> {
    ordered: Ordered<'a>,
    /// The orders of the run, with their number in it.
    orders: Vec<(u64, &'a Order)>,
    payments: HashMap<OrderId, Vec<&'a Payment>>,
    shipments: HashMap<OrderId, Vec<&'a Shipment>>,
    mails: HashMap<OrderId, Vec<&'a Mail>>,
    found: &'a Found,
}

impl Books {
    pub fn check(ordered: Ordered<'_>, found: &Found) -> Self {
        let ledger = Ledger::of(ordered, found);
        let checks = vec![
            ledger.orders(),
            ledger.states(),
            ledger.outcomes(),
            ledger.shipments(),
            ledger.units(),
            ledger.charges(),
            ledger.mails(),
            ledger.dead_letters(),
        ];
        Self { balanced: checks.iter().all(|check| check.ok), checks }
    }
}

impl BookCheck {
    fn new(name: &'static str, expected: String, found: String, mut findings: Vec<String>) -> Self {
        let (ok, more) = (findings.is_empty(), findings.len().saturating_sub(REPORTED_MAX));
        findings.truncate(REPORTED_MAX);
        if more > 0 {
            findings.push(format!("and {more} more"));
        }
        Self { name, ok, expected, found, findings }
    }
}

impl<'a> Ledger<'a> {
    fn of(ordered: Ordered<'a>, found: &'a Found) -> Self {
        let is_of_run = |order: &'a Order| ordered.plan.by_email(&order.email).map(|n| (n, order));
        Self {
            ordered,
            orders: found.orders.iter().filter_map(is_of_run).collect(),
            payments: grouped(&found.payments, |payment| Some(payment.order_id)),
            shipments: grouped(&found.shipments, |shipment| Some(shipment.order_id)),
            mails: grouped(&found.mails, |mail| mail.order_id),
            found,
        }
    }

    /// Each accepted order is there once, as it was ordered; of the unknown ones, each at most once; no other is.
    fn orders(&self) -> BookCheck {
        let Ordered { plan, product_ids, accepted, unknown } = self.ordered;
        let mut findings = Vec::new();
        let ids: HashMap<u64, OrderId> = accepted.iter().copied().collect();
        let unknown: HashSet<u64> = unknown.iter().copied().collect();
        let (mut seen, mut numbers) = (HashSet::new(), HashSet::new());
        for (n, order) in &self.orders {
            let id = order.order_id;
            if !seen.insert(*n) {
                findings.push(format!("{} ordered once and has two orders, {id} is one", order.email));
            }
            if !numbers.insert(order.number) {
                findings.push(format!("the number {} of {id} is another order's too", order.number));
            }
            match ids.get(n) {
                Some(answered) if *answered == id => {}
                Some(answered) => findings.push(format!("{answered} was accepted, and {id} is there instead")),
                None if unknown.contains(n) => {}
                None => findings.push(format!("{id} is there, and was not accepted")),
            }
            let product_id = usize::try_from(plan.product_of(*n)).ok().and_then(|product| product_ids.get(product));
            let lines = order.lines.iter().map(|line| (line.product_id, line.quantity));
            let is_as_ordered = product_id.is_some_and(|it| lines.eq([(*it, plan.quantity(*n))]));
            if !is_as_ordered || order.total.amount != plan.total(*n) {
                findings.push(format!("{id} has not the line or not the total that was ordered"));
            }
        }
        let lost = accepted.iter().filter(|(n, _)| !seen.contains(n));
        findings.extend(lost.map(|(_, id)| format!("{id} was accepted and is lost")));
        let expected = format!("{} accepted orders, each once and as it was ordered", accepted.len());
        let by_look_up = self.orders.iter().filter(|(n, _)| unknown.contains(n)).count();
        let found = match unknown.len() {
            0 => format!("{} orders", self.orders.len()),
            many => format!("{} orders, {by_look_up} of {many} without an answer among them", self.orders.len()),
        };
        BookCheck::new("orders", expected, found, findings)
    }

    fn payments_of(&self, order: &Order) -> &[&'a Payment] {
        self.payments.get(&order.order_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Nothing is stuck: an order ended, or waits for somebody who ships it.
    fn states(&self) -> BookCheck {
        let is_settled = |order: &Order| order.is_kept() || matches!(order.status.as_str(), "rejected" | "cancelled");
        let stuck = self.orders.iter().filter(|(_, order)| !is_settled(order));
        let findings = stuck.map(|(_, order)| format!("{} is {}", order.order_id, order.status)).collect();
        let counted = |status: &str| self.orders.iter().filter(|(_, order)| order.status == status).count();
        let shown = |(status, is_always): (&str, bool)| {
            let count = counted(status);
            (is_always || count > 0).then(|| format!("{count} {status}"))
        };
        let statuses = [("paid", true), ("shipped", false), ("delivered", false), ("refunded", false)];
        let statuses = statuses.into_iter().chain([("rejected", true), ("cancelled", true)]);
        let found = statuses.filter_map(shown).collect::<Vec<_>>().join(", ");
        BookCheck::new("states", "every order paid and beyond, rejected or cancelled".to_owned(), found, findings)
    }

    /// Each order ended as its payment and its product's stock had it.
    fn outcomes(&self) -> BookCheck {
        let plan = self.ordered.plan;
        let mut findings = Vec::new();
        for (n, order) in &self.orders {
            let failed = order.reason.as_deref() == Some("payment_failed");
            let (id, is_declined) = (order.order_id, plan.is_declined(*n));
            if order.is_kept() && is_declined {
                findings.push(format!("{id} is {}, and its card was declined", order.status));
            } else if order.status == "cancelled" && failed && !is_declined {
                findings.push(format!("the payment of {id} failed, and its card is good"));
            }
        }
        for (product, id) in self.ordered.product_ids.iter().enumerate() {
            findings.extend(self.rejected_for_nothing(product as u64, *id));
        }
        let expected = "good cards pay, declined ones don't, and only what did not fit is rejected";
        let found = format!("{} orders that ended otherwise", findings.len());
        BookCheck::new("outcomes", expected.to_owned(), found, findings)
    }

    /// An order is rejected only if its units were not there.
    fn rejected_for_nothing(&self, product: u64, product_id: ProductId) -> Option<String> {
        let plan = self.ordered.plan;
        let of_product: Vec<(i64, &Order)> = self
            .orders
            .iter()
            .filter(|(n, _)| plan.product_of(*n) == product)
            .map(|(n, order)| (plan.quantity(*n), *order))
            .collect();
        let rejected = of_product.iter().filter(|(_, order)| order.status == "rejected");
        let smallest = rejected.map(|(units, _)| *units).min()?;
        // What is cancelled was held for a while, and others were rejected meanwhile. So it is with what came back.
        let has_cancelled = of_product.iter().any(|(_, order)| order.status == "cancelled");
        let taken = of_product.iter().filter(|(_, order)| has_cancelled || order.is_kept());
        let left = plan.stock - taken.map(|(units, _)| units).sum::<i64>();
        (left >= smallest)
            .then(|| format!("{product_id} has {left} units left, and an order of {smallest} was rejected"))
    }

    /// Units to begin with, less those sold and not returned, are on hand, and none is held.
    fn units(&self) -> BookCheck {
        let plan = self.ordered.plan;
        let mut sold: HashMap<ProductId, i64> = HashMap::new();
        for (_, order) in self.orders.iter().filter(|(_, order)| order.is_kept()) {
            for line in &order.lines {
                *sold.entry(line.product_id).or_default() += line.quantity;
            }
            let refunds = self.payments_of(order).iter().flat_map(|payment| payment.refunds_done());
            for line in refunds.flat_map(|refund| &refund.restock) {
                *sold.entry(line.product_id).or_default() -= line.quantity;
            }
        }
        let levels: HashMap<ProductId, _> = self.found.stock.iter().map(|level| (level.product_id, level)).collect();
        let mut findings = Vec::new();
        for id in self.ordered.product_ids {
            let sold = sold.get(id).copied().unwrap_or_default();
            let Some(level) = levels.get(id) else {
                findings.push(format!("the stock of {id} is lost"));
                continue;
            };
            if (level.on_hand, level.reserved) != (plan.stock - sold, 0) {
                let (on_hand, reserved, stock) = (level.on_hand, level.reserved, plan.stock);
                findings
                    .push(format!("{id}: {stock} stocked, {sold} sold, but {on_hand} on hand, {reserved} reserved"));
            }
        }
        let total: i64 = sold.values().sum();
        let on_hand: i64 = self.found.stock.iter().map(|level| level.on_hand).sum();
        let reserved: i64 = self.found.stock.iter().map(|level| level.reserved).sum();
        let stocked = plan.stock * i64::try_from(plan.products).unwrap_or_default();
        let expected = format!("{stocked} stocked - {total} sold = {} on hand, 0 reserved", stocked - total);
        BookCheck::new("units", expected, format!("{on_hand} on hand, {reserved} reserved"), findings)
    }

    /// Whoever paid was charged once, the total, less what went back; nobody else's money is kept.
    fn charges(&self) -> BookCheck {
        let mut findings = Vec::new();
        let (mut paid, mut due, mut kept) = (0, 0, 0);
        for (_, order) in &self.orders {
            let payments = self.payments_of(order);
            let captured: Vec<_> = payments.iter().filter(|it| it.captured.amount > 0).collect();
            kept += captured.iter().map(|it| it.captured.amount - it.refunded.amount).sum::<i64>();
            let back = |payment: &Payment| payment.refunds_done().map(|refund| refund.amount.amount).sum::<i64>();
            let is_booked = captured.iter().all(|it| it.refunded.amount == back(it) && back(it) <= it.captured.amount);
            if order.is_kept() {
                paid += 1;
                due += order.total.amount - captured.iter().map(|it| back(it)).sum::<i64>();
            }
            let is_right = match captured[..] {
                [] => !order.is_kept(),
                [one] if order.is_kept() => one.captured == order.total,
                // Its order ended: all of it went back.
                [one] => one.refunded == one.captured,
                _ => false,
            };
            if !is_right || !is_booked {
                let (id, status, captured) = (order.order_id, &order.status, captured.len());
                findings.push(format!("{id} is {status}, total {}, and has {captured} captured payments", order.total));
            }
            if order.status == "rejected" && !payments.is_empty() {
                findings.push(format!("{} is rejected, and somebody tried to charge it", order.order_id));
            }
        }
        let expected = format!("{due} cents of {paid} paid orders, each charged once");
        BookCheck::new("charges", expected, format!("{kept} cents kept"), findings)
    }

    /// Each customer got the one mail about the end of the order, and one about each shipment and refund.
    fn mails(&self) -> BookCheck {
        let mut findings = Vec::new();
        let (mut expected, mut found) = (0, 0);
        for (_, order) in &self.orders {
            let mut templates = self.templates(order);
            let mails = self.mails.get(&order.order_id).map(Vec::as_slice).unwrap_or_default();
            expected += templates.len();
            found += mails.len();
            let mut got: Vec<&str> = mails.iter().map(|mail| mail.template.as_str()).collect();
            templates.sort_unstable();
            got.sort_unstable();
            if got != templates || mails.iter().any(|mail| mail.to != order.email) {
                let (id, status) = (order.order_id, &order.status);
                findings.push(format!("{id} is {status}, and its mails are [{}]", got.join(", ")));
            }
        }
        let expected = format!("{expected} mails, one for each order that ended");
        let has_more = self.orders.iter().any(|(_, order)| self.templates(order).len() > 1);
        let expected = if has_more { format!("{expected}, each dispatch, arrival and refund") } else { expected };
        BookCheck::new("mails", expected, format!("{found} mails"), findings)
    }

    /// The templates of the mails that are due about an order.
    fn templates(&self, order: &Order) -> Vec<&'static str> {
        let end = match (order.status.as_str(), order.reason.as_deref()) {
            ("rejected", _) => Some("rejection"),
            ("cancelled", Some("payment_failed")) => Some("payment_failed"),
            ("cancelled", _) => Some("cancelled"),
            ("delivered" | "refunded", _) => Some("delivered"),
            _ => None,
        };
        let is_confirmed = order.is_kept() || order.is_cancelled_after_payment();
        let is_too_late = order.cancellation.as_deref() == Some("too_late");
        let mut templates: Vec<&str> = end.into_iter().collect();
        templates.extend(is_confirmed.then_some("confirmation"));
        templates.extend(is_too_late.then_some("too_late_to_cancel"));
        let left = self.shipments_of(order).iter().filter(|shipment| shipment.has_left());
        templates.extend(left.map(|_| "dispatched"));
        let refunds = self.payments_of(order).iter().flat_map(|payment| payment.refunds_done());
        let mailed = refunds.filter(|refund| refund.reason.as_deref() != Some(ORDER_CANCELLED));
        templates.extend(mailed.map(|_| "refunded"));
        templates
    }

    /// No delivery of the run was parked.
    fn dead_letters(&self) -> BookCheck {
        let orders = self.orders.iter().map(|(_, order)| Uuid::from(order.order_id));
        let keys: HashSet<Uuid> = orders.chain(self.ordered.product_ids.iter().map(|id| (*id).into())).collect();
        let of_run = self.found.dead_letters.iter().filter(|letter| keys.contains(&letter.key));
        let findings: Vec<String> = of_run
            .map(|letter| {
                let reason = letter.reason.as_deref().unwrap_or("without a reason");
                format!("{} of {} at {}: {reason}", letter.event_type, letter.key, letter.consumer)
            })
            .collect();
        BookCheck::new("dead_letters", "none".to_owned(), findings.len().to_string(), findings)
    }
}

fn grouped<T, K: Eq + Hash>(items: &[T], key: impl Fn(&T) -> Option<K>) -> HashMap<K, Vec<&T>> {
    let mut groups: HashMap<K, Vec<&T>> = HashMap::new();
    for item in items {
        if let Some(key) = key(item) {
            groups.entry(key).or_default().push(item);
        }
    }
    groups
}

#[cfg(test)]
mod tests;
