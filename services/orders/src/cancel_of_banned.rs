//! Cancels the orders of a banned customer that have not left, some in each commit.

use kernel::Uuid;
use service::storage::Batch;
use service::{Committed, Failure, Timer};

use crate::domain::{BAN, Status};
use crate::{Ctx, store};

/// Orders that are cancelled in one commit.
const PAGE: i64 = 100;

/// The statuses in which an order can be cancelled.
const OPEN: [Status; 3] = [Status::Placed, Status::Reserved, Status::Paid];

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    let (mut batch, mut reached) = (Batch::new(), Vec::new());
    let mut after = Uuid::nil().into();
    // A page may hold nothing but orders of which a part has left: the next one is looked at then.
    while reached.is_empty() {
        let orders = store::orders_of_user_after(&ctx.db, timer.key.into(), after, &OPEN, PAGE).await?;
        let Some(last) = orders.last() else { break };
        after = last.order_id;
        for decision in orders.iter().filter_map(|order| order.cancel(BAN, now).ok().flatten()) {
            batch = batch.and(store::apply(&decision));
            reached.push(decision.order.status);
        }
    }
    if !reached.is_empty() {
        batch = batch.schedule(store::CANCEL_OF_BANNED.name, timer.key, now);
    }
    let committed = ctx.commit(batch, timer.cause()).await?;
    for status in reached {
        ctx.state.by_status.count([status.as_str()]);
    }
    Ok(committed)
}
