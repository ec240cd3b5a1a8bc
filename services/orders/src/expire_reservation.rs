//! An order that is unpaid for too long is cancelled. Only orders decides that, on its own row.

use kernel::OrderId;
use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let order = store::order(&ctx.db, OrderId::from(timer.key)).await?;
    let decision = order.and_then(|order| order.expire(ctx.clock.now()));
    let batch = decision.as_ref().map_or_else(Batch::new, store::apply);
    let committed = ctx.commit(batch, timer.cause()).await?;
    if let Some(decision) = decision {
        ctx.metrics.order_reached(decision.order.status.as_str());
    }
    Ok(committed)
}
