//! The lead time of a purchase order is over: what has not come is reported.

use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::Ctx;
use crate::store::purchase_orders as store;

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let order = store::order(&ctx.db, timer.key.into()).await?;
    let overdue = order.and_then(|order| order.overdue(ctx.clock.now()));
    let batch = overdue.map_or_else(Batch::new, |happened| store::apply(&happened));
    Ok(ctx.commit(batch, timer.cause()).await?)
}
