//! Stock changed: if there is some again, those who asked for it are mailed.

use std::collections::BTreeMap;

use events::InventoryUpdated;
use service::storage::Batch;
use service::{Committed, Delivery, Failure, causes};

use crate::Ctx;
use crate::domain::back_in_stock::Product;
use crate::mail_back_in_stock::MAIL_BACK_IN_STOCK;
use crate::store::back_in_stock as store;

/// Most events change nothing here: there are units, as before.
pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<InventoryUpdated>>) -> Result<Committed, Failure> {
    let ids = deliveries.iter().map(|delivery| delivery.event.product_id).collect();
    let known = store::products(&ctx.db, ids).await?;
    let mut changed = BTreeMap::new();
    for InventoryUpdated { product_id, available, version, .. } in deliveries.iter().map(|delivery| &delivery.event) {
        let before = changed.get(product_id).or_else(|| known.get(product_id)).cloned();
        let before = before.unwrap_or_else(|| Product::unknown(*product_id));
        if let Some(product) = before.stocked(*available, *version) {
            changed.insert(*product_id, product);
        }
    }
    let now = ctx.clock.now();
    let batch = changed.values().fold(Batch::new(), |batch, product| {
        let batch = batch.and(store::put_product(product));
        if product.is_in_stock { batch.schedule(MAIL_BACK_IN_STOCK.name, product.product_id, now) } else { batch }
    });
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}
