//! A product changed: mails about it have its new name.

use events::ProductUpdated;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::store::back_in_stock as store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductUpdated>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    let product = store::product(&ctx.db, event.product_id).await?.named(&event.name, event.version);
    let batch = product.map_or_else(Batch::new, |product| store::put_product(&product));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
