//! An order's stock is held: ask for its money.

use events::StockReserved;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<StockReserved>>) -> Result<Committed, Failure> {
    let (now, ids) = (ctx.clock.now(), ctx.ids.clone());
    let ttl = ctx.state.settings.reservation_ttl();
    decide_each(ctx, deliveries, |event| event.order_id, move |order, _| order.stock_reserved(ids.next(), now, ttl))
        .await
}
