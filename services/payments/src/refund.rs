//! The timer that gives money back.

use service::storage::Batch;
use service::{Committed, Failure, Timer, TimerKind};

use crate::domain::Status;
use crate::provider::answer_of;
use crate::{Ctx, store};

pub(crate) const REFUND: TimerKind = TimerKind::external("refund");

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let payment = store::payment_of(&ctx.db, &timer).await?;
    if payment.status == Status::Refunding {
        // Asked again after a lost answer, the provider answers that the money is back: there is nothing to look up.
        answer_of(ctx.state.provider.refund(payment.payment_id, payment.amount))
            .await
            .map_err(|unknown| Failure::retry(unknown.to_string()))?;
    }
    let batch = match payment.refund(ctx.clock.now()) {
        Some((refunded, event)) => store::update(&refunded).emit(refunded.version.next(), &event),
        None => Batch::new(),
    };
    Ok(ctx.commit(batch, timer.cause()).await?)
}
