//! An order has forgotten its customer: so do its payments, which keep their money.

use events::OrderAnonymized;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<OrderAnonymized>) -> Result<Committed, Failure> {
    let payments = store::of_order(&ctx.db, delivery.event.order_id).await?;
    Ok(ctx.commit(store::forget_customer(&payments), delivery.cause()).await?)
}
