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

/// The `reason` of the refund of an order that was cancelled. An admin may type it too: `of_cancellation` decides.
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
    /// be sold again. It is `of_cancellation` if it was made because the order was cancelled. Events without
    /// `refunded_total` gave back all.
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of_cancellation: Option<bool>,
    }

    /// This money did not go back, for good: the provider refused, or could not be reached for a day. An admin must settle
    /// it another way.
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

impl PaymentRefunded {
    /// True if the refund was made because the order was cancelled, whose mail says so.
    #[must_use]
    pub fn is_of_cancellation(&self) -> bool {
        // Events from before the field have nothing but their reason.
        self.of_cancellation.unwrap_or_else(|| self.reason.as_deref() == Some(ORDER_CANCELLED))
    }
}
