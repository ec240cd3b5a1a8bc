//! A condition: what is known of the subject of an alert.
//!
//! Of each kind of fact it keeps the newest, by the version that the emitting service gave it, or all of them by their
//! ids. So it is the same in whatever order facts arrive, and however often: an older fact neither reopens nor resolves
//! what a newer one said. What is found now is read off it.

mod dead_letters;
mod low_stock;
mod purchase_order;
mod refunds;
mod switch;

pub(crate) use dead_letters::DeadLetters;
pub(crate) use low_stock::{Level, LowStock, Shortage};
pub(crate) use purchase_order::{Overdue, PurchaseOrder, Receipt, Units};
pub(crate) use refunds::{Refund, Refunds};
pub(crate) use switch::{Switch, Switched};

use events::{ReceiptId, RefundId};
use kernel::Timestamp;

use super::Kind;

/// All that is known of a subject, as far as its alert goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    LowStock(LowStock),
    PurchaseOrder(PurchaseOrder),
    Refunds(Refunds),
    /// Something that begins and ends by one event each: an order that is stuck, an endpoint that is disabled.
    Switch(Switch),
    DeadLetters(DeadLetters),
}

/// Something that an event, or a service that was asked, says about a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    StockLow(Shortage),
    StockLevel(Level),
    /// The catalogue's version of the product, and the threshold in it.
    Threshold(i64, i64),
    ProductDeleted,
    /// The version of a purchase order, and all its lines in it.
    Ordered(i64, Vec<Units>),
    Received(ReceiptId, Receipt),
    OrderCancelled,
    OrderOverdue(Overdue),
    RefundDecided(RefundId, Refund),
    AllRefunded,
    Began(Switched),
    /// The version with which it ended.
    Ended(i64),
    DeadLetters {
        count: i64,
        newest: Option<String>,
        asked_at: Timestamp,
    },
}

/// Something that an admin should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub since: Timestamp,
    pub detail: String,
}

impl Condition {
    /// A subject of which nothing is known.
    pub fn unknown(kind: Kind) -> Self {
        match kind {
            Kind::LowStock => Self::LowStock(LowStock::default()),
            Kind::PurchaseOrderOverdue => Self::PurchaseOrder(PurchaseOrder::default()),
            Kind::RefundFailed => Self::Refunds(Refunds::default()),
            Kind::DeadLetters => Self::DeadLetters(DeadLetters::default()),
            Kind::OrderStuck | Kind::WebhookDisabled => Self::Switch(Switch::default()),
        }
    }

    /// Takes a fact in.
    ///
    /// # Panics
    ///
    /// The fact must be one about subjects of this kind.
    pub fn learn(&mut self, fact: &Fact) {
        match (self, fact) {
            (Self::LowStock(it), Fact::StockLow(shortage)) => it.is_low(shortage),
            (Self::LowStock(it), Fact::StockLevel(level)) => it.has_level(*level),
            (Self::LowStock(it), Fact::Threshold(version, units)) => it.has_threshold(*version, *units),
            (Self::LowStock(it), Fact::ProductDeleted) => it.is_deleted = true,
            (Self::PurchaseOrder(it), Fact::Ordered(version, lines)) => it.has_lines(*version, lines),
            (Self::PurchaseOrder(it), Fact::Received(receipt_id, receipt)) => it.received(*receipt_id, receipt),
            (Self::PurchaseOrder(it), Fact::OrderCancelled) => it.is_cancelled = true,
            (Self::PurchaseOrder(it), Fact::OrderOverdue(overdue)) => it.is_overdue(overdue),
            (Self::Refunds(it), Fact::RefundDecided(refund_id, refund)) => it.decided(*refund_id, refund),
            (Self::Refunds(it), Fact::AllRefunded) => it.is_all_back = true,
            (Self::Switch(it), Fact::Began(began)) => it.begins(began),
            (Self::Switch(it), Fact::Ended(version)) => it.ends(*version),
            (Self::DeadLetters(it), Fact::DeadLetters { count, newest, asked_at }) => {
                it.count(*count, newest.as_deref(), *asked_at);
            }
            (condition, fact) => unreachable!("{fact:?} is no fact about {condition:?}"),
        }
    }

    /// The reason for an alert, if there is one now.
    pub fn finding(&self) -> Option<Finding> {
        match self {
            Self::LowStock(it) => it.finding(),
            Self::PurchaseOrder(it) => it.finding(),
            Self::Refunds(it) => it.finding(),
            Self::Switch(it) => it.finding(),
            Self::DeadLetters(it) => it.finding(),
        }
    }

    /// True if it is kept although nothing was known of the subject before.
    ///
    /// Facts of one service about one key arrive in their order, so the end of what never began, or the level of a product
    /// that never was low, says nothing about what comes later. Not to keep it saves a row for each order and product.
    pub fn is_kept(&self) -> bool {
        match self {
            Self::LowStock(it) => it.shortage.is_some() || it.threshold.is_some() || it.is_deleted,
            Self::PurchaseOrder(_) | Self::Refunds(_) => true,
            Self::Switch(it) => it.began.is_some(),
            Self::DeadLetters(it) => it.count > 0,
        }
    }
}

#[cfg(test)]
mod tests;
