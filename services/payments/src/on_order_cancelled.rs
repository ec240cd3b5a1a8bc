//! An order ended: what was not begun is voided, what was taken and is not going back already goes back.
//!
//! Emitted again after a late capture, it finds that capture; emitted again otherwise, it finds nothing to do.

use events::OrderCancelled;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::charge::CHARGE;
use crate::domain::Cancelled;
use crate::refund::REFUND;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<OrderCancelled>) -> Result<Committed, Failure> {
    let payments = store::of_order(&ctx.db, delivery.event.order_id).await?;
    let now = ctx.clock.now();
    let mut batch = Batch::new();
    for cancelled in payments.iter().filter_map(|payment| payment.cancel(ctx.ids.next(), now)) {
        batch = batch.and(match cancelled {
            Cancelled::Voided(payment, event) => {
                store::update(&payment).emit(payment.version.next(), &event).unschedule(CHARGE.name, payment.payment_id)
            }
            Cancelled::Refunding(payment, refund) => {
                store::update(&payment).and(store::insert_refund(&refund)).schedule(REFUND.name, refund.refund_id, now)
            }
            Cancelled::Marked(payment) => store::update(&payment),
        });
    }
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
