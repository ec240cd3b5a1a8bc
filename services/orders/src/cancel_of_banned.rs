//! Cancels the orders of a banned customer that have not left, some in each commit, for as long as the ban lasts.

use service::storage::{Batch, accounts};
use service::{Committed, Failure, Timer};

use crate::account_timers::{CANCEL_OF_BANNED, next_changes};
use crate::domain::{BAN, Order, Status};
use crate::{Ctx, store};

/// The statuses in which an order can be cancelled.
const OPEN: [Status; 4] = [Status::Placed, Status::Backordered, Status::Reserved, Status::Paid];

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let (user_id, now) = (timer.key.into(), ctx.clock.now());
    // Since the timer was set the ban may have ended, and the customer may order again.
    let is_banned = accounts::standing(&ctx.db, user_id).await?.is_banned;
    let cancelled = |order: &Order| order.cancel(BAN, now).ok().flatten();
    let decisions = if is_banned { next_changes(&ctx, user_id, &OPEN, cancelled).await? } else { Vec::new() };
    let mut batch = decisions.iter().fold(Batch::new(), |batch, decision| batch.and(store::apply(decision)));
    if !decisions.is_empty() {
        batch = batch.and(CANCEL_OF_BANNED.go_on(user_id, now));
    }
    let committed = ctx.commit(batch, timer.cause()).await?;
    for decision in decisions {
        ctx.state.by_status.count([decision.order.status.as_str()]);
    }
    Ok(committed)
}
