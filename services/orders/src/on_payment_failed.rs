//! The money was declined: if for good, the order is cancelled.

use events::PaymentFailed;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentFailed>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(
        ctx,
        deliveries,
        |event| event.order_id,
        move |order, event| order.payment_failed(event.payment_id, event.is_final, now),
    )
    .await
}
