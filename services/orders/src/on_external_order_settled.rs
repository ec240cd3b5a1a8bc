//! The inventory decided an order that was placed elsewhere: it is paid, for its units left, or rejected.

use events::ExternalOrderSettled;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each_or;
use crate::domain::Order;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<ExternalOrderSettled>>,
) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    let decide = move |order: &Order, event: &ExternalOrderSettled| order.external_settled(event, now);
    // Facts may cross: it is recorded by another event, which may arrive later.
    let unknown = || Failure::retry("the order is not recorded here yet");
    decide_each_or(ctx, deliveries, |event| event.order_id, unknown, decide).await
}
