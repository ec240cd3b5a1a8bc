//! Money of an order went back, in full or in part.

use events::PaymentRefunded;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentRefunded>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(ctx, deliveries, |event| event.order_id, move |order, event| order.payment_refunded(event, now)).await
}
