//! An order that is unpaid, or waits for stock, for too long is cancelled. Only orders decides that, on its own row.

use events::OrderId;
use service::storage::Batch;
use service::{Committed, Failure, Timer, ends};

use crate::{Ctx, store};

pub(crate) async fn handle_many(ctx: Ctx, timers: Vec<Timer>) -> Result<Committed, Failure> {
    let ids = timers.iter().map(|timer| OrderId::from(timer.key)).collect();
    let orders = store::orders(&ctx.db, ids).await?;
    let now = ctx.clock.now();
    let mut batch = Batch::new();
    let mut reached = Vec::new();
    for timer in &timers {
        let order = orders.get(&OrderId::from(timer.key));
        if let Some(decision) = order.and_then(|order| order.expire(now)) {
            batch = batch.and(store::apply(&decision).caused_by(timer.origin()));
            reached.push(decision.order.status);
        }
    }
    let committed = ctx.commit(batch, ends(timers)).await?;
    for status in reached {
        ctx.state.by_status.count([status.as_str()]);
    }
    Ok(committed)
}
