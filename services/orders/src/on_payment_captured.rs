//! The money came: the order is paid, or, if it ended meanwhile, the money goes back.

use events::PaymentCaptured;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentCaptured>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(
        ctx,
        deliveries,
        |event| event.order_id,
        move |order, event| order.payment_captured(event.payment_id, now),
    )
    .await
}
