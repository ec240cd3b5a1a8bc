//! Events of the payments service.

use crate::OrderId;
use crate::inventory::ReservedLine;
use kernel::Money;

kernel::id!(
    PaymentId,
    PaymentKind,
    "One attempt to be paid for an order: a further attempt is a further payment."
);

kernel::id!(RefundId, RefundKind, "Money of a payment that goes back, in full or in part.");

/// The `reason` of the refund of an order that was cancelled.
pub const ORDER_CANCELLED: &str = "order_cancelled";

events! { "payments";
    /// The provider took the money.
    Background "payments.payment_captured.v1" by order_id
    PaymentCaptured {
        payment_id: PaymentId,
        order_id: OrderId,
        amount: Money,
    }

    /// The provider gave money back: `amount` of this payment, and `refunded_total` in all. Units of `restock` are to
    /// be sold again. Events without `refunded_total` gave back all.
    Background "payments.payment_refunded.v1" by order_id
    PaymentRefunded {
        payment_id: PaymentId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refund_id: Option<RefundId>,
        order_id: OrderId,
        amount: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refunded_total: Option<Money>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        restock: Vec<ReservedLine>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }

    /// The provider refused to give this money back, for good: an admin must settle it another way.
    Background "payments.refund_failed.v1" by order_id
    RefundFailed {
        refund_id: RefundId,
        payment_id: PaymentId,
        order_id: OrderId,
        amount: Money,
        error: String,
    }

    /// A payment ended before the provider was asked: its order was cancelled.
    Background "payments.payment_voided.v1" by order_id
    PaymentVoided {
        payment_id: PaymentId,
        order_id: OrderId,
    }

    /// The provider declined. If `final`, the order ends; if not, its customer may try another token.
    Immediate "payments.payment_failed.v1" by order_id
    PaymentFailed {
        payment_id: PaymentId,
        order_id: OrderId,
        number: i64,
        email: String,
        error: String,
        #[serde(rename = "final")]
        is_final: bool,
    }
}
