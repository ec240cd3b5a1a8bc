//! An order was cancelled: what was held for it is free again, and what was sold is on hand again, once. Orders that wait
//! get it first.
//!
//! Facts may cross: a cancellation that finds nothing held is recorded, and the order that comes later holds nothing.

use events::OrderCancelled;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure, causes};

use crate::book_units::book;
use crate::domain::{Shelf, Status};
use crate::store;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderCancelled>>) -> Result<Committed, Failure> {
    let orders = deliveries.iter().map(|delivery| delivery.event.order_id).collect();
    let reservations = store::reservations(&ctx.db, orders).await?;
    let is_out = |status| matches!(status, Status::Waiting | Status::Held | Status::Sold);
    let out = reservations.values().filter(|reservation| is_out(reservation.status));
    let mut products: Vec<_> = out.flat_map(|reservation| &reservation.lines).map(|line| line.product_id).collect();
    products.sort_unstable();
    products.dedup();
    let mut shelf = Shelf::new(store::levels(&ctx.db, products).await?);

    let mut batch = Batch::new();
    for delivery in &deliveries {
        let order_id = delivery.event.order_id;
        let part = match reservations.get(&order_id) {
            None => store::insert_reservation(order_id, Status::Released, &Vec::new()),
            Some(reservation) => match reservation.status {
                Status::Waiting => {
                    shelf.abandon(reservation);
                    store::end_waiting(reservation, Status::Released)
                }
                Status::Held => {
                    shelf.release(&reservation.lines);
                    store::set_reservation(reservation, Status::Released)
                }
                Status::Released | Status::Rejected => Batch::new(),
                // Of a paid order nothing had left, so all of it is there.
                Status::Sold => {
                    let back = reservation.outstanding();
                    shelf.put_back(&back);
                    store::set_returned(&reservation.with_returned(&back), Status::Released)
                }
            },
        };
        batch = batch.and(part);
    }
    let ended = deliveries.iter().map(|delivery| delivery.event.order_id).collect();
    batch = batch.and(book(&ctx, &mut shelf, "released", &ended).await?);
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}
