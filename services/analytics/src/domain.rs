//! The decisions: what events add to the sums, as pure functions.
//!
//! Each event adds the same whenever it arrives, so neither their order nor the division into batches changes a sum.
//! Only an order's status depends on more than one event: of those about an order, the one with the highest sequence counts.

mod calendar;
mod order;
mod sums;

pub(crate) use calendar::{Calendar, DAYS_MAX, Zone, day_of_text, text_of_day};
pub(crate) use order::{Order, Step};
pub(crate) use sums::{DaySums, MINUTES_KEPT, Measure, MinuteCount, Name, ProductSums, Ratings, Sums};

use std::collections::{BTreeMap, HashMap};

use events::{
    OrderCancelled, OrderId, OrderPaid, OrderPlaced, OrderUpdated, PaymentRefunded, ProductId, ProductReviewRemoved,
    ProductReviewed,
};
use kernel::Timestamp;

/// An event, as far as it counts.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub event_type: String,
    /// The event's own time, which decides about the day and the minute.
    pub time: Timestamp,
    /// The version of what it is about.
    pub sequence: i64,
    /// The rows to which it adds: those of its shard, so that instances don't wait for each other.
    pub bucket: i64,
    pub fact: Fact,
}

/// The content of an event that is interpreted.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    Placed(OrderPlaced),
    Paid(OrderPaid),
    Updated(OrderUpdated),
    CancellationRequested(OrderId),
    Cancelled(OrderCancelled),
    Refunded(PaymentRefunded),
    Reviewed(ProductReviewed),
    ReviewRemoved(ProductReviewRemoved),
    /// A product has this sku and name, since this version.
    Named(ProductId, Name),
    /// Counted, and nothing else.
    Other,
}

impl Fact {
    /// The order whose status it reports.
    fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Placed(event) => Some(event.order_id),
            Self::Paid(event) => Some(event.order_id),
            Self::Updated(event) => Some(event.order_id),
            Self::CancellationRequested(order_id) => Some(*order_id),
            Self::Cancelled(event) => Some(event.order_id),
            Self::Refunded(_) | Self::Reviewed(_) | Self::ReviewRemoved(_) | Self::Named(..) | Self::Other => None,
        }
    }
}

/// The orders whose status these events report, each once.
pub(crate) fn orders_of(observed: &[Observed]) -> Vec<OrderId> {
    let mut orders: Vec<OrderId> = observed.iter().filter_map(|it| it.fact.order_id()).collect();
    orders.sort_unstable();
    orders.dedup();
    orders
}

/// The rows that a batch of events changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub sums: Sums,
    /// Orders as they were read, if they are known, and as they are now. Those that stay as they were are not among them.
    pub orders: BTreeMap<OrderId, (Option<Order>, Order)>,
}

/// The changes by these events, each of which was not counted before. `known` are the orders of [`orders_of`], as they
/// were read.
pub(crate) fn fold(observed: &[Observed], known: &HashMap<OrderId, Order>, calendar: &Calendar) -> Changes {
    let mut changes = Changes::default();
    for it in observed {
        changes.sums.event(it);
        match &it.fact {
            Fact::Paid(paid) => changes.sums.sale(it, paid, calendar),
            Fact::Refunded(refund) => changes.sums.refund(it, refund, calendar),
            Fact::Reviewed(review) => changes.sums.review(it, review),
            Fact::ReviewRemoved(removed) => changes.sums.review_removed(it, removed),
            Fact::Named(product_id, name) => changes.sums.name(*product_id, name),
            _ => {}
        }
        if let Some(order_id) = it.fact.order_id() {
            let read = || (known.get(&order_id).cloned(), known.get(&order_id).cloned().unwrap_or_default());
            let (_, order) = changes.orders.entry(order_id).or_insert_with(read);
            let before = order.clone();
            order.learn(it.sequence, &it.fact);
            changes.sums.moved(it.bucket, &before, order);
        }
    }
    changes.orders.retain(|_, (before, after)| before.as_ref() != Some(after));
    changes.sums.drop_zeros();
    changes
}

/// `sum` divided by `count`, rounded to the nearest, half up in its size; `None` if there are none.
pub(crate) fn average(sum: i64, count: i64) -> Option<i64> {
    ratio(sum, 1, count)
}

/// `sum` times `unit` divided by `count`, rounded to the nearest, half up in its size.
pub(crate) fn ratio(sum: i64, unit: i64, count: i64) -> Option<i64> {
    if count <= 0 {
        return None;
    }
    let (whole, count) = (i128::from(sum) * i128::from(unit), i128::from(count));
    let rounded = (2 * whole.abs() + count) / (2 * count);
    i64::try_from(rounded * whole.signum()).ok()
}

#[cfg(test)]
mod tests;
