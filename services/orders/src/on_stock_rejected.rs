//! There is too little stock: the order waits for it, or is rejected.

use events::StockRejected;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;
use crate::domain::{Order, Rejection};

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<StockRejected>>) -> Result<Committed, Failure> {
    let (now, ttl) = (ctx.clock.now(), ctx.state.settings.backorder_ttl());
    let decide = move |order: &Order, event: &StockRejected| order.stock_rejected(Rejection { event, ttl }, now);
    decide_each(ctx, deliveries, |event| event.order_id, decide).await
}
