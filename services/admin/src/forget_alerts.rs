//! Deletes alerts 90 days after they were resolved, and conditions without an alert 90 days after their last news.

use kernel::SignedDuration;
use service::{Committed, Failure, Timer, TimerKind};

use crate::Ctx;
use crate::domain::KEPT_FOR;
use crate::store::{alerts, conditions};

pub(crate) const FORGET_ALERTS: TimerKind = TimerKind::internal("forget_alerts");

/// Rows of a table that one commit deletes at the most.
const ROWS_MAX: u16 = 500;

/// The time between two looks when the first left none.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// The time between two looks when the first left some.
const AGAIN: SignedDuration = SignedDuration::from_secs(1);

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    let (resolved, old_alerts) = alerts::delete_expired(&ctx.db, now - KEPT_FOR, ROWS_MAX.into()).await?;
    let (silent, old_conditions) = conditions::delete_expired(&ctx.db, now - KEPT_FOR, ROWS_MAX.into()).await?;
    let is_full = old_alerts.max(old_conditions) >= ROWS_MAX.into();
    let next = now + if is_full { AGAIN } else { EVERY };
    let batch = resolved.and(silent).schedule(FORGET_ALERTS.name, timer.key, next);
    Ok(ctx.commit(batch, timer.cause()).await?)
}
