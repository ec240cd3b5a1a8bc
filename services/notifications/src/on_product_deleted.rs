//! A product is no longer for sale: nobody is mailed about it any more.

use events::ProductDeleted;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::mail_back_in_stock::MAIL_BACK_IN_STOCK;
use crate::store::back_in_stock as store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductDeleted>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    let batch = match store::product(&ctx.db, event.product_id).await?.deleted(event.version) {
        None => Batch::new(),
        Some(product) => {
            store::put_product(&product).schedule(MAIL_BACK_IN_STOCK.name, product.product_id, ctx.clock.now())
        }
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
