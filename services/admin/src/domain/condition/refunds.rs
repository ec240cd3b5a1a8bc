//! A payment of which money did not go back.

use std::collections::BTreeMap;

use events::{OrderId, RefundId};
use kernel::{Money, Timestamp};

use super::Finding;

/// The refunds of a payment. Their ids begin with their time, so the order of ids is that in which they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refunds {
    /// Those that were decided; payments bounds their number.
    pub decided: BTreeMap<RefundId, Refund>,
    /// True if an event of an earlier version said so, which names no sums.
    pub is_all_back: bool,
}

/// A refund that the payment provider decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub order_id: OrderId,
    pub amount: Money,
    /// The provider's reason, if it failed.
    pub error: Option<String>,
    pub decided_at: Timestamp,
}

impl Refunds {
    pub(super) fn decided(&mut self, refund_id: RefundId, refund: &Refund) {
        self.decided.entry(refund_id).or_insert_with(|| refund.clone());
    }

    /// The latest refund that failed and was not made up for by refunds that were asked for after it.
    pub(super) fn finding(&self) -> Option<Finding> {
        if self.is_all_back {
            return None;
        }
        let mut given_back = 0_i64;
        for Refund { order_id, amount, error, decided_at } in self.decided.values().rev() {
            match error {
                None => given_back = given_back.saturating_add(amount.amount),
                Some(error) if amount.amount > given_back => {
                    let detail = format!("{amount} of order {order_id} did not go back: {error}");
                    return Some(Finding { since: *decided_at, detail });
                }
                Some(_) => {}
            }
        }
        None
    }
}
