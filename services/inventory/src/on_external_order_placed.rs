//! An order was placed elsewhere, and is settled there: its units leave at once, or none of them do.
//!
//! Many orders are decided at once, in the order of their ids, on levels that are read once. Nothing is held for such an
//! order, for nobody pays for it here, and it does not wait: whoever took it wants to know now.

use events::inventory::ReservedLine;
use events::{ExternalOrderPlaced, ExternalOrderSettled, Shortage};
use kernel::Version;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure, causes};

use crate::domain::{CannotReserve, Status};
use crate::store;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<ExternalOrderPlaced>>,
) -> Result<Committed, Failure> {
    let orders = deliveries.iter().map(|delivery| delivery.event.order_id).collect();
    let products = deliveries.iter().flat_map(|delivery| &delivery.event.lines).map(|line| line.product_id);
    let (decided, mut shelf) = store::reservations_and_shelf(&ctx.db, orders, products).await?;

    let mut batch = Batch::new();
    let mut placed: Vec<_> =
        deliveries.iter().filter(|delivery| !decided.contains_key(&delivery.event.order_id)).collect();
    placed.sort_by_key(|delivery| delivery.event.order_id);
    placed.dedup_by_key(|delivery| delivery.event.order_id);
    for delivery in placed {
        let lines = lines(&delivery.event)?;
        let part = match shelf.take(&lines) {
            Ok(()) => settled(&delivery.event, lines, Vec::new()),
            Err(CannotReserve::TooLittle(shortages)) => settled(&delivery.event, lines, shortages),
            Err(CannotReserve::Unknown(shortages)) if delivery.is_last_attempt => {
                settled(&delivery.event, lines, shortages)
            }
            Err(CannotReserve::Unknown(_)) => {
                return Err(Failure::retry("a product of the order is not known here yet"));
            }
        };
        batch = batch.and(part.caused_by(delivery.origin()));
    }
    batch = batch.and(store::set_levels(&shelf, "external_order")?);
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}

fn lines(order: &ExternalOrderPlaced) -> Result<Vec<ReservedLine>, Failure> {
    let is_good = !order.lines.is_empty() && order.lines.iter().all(|line| line.quantity > 0);
    if !is_good {
        return Err(Failure::park("the order has no lines, or a line of less than one unit"));
    }
    let units = order.lines.iter();
    Ok(units.map(|line| ReservedLine { product_id: line.product_id, quantity: line.quantity }).collect())
}

/// Records what was decided, with all lines, and reports it: lines that left, or what there is too little of.
fn settled(order: &ExternalOrderPlaced, lines: Vec<ReservedLine>, shortages: Vec<Shortage>) -> Batch {
    let status = if shortages.is_empty() { Status::Sold } else { Status::Rejected };
    let batch = store::insert_reservation(order.order_id, status, &lines);
    let lines = if shortages.is_empty() { lines } else { Vec::new() };
    let event = ExternalOrderSettled { order_id: order.order_id, contract: order.contract.clone(), lines, shortages };
    batch.emit(Version::FIRST, &event)
}
