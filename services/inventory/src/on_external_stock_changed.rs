//! The stock of a product that is kept elsewhere changed: the level here follows.

use events::ExternalStockChanged;
use service::{Committed, Ctx, Delivery, Failure};

use crate::mirror_stock::mirror;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ExternalStockChanged>) -> Result<Committed, Failure> {
    let stock = &delivery.event;
    let Some(batch) = mirror(&ctx, stock.product_id, stock.on_hand).await? else {
        return Err(Failure::retry("the product's stock is not open yet"));
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
