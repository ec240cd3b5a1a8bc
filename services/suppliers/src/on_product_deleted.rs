//! A product is no longer for sale: what is still to come of it is not wanted.
//!
//! A purchase order that is placed at the same instant counts up the product's version, so one of the two finds it
//! changed since it was read, and decides again.

use events::ProductDeleted;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::Product;
use crate::store::{self, purchase_orders};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductDeleted>) -> Result<Committed, Failure> {
    let product_id = delivery.event.product_id;
    let known = store::product(&ctx.db, product_id).await?;
    let product = store::set_product(&Product::deleted(&delivery.event, known.as_ref()));
    let orders = purchase_orders::open_of_product(&ctx.db, product_id).await?;
    let now = ctx.clock.now();
    let without = orders.iter().filter_map(|order| order.without_product(product_id, now));
    let batch = without.fold(product, |batch, happened| batch.and(purchase_orders::apply(&happened)));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
