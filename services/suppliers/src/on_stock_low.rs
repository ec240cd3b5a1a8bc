//! A product ran low: it is ordered from a supplier that has `auto_replenish`, unless an open order brings units of it.
//!
//! Once for each shortage, however often it is delivered: see `domain/replenishment.rs`.

use events::StockLow;
use kernel::Version;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Replenished, Shortage, replenish};
use crate::place_purchase_order::write_placed;
use crate::store::{self, purchase_orders};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<StockLow>) -> Result<Committed, Failure> {
    let shortage = Shortage::of(&delivery.event, Version::from_stored(delivery.envelope.sequence));
    let product_id = shortage.product_id;
    let newest = purchase_orders::newest_shortage(&ctx.db, product_id).await?;
    let suppliers = store::replenishing(&ctx.db, product_id).await?;
    // Read after the suppliers, of which an order that is placed meanwhile counts up the version.
    let open = purchase_orders::open_lines(&ctx.db, vec![product_id]).await?;
    let batch = match replenish(&shortage, newest, &open, &suppliers, ctx.ids.next(), ctx.clock.now()) {
        Replenished::Nothing => Batch::new(),
        Replenished::Covered(purchase_order_id) => purchase_orders::cover(&shortage, purchase_order_id),
        Replenished::Ordered(placed) => {
            let covered = purchase_orders::cover(&shortage, placed.order.purchase_order_id);
            write_placed(&ctx, &placed).and(covered)
        }
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
