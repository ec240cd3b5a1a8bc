//! Units came, or are free again: the orders that wait for them come first, in the order in which they were placed.

use std::collections::HashSet;

use events::{OrderId, StockReserved};
use service::Ctx;
use service::storage::{Batch, Error};

use crate::domain::{Served, Shelf, Status};
use crate::store::{self, SERVE_WAITING};

/// Writes the levels, and what of them goes to orders that wait, in one commit. Orders that `ended` in it get nothing.
///
/// Reads nothing where no order waits. Serves a bounded number of orders of each product: a timer goes on with the
/// others, and until then new orders get none of the units that these wait for.
pub(crate) async fn book(ctx: &Ctx, shelf: &mut Shelf, reason: &str, ended: &HashSet<OrderId>) -> Result<Batch, Error> {
    let queue = store::queue(&ctx.db, shelf.unserved()).await?;
    let mut queue = ended.iter().fold(queue, |queue, order_id| queue.without(*order_id));
    queue.serve(shelf);
    let batch = queue.served().iter().fold(Batch::new(), |batch, served| batch.and(write(served)));
    let (more, now) = (shelf.unserved().into_iter().filter(|id| queue.is_known(*id)), ctx.clock.now());
    let batch = more.fold(batch, |batch, id| batch.schedule(SERVE_WAITING.name, id, now));
    Ok(batch.and(store::set_levels(shelf, reason)?))
}

fn write(served: &Served) -> Batch {
    let reservation = &served.reservation;
    let batch = store::set_served(served);
    if reservation.status != Status::Held {
        return batch;
    }
    let event = StockReserved { order_id: reservation.order_id, lines: reservation.lines.clone() };
    batch.emit(reservation.version.next(), &event)
}
