//! A payment was declined: its order waits for another token, or ends.

use events::PaymentFailed;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;
use crate::domain::Decline;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentFailed>>) -> Result<Committed, Failure> {
    let (now, attempts_max) = (ctx.clock.now(), ctx.state.settings.payment_attempts);
    decide_each(
        ctx,
        deliveries,
        |event| event.order_id,
        move |order, event| {
            let decline = Decline { error: &event.error, is_final: event.is_final };
            order.payment_failed(event.payment_id, decline, attempts_max, now)
        },
    )
    .await
}
