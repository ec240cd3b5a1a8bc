//! A product changed: take over its name and threshold.

use events::ProductUpdated;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductUpdated>) -> Result<Committed, Failure> {
    let product = &delivery.event;
    let Some(level) = store::level_of(&ctx.db, product.product_id).await? else {
        return Err(Failure::retry("the product's stock is not open yet"));
    };
    let batch = match level.renamed(product) {
        Some((level, shortage)) => store::set_product(&level, shortage.as_ref()),
        None => Batch::new(),
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
