//! An order was cancelled: say so, once, however often it is emitted.

use events::OrderCancelled;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderCancelled>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, |event| Some(letter(event))).await
}

fn letter(order: &OrderCancelled) -> Letter<'_> {
    let (topic, content) = match (order.payment_id, &order.error) {
        // The payment that ended it: one mail says both.
        (Some(payment_id), Some(error)) => (
            Topic::Payment(payment_id, order.order_id),
            Content::PaymentFailed { number: order.number, error, is_final: true },
        ),
        _ => (
            Topic::Order(order.order_id),
            Content::Cancelled { number: order.number, reason: &order.reason, was_paid: order.was_paid },
        ),
    };
    Letter { topic, recipient: &order.email, content }
}
