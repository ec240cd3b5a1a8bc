//! A product that is kept elsewhere changed: if its stock was said, the level here follows.

use events::ExternalProductChanged;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::mirror_stock::mirror;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ExternalProductChanged>) -> Result<Committed, Failure> {
    let product = &delivery.event;
    let batch = match product.stock.filter(|_| !product.is_deleted) {
        // A product that is new has no level yet: the catalogue says in ProductCreated what it begins with.
        Some(on_hand) => mirror(&ctx, product.product_id, on_hand).await?.unwrap_or_default(),
        None => Batch::new(),
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
