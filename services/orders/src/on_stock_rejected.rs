//! There is too little stock: the order is rejected.

use events::StockRejected;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<StockRejected>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(ctx, deliveries, |event| event.order_id, move |order, _| order.stock_rejected(now)).await
}
