//! Goes on with the orders that wait for a product: serves them as far as there are units, or rejects them if it is not
//! for sale any more. Some in each commit, until there is nothing to do.

use std::collections::HashSet;

use events::{ProductId, Shortage, StockRejected};
use service::storage::{Batch, Error};
use service::{Committed, Ctx, Failure, Timer};

use crate::book_units::book;
use crate::domain::{Level, Reservation, Shelf, Status};
use crate::store::{self, SERVE_WAITING};

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let level = store::level_of(&ctx.db, timer.key.into()).await?;
    let batch = match level.filter(|level| level.waiting > 0) {
        None => Batch::new(),
        Some(level) if level.is_closed => reject(&ctx, &level).await?,
        Some(level) => book(&ctx, &mut Shelf::new([level]), "reserved", &HashSet::new()).await?,
    };
    Ok(ctx.commit(batch, timer.cause()).await?)
}

/// Rejects the orders that still want units of a product of which none will come. What they held of others goes on.
async fn reject(ctx: &Ctx, closed: &Level) -> Result<Batch, Error> {
    let rejected = store::first_waiting(&ctx.db, closed.product_id).await?;
    let mut products: Vec<ProductId> =
        rejected.iter().flat_map(|order| &order.lines).map(|line| line.product_id).collect();
    products.push(closed.product_id);
    products.sort_unstable();
    products.dedup();
    let mut shelf = Shelf::new(store::levels(&ctx.db, products).await?);
    let mut batch = Batch::new();
    for order in &rejected {
        shelf.abandon(order);
        let event = StockRejected {
            order_id: order.order_id,
            shortages: vec![shortage(order, closed.product_id)],
            waits: false,
        };
        batch = batch.and(store::end_waiting(order, Status::Rejected)).emit(order.version.next(), &event);
    }
    let ended = rejected.iter().map(|order| order.order_id).collect();
    let batch = batch.and(book(ctx, &mut shelf, "released", &ended).await?);
    Ok(if rejected.is_empty() { batch } else { batch.schedule(SERVE_WAITING.name, closed.product_id, ctx.clock.now()) })
}

fn shortage(order: &Reservation, product_id: ProductId) -> Shortage {
    let lines = order.lines.iter().filter(|line| line.product_id == product_id);
    Shortage { product_id, requested: lines.map(|line| line.quantity).sum(), available: 0 }
}
