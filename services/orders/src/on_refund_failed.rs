//! Money of an order did not go back: admins see why.

use events::RefundFailed;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<RefundFailed>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(ctx, deliveries, |event| event.order_id, move |order, event| order.refund_failed(event, now)).await
}
