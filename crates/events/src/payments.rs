//! Events of the payments service.

use crate::OrderId;
use kernel::Money;

kernel::id!(
    PaymentId,
    PaymentKind,
    "One attempt to be paid for an order: a further attempt is a further payment."
);

events! { "payments";
    /// The provider took the money.
    Background "payments.payment_captured.v1" by order_id
    PaymentCaptured {
        payment_id: PaymentId,
        order_id: OrderId,
        amount: Money,
    }

    /// The provider gave the money back.
    Background "payments.payment_refunded.v1" by order_id
    PaymentRefunded {
        payment_id: PaymentId,
        order_id: OrderId,
        amount: Money,
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
