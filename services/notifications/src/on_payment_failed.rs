//! A payment failed: say what follows.

use events::PaymentFailed;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentFailed>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, |event| Some(letter(event))).await
}

fn letter(payment: &PaymentFailed) -> Letter<'_> {
    let content = Content::PaymentFailed { number: payment.number, error: &payment.error, is_final: payment.is_final };
    let topic = Topic::Payment(payment.payment_id, payment.order_id);
    Letter { topic, recipient: &payment.email, content }
}
