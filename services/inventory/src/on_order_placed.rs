//! An order was placed: hold its units, or let it wait for them, or reject it.
//!
//! Many orders are decided at once, in the order of their placement, on levels that are read once:
//! a thousand buyers of one product become one change of its row. The levels say how many units are waited for, so the
//! queues are not read.

use events::inventory::ReservedLine;
use events::{OrderPlaced, Shortage, StockRejected, StockReserved};
use kernel::Version;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure, causes};

use crate::domain::{CannotReserve, Reservation, Shelf, Status};
use crate::store;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderPlaced>>) -> Result<Committed, Failure> {
    let orders = deliveries.iter().map(|delivery| delivery.event.order_id).collect();
    let products = deliveries.iter().flat_map(|delivery| &delivery.event.lines).map(|line| line.product_id);
    let (decided, mut shelf) = store::reservations_and_shelf(&ctx.db, orders, products).await?;

    let mut batch = Batch::new();
    let mut placed: Vec<_> =
        deliveries.iter().filter(|delivery| !decided.contains_key(&delivery.event.order_id)).collect();
    placed.sort_unstable_by_key(|delivery| delivery.event.order_id);
    for delivery in placed {
        let lines = lines(&delivery.event);
        let part = match shelf.reserve(&lines) {
            Ok(()) => reserved(&delivery.event, lines),
            Err(CannotReserve::TooLittle(shortages)) => short(&mut shelf, &delivery.event, lines, shortages),
            Err(CannotReserve::Unknown(shortages)) if delivery.is_last_attempt => {
                rejected(&delivery.event, &lines, shortages)
            }
            Err(CannotReserve::Unknown(_)) => {
                return Err(Failure::retry("a product of the order is not known here yet"));
            }
        };
        batch = batch.and(part.caused_by(delivery.origin()));
    }
    batch = batch.and(store::set_levels(&shelf, "reserved")?);
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}

fn lines(order: &OrderPlaced) -> Vec<ReservedLine> {
    let units = order.lines.iter();
    units.map(|line| ReservedLine { product_id: line.product_id, quantity: line.quantity }).collect()
}

fn reserved(order: &OrderPlaced, lines: Vec<ReservedLine>) -> Batch {
    store::insert_reservation(order.order_id, Status::Held, &lines)
        .emit(Version::FIRST, &StockReserved { order_id: order.order_id, lines })
}

/// There is too little: the order waits, if its customer wants that and more may come.
fn short(shelf: &mut Shelf, order: &OrderPlaced, lines: Vec<ReservedLine>, shortages: Vec<Shortage>) -> Batch {
    let held = if order.wait_for_stock { shelf.wait(&lines) } else { None };
    let Some(held) = held else { return rejected(order, &lines, shortages) };
    let waiting = Reservation {
        order_id: order.order_id,
        status: Status::Waiting,
        lines,
        held,
        returned: Vec::new(),
        version: Version::FIRST,
    };
    let event = StockRejected { order_id: order.order_id, shortages, waits: true };
    store::insert_waiting(&waiting).emit(Version::FIRST, &event)
}

fn rejected(order: &OrderPlaced, lines: &Vec<ReservedLine>, shortages: Vec<Shortage>) -> Batch {
    store::insert_reservation(order.order_id, Status::Rejected, lines)
        .emit(Version::FIRST, &StockRejected { order_id: order.order_id, shortages, waits: false })
}
