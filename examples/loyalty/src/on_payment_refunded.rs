//! Money went back: so do the points that were given for it.

use events::PaymentRefunded;
use service::{Committed, Ctx, Delivery, Failure};

use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<PaymentRefunded>) -> Result<Committed, Failure> {
    let before = store::payment(&ctx.db, delivery.event.payment_id).await?;
    let after = before.refunded(&delivery.event);
    Ok(ctx.commit(store::set(&after), delivery.cause()).await?)
}
