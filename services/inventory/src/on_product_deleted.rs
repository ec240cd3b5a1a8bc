//! A product is no longer for sale: nothing more of it is held, and orders that wait for it are rejected.

use events::ProductDeleted;
use kernel::Version;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::domain::Level;
use crate::store::{self, SERVE_WAITING};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ProductDeleted>) -> Result<Committed, Failure> {
    let Some(level) = store::level_of(&ctx.db, delivery.event.product_id).await? else {
        return Err(Failure::retry("the product's stock is not open yet"));
    };
    let product_version = Version::from_stored(delivery.event.version);
    let batch = if level.is_closed {
        Batch::new()
    } else {
        let is_waited_for = level.waiting > 0;
        let closed = store::set_product(&Level { is_closed: true, is_low: false, product_version, ..level }, None);
        if is_waited_for {
            closed.schedule(SERVE_WAITING.name, delivery.event.product_id, ctx.clock.now())
        } else {
            closed
        }
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
