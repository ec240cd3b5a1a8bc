//! A payment was declined: its order waits for another token, as far as stock may be held unpaid, or ends.

use events::PaymentFailed;
use service::{Committed, Delivery, Failure};

use crate::decide_each::decide_each;
use crate::domain::Decline;
use crate::{Ctx, store, unpaid};

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentFailed>>) -> Result<Committed, Failure> {
    let soft = deliveries.iter().map(|delivery| &delivery.event).filter(|event| !event.is_final);
    let orders = store::orders(&ctx.db, soft.map(|event| event.order_id).collect()).await?;
    let declined = unpaid::admit_declined(&ctx, orders.values()).await?;
    let (now, attempts_max) = (ctx.clock.now(), ctx.state.settings.payment_attempts);
    decide_each(
        ctx,
        deliveries,
        |event| event.order_id,
        |order, event| {
            let is_final = event.is_final || declined.beyond.contains(&order.order_id);
            let decline = Decline { error: &event.error, is_final };
            order.payment_failed(event.payment_id, decline, attempts_max, now)
        },
    )
    .await
}
