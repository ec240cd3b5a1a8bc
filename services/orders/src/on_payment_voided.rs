//! The payment of a cancelled order was voided before the provider was asked.

use events::PaymentVoided;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentVoided>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(
        ctx,
        deliveries,
        |event| event.order_id,
        move |order, event| order.payment_voided(event.payment_id, now),
    )
    .await
}
