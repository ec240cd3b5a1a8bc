//! A product is for sale: open its stock.

use events::ProductCreated;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::domain::Level;
use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductCreated>) -> Result<Committed, Failure> {
    let known = store::level_of(&ctx.db, delivery.event.product_id).await?;
    let batch = if known.is_some() {
        Batch::new()
    } else {
        let (level, shortage) = Level::opened(&delivery.event);
        store::open(&level, shortage.as_ref())
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
