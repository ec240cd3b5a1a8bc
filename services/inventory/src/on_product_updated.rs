//! A product changed: take over its name and threshold.

use events::ProductUpdated;
use kernel::Version;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::domain::Level;
use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductUpdated>) -> Result<Committed, Failure> {
    let product = &delivery.event;
    let Some(level) = store::level_of(&ctx.db, product.product_id).await? else {
        return Err(Failure::retry("the product's stock is not open yet"));
    };
    let product_version = Version::from_stored(product.version);
    let batch = if level.product_version >= product_version {
        Batch::new()
    } else {
        store::set_product(&Level {
            sku: product.sku.clone(),
            name: product.name.clone(),
            low_stock_threshold: product.low_stock_threshold,
            product_version,
            ..level
        })
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
