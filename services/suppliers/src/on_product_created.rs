//! A product is for sale: suppliers may deliver it.

use events::ProductCreated;
use service::{Committed, Delivery, Failure};

use crate::domain::Product;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductCreated>) -> Result<Committed, Failure> {
    let known = store::product(&ctx.db, delivery.event.product_id).await?;
    let batch = store::set_product(&Product::created(&delivery.event, known.as_ref()));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
