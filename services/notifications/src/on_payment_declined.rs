//! An order's payment was declined and the order waits for another: say so.

use events::PaymentDeclined;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentDeclined>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, |event| Some(letter(event))).await
}

fn letter(order: &PaymentDeclined) -> Letter<'_> {
    let content = Content::PaymentFailed { number: order.number, error: &order.error, is_final: false };
    Letter { topic: Topic::Payment(order.payment_id, order.order_id), recipient: &order.email, content }
}
