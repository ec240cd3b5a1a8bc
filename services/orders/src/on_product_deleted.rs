//! A product is no longer for sale: it can't be ordered any more.

use events::ProductDeleted;
use kernel::Version;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductDeleted>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    let product = store::products(&ctx.db, vec![event.product_id]).await?.into_iter().next();
    let version = Version::from_stored(event.version);
    let batch = product.map_or_else(Batch::new, |product| store::put_product(&product, true, version));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
