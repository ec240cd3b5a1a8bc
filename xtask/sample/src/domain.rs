//! The decisions: pure functions of what was read and what happened.

use events::{OrderId, OrderPaid};
use kernel::Money;

/// An order that was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paid {
    pub order_id: OrderId,
    pub amount: Money,
}

/// The order of an event.
pub(crate) fn paid(event: &OrderPaid) -> Paid {
    Paid { order_id: event.order_id, amount: event.amount }
}
