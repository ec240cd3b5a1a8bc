//! An order was paid: what was held for it is sold.

use events::OrderPaid;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure, causes};

use crate::domain::{Shelf, Status};
use crate::store;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderPaid>>) -> Result<Committed, Failure> {
    let orders = deliveries.iter().map(|delivery| delivery.event.order_id).collect();
    let reservations = store::reservations(&ctx.db, orders).await?;
    let mut products: Vec<_> =
        reservations.values().flat_map(|reservation| &reservation.lines).map(|line| line.product_id).collect();
    products.sort_unstable();
    products.dedup();
    let mut shelf = Shelf::new(store::levels(&ctx.db, products).await?);

    let mut batch = Batch::new();
    for delivery in &deliveries {
        let order_id = delivery.event.order_id;
        let Some(reservation) = reservations.get(&order_id) else {
            return Err(Failure::park("an order was paid for which nothing was ever held"));
        };
        match reservation.status {
            Status::Held => {
                shelf.sell(&reservation.lines);
                batch = batch.and(store::set_reservation(reservation, Status::Sold));
            }
            // Released, if this event was lost and is republished after the order's cancellation: all of it is on hand.
            Status::Sold | Status::Released => {}
            Status::Waiting | Status::Rejected => return Err(Failure::park("a paid order's units were never held")),
        }
    }
    batch = batch.and(store::set_levels(&shelf, "sold")?);
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}
