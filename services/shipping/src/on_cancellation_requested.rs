//! A paid order is to be cancelled: stops all of it, or answers with what has left.
//!
//! A dispatch at the same instant changes the order's pending shipment too, so one of the two finds it changed since it
//! was read, and decides again.

use events::CancellationRequested;
use service::{Committed, Ctx, Delivery, Failure};

use crate::{domain, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<CancellationRequested>) -> Result<Committed, Failure> {
    let shipments = store::of_order(&ctx.db, delivery.event.order_id).await?;
    let answer = domain::cancel(&delivery.event, &shipments, ctx.ids.next(), ctx.clock.now());
    Ok(ctx.commit(store::answer(&answer), delivery.cause()).await?)
}
