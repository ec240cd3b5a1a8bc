//! An order ended: what was not begun is voided, what was taken goes back.
//!
//! Told again after a late capture, it finds that capture; told again otherwise, it finds nothing to do.

use events::OrderCancelled;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::charge::CHARGE;
use crate::domain::Status;
use crate::refund::REFUND;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<OrderCancelled>) -> Result<Committed, Failure> {
    let payments = store::of_order(&ctx.db, delivery.event.order_id).await?;
    let now = ctx.clock.now();
    let mut batch = Batch::new();
    for payment in payments.iter().filter_map(|payment| payment.cancel(now)) {
        let part = store::update(&payment);
        batch = batch.and(match payment.status {
            Status::Refunding => part.schedule(REFUND.name, payment.payment_id, now),
            _ => part.unschedule(CHARGE.name, payment.payment_id),
        });
    }
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
