//! A product is no longer for sale: it can't be ordered any more.

use events::ProductDeleted;
use kernel::{Money, Version};
use service::{Committed, Delivery, Failure};

use crate::domain::Product;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductDeleted>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    // Also of a product that is not known here: what was emitted before may arrive later, by another lane.
    let gone = Product {
        product_id: event.product_id,
        sku: event.sku.clone(),
        name: String::new(),
        price: Money::new(0, ctx.state.settings.currency),
    };
    let batch = store::put_product(&gone, true, Version::from_stored(event.version));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
