//! An order was paid: its customer gets points.

use events::OrderPaid;
use service::{Committed, Ctx, Delivery, Failure};

use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<OrderPaid>) -> Result<Committed, Failure> {
    let before = store::payment(&ctx.db, delivery.event.payment_id).await?;
    let after = before.order_paid(&delivery.event);
    Ok(ctx.commit(store::set(&after), delivery.cause()).await?)
}
