//! An order has forgotten its customer: the mails about it go.

use events::OrderAnonymized;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<OrderAnonymized>) -> Result<Committed, Failure> {
    let mails = store::mails_of_order(&ctx.db, delivery.event.order_id).await?;
    Ok(ctx.commit(store::delete(&mails), delivery.cause()).await?)
}
