//! The timer that gives money back: asks the provider outside of any transaction, and commits what it decided.
//!
//! The money is held by the payment before this timer is set, so that all refunds together never exceed the capture.
//! The provider is asked once (`ask_once.rs`).

use kernel::Timestamp;
use service::storage::{Batch, Error};
use service::{Committed, Failure, Timer, TimerKind};

use crate::ask_once::ask_once;
use crate::domain::Decided;
use crate::domain::refund::{REFUNDS_MAX, Refund, RefundEvent, RefundStatus, SettledRefund};
use crate::{Ctx, store};

pub(crate) const REFUND: TimerKind = TimerKind::external("refund");

/// Reads and decisions about one answer of the provider. Each is repeated because another refund of the same payment was
/// asked for or decided, of which there are so many.
const DECISIONS: usize = 2 * REFUNDS_MAX;

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let (refund, _) = store::refund_of(&ctx.db, &timer).await?;
    if refund.status != RefundStatus::Pending {
        return Ok(ctx.commit(Batch::new(), timer.cause()).await?);
    }
    let (provider, key) = (&ctx.state.provider, refund.refund_id);
    let is_overdue = refund.is_overdue(ctx.clock.now());
    let look_up = || provider.look_up_refund(key);
    let decided =
        ask_once(timer.attempts, is_overdue, look_up, || provider.refund(key, refund.payment_id, refund.amount))
            .await
            .map_err(|unknown| Failure::retry(unknown.to_string()))?;
    let committed = settle(&ctx, &timer, &decided).await?;
    if decided.looked_up {
        ctx.state.refunds_looked_up.count([]);
        tracing::info!(refund_id = %refund.refund_id, order_id = %refund.order_id, "a refund was looked up");
    }
    Ok(committed)
}

/// Commits what the provider decided. It is decided again, without asking again, while the payment changes: two refunds
/// of one payment may be decided at once.
async fn settle(ctx: &Ctx, timer: &Timer, decided: &Decided<Refund>) -> Result<Committed, Failure> {
    for _ in 0..DECISIONS {
        let (refund, payment) = store::refund_of(&ctx.db, timer).await?;
        let now = ctx.clock.now();
        let settled = payment.settle_refund(&refund, decided, ctx.ids.next(), now);
        let batch = settled.as_ref().map_or_else(Batch::new, |settled| batch(settled, now));
        let committed = match ctx.commit(batch, timer.end()).await {
            Err(Error::Conflict { .. }) => continue,
            committed => committed?,
        };
        if settled.is_some_and(|settled| matches!(settled.event, RefundEvent::Failed(_))) {
            ctx.state.refunds_failed.count([]);
        }
        return Ok(committed);
    }
    Err(Failure::retry("the payment changed while its refund was decided"))
}

fn batch(settled: &SettledRefund, now: Timestamp) -> Batch {
    let SettledRefund { payment, refund, event, renewal } = settled;
    let version = payment.version.next();
    let batch = store::update(payment).and(store::settle_refund(refund));
    let batch = match event {
        RefundEvent::Refunded(event) => batch.emit(version, event),
        RefundEvent::Failed(event) => batch.emit(version, event),
    };
    match renewal {
        Some(refund) => batch.and(store::insert_refund(refund)).schedule(REFUND.name, refund.refund_id, now),
        None => batch,
    }
}
