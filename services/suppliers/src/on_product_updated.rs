//! A product changed: later purchase orders take its new sku and name.

use events::ProductUpdated;
use service::{Committed, Delivery, Failure};

use crate::domain::Product;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductUpdated>) -> Result<Committed, Failure> {
    let known = store::product(&ctx.db, delivery.event.product_id).await?;
    let batch = store::set_product(&Product::updated(&delivery.event, known.as_ref()));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
