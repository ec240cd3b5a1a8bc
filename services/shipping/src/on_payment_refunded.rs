//! Units of an order were refunded to be sold again: those that have not left are withheld.
//!
//! A dispatch at the same instant changes the order's pending shipment too, so one of the two finds it changed since it
//! was read, and decides again. The refund is kept, for it may come before the payment of the order, or twice.

use events::PaymentRefunded;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::domain::{Refund, withhold};
use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<PaymentRefunded>) -> Result<Committed, Failure> {
    let batch = match Refund::of(&delivery.event) {
        Some(refund) if !store::is_withheld(&ctx.db, refund.refund_id).await? => {
            let shipments = store::of_order(&ctx.db, refund.order_id).await?;
            let now = ctx.clock.now();
            store::withhold(&refund, &withhold(&refund, &shipments, ctx.ids.next(), now), now)
        }
        _ => Batch::new(),
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
