//! A product changed: later orders take its new name and price.

use events::ProductUpdated;
use kernel::Version;
use service::{Committed, Delivery, Failure};

use crate::domain::Product;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductUpdated>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    let product =
        Product { product_id: event.product_id, sku: event.sku.clone(), name: event.name.clone(), price: event.price };
    let batch = store::put_product(&product, false, Version::from_stored(event.version));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
