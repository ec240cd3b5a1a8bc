//! The sums of a batch of events, by the rows to which they are added.

use std::collections::BTreeMap;

use events::{OrderPaid, PaymentRefunded, ProductId, ProductReviewRemoved, ProductReviewed};
use kernel::Currency;

use super::{Calendar, Observed, Order, Zone};

/// Minutes of which events are counted by type: two days. An older one gives its row to the one that comes two days later.
pub(crate) const MINUTES_KEPT: i64 = 48 * 60;

/// The kind of a plain count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    /// Orders that are in a status now.
    Status,
    /// Orders that have reached a step.
    Step,
    /// Events of a type.
    Type,
    /// Orders that were paid in a currency.
    PaidOrders,
    /// Minor units that were paid for orders in a currency.
    PaidAmount,
}

kernel::named!(Measure {
    Status = "status",
    Step = "step",
    Type = "type",
    PaidOrders = "paid_orders",
    PaidAmount = "paid_amount",
});

/// The key of the sums of a day: zone, day, currency and bucket.
pub(crate) type DayKey = (Zone, i64, Currency, i64);

/// The key of the sums of a product on a day: zone, day, product, currency and bucket.
pub(crate) type ProductDayKey = (Zone, i64, ProductId, Currency, i64);

/// Sums of a day in a currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DaySums {
    /// Orders that were paid.
    pub orders: i64,
    /// Units of them.
    pub units: i64,
    /// Minor units that were paid for them.
    pub sales: i64,
    pub refunds: i64,
    /// Minor units that went back.
    pub refunded: i64,
}

/// Sums of a product on a day in a currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProductSums {
    pub orders: i64,
    pub units: i64,
    pub sales: i64,
}

/// Reviews that count, by their stars from one to five.
pub(crate) type Ratings = [i64; 5];

/// Events of a minute, in minutes since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MinuteCount {
    pub minute: i64,
    pub events: i64,
}

/// The sku and name of a product since a version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub sku: String,
    pub name: String,
    pub version: i64,
}

/// Additions to rows, in the order of their keys: all instances take them in the same order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub days: BTreeMap<DayKey, DaySums>,
    pub product_days: BTreeMap<ProductDayKey, ProductSums>,
    pub ratings: BTreeMap<(ProductId, i64), Ratings>,
    pub counts: BTreeMap<(Measure, String, i64), i64>,
    /// By the slot of the minute, type and bucket.
    pub minutes: BTreeMap<(i64, String, i64), MinuteCount>,
    pub names: BTreeMap<ProductId, Name>,
}

impl Sums {
    /// Counts an event, whatever it is.
    pub(super) fn event(&mut self, it: &Observed) {
        self.count(Measure::Type, &it.event_type, it.bucket, 1);
        let minute = it.time.as_second().div_euclid(60);
        let slot = minute.rem_euclid(MINUTES_KEPT);
        let counted = self.minutes.entry((slot, it.event_type.clone(), it.bucket)).or_default();
        if counted.events == 0 || minute > counted.minute {
            *counted = MinuteCount { minute, events: 1 };
        } else if minute == counted.minute {
            counted.events += 1;
        }
    }

    /// An order was paid.
    pub(super) fn sale(&mut self, it: &Observed, paid: &OrderPaid, calendar: &Calendar) {
        let currency = paid.amount.currency;
        self.count(Measure::PaidOrders, currency.as_str(), it.bucket, 1);
        self.count(Measure::PaidAmount, currency.as_str(), it.bucket, paid.amount.amount);
        for zone in calendar.kept() {
            let day = calendar.day(*zone, it.time);
            let sums = self.days.entry((*zone, day, currency, it.bucket)).or_default();
            sums.orders += 1;
            sums.units += paid.lines.iter().map(|line| line.quantity).sum::<i64>();
            sums.sales += paid.amount.amount;
            let mut seen = Vec::new();
            for line in &paid.lines {
                let key = (*zone, day, line.product_id, line.unit_price.currency, it.bucket);
                let sums = self.product_days.entry(key).or_default();
                sums.units += line.quantity;
                // The total of the order, which fits, has it in it.
                sums.sales += line.unit_price.amount.saturating_mul(line.quantity);
                if !seen.contains(&line.product_id) {
                    seen.push(line.product_id);
                    sums.orders += 1;
                }
            }
        }
    }

    /// Money went back.
    pub(super) fn refund(&mut self, it: &Observed, refund: &PaymentRefunded, calendar: &Calendar) {
        for zone in calendar.kept() {
            let key = (*zone, calendar.day(*zone, it.time), refund.amount.currency, it.bucket);
            let sums = self.days.entry(key).or_default();
            sums.refunds += 1;
            sums.refunded += refund.amount.amount;
        }
    }

    pub(super) fn review(&mut self, it: &Observed, review: &ProductReviewed) {
        self.rate(it, review.product_id, review.rating, 1);
        if let Some(previous) = review.previous_rating {
            self.rate(it, review.product_id, previous, -1);
        }
    }

    pub(super) fn review_removed(&mut self, it: &Observed, removed: &ProductReviewRemoved) {
        self.rate(it, removed.product_id, removed.rating, -1);
    }

    /// A rating outside of one to five stars is not counted.
    fn rate(&mut self, it: &Observed, product_id: ProductId, stars: i64, reviews: i64) {
        let ratings = self.ratings.entry((product_id, it.bucket)).or_default();
        let place = usize::try_from(stars - 1).ok().and_then(|index| ratings.get_mut(index));
        if let Some(place) = place {
            *place += reviews;
        }
    }

    /// Of two versions the newer stays.
    pub(super) fn name(&mut self, product_id: ProductId, name: &Name) {
        let known = self.names.get(&product_id).map(|known| known.version);
        if known.is_none_or(|version| version < name.version) {
            self.names.insert(product_id, name.clone());
        }
    }

    /// An order has another status, or has reached a further step.
    pub(super) fn moved(&mut self, bucket: i64, before: &Order, after: &Order) {
        if before.status != after.status {
            for (status, orders) in [(&before.status, -1), (&after.status, 1)] {
                if let Some(status) = status {
                    self.count(Measure::Status, status, bucket, orders);
                }
            }
        }
        for step in after.steps.difference(&before.steps) {
            self.count(Measure::Step, step.as_str(), bucket, 1);
        }
    }

    /// Leaves out what adds nothing.
    pub(super) fn drop_zeros(&mut self) {
        self.counts.retain(|_, count| *count != 0);
        self.ratings.retain(|_, ratings| *ratings != Ratings::default());
    }

    fn count(&mut self, measure: Measure, label: &str, bucket: i64, count: i64) {
        *self.counts.entry((measure, label.to_owned(), bucket)).or_default() += count;
    }
}
