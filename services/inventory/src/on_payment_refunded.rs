//! Money went back, and with it units: those that came back to the shop are on hand again. Orders that wait get them
//! first.

use std::collections::HashSet;

use events::PaymentRefunded;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::book_units::book;
use crate::domain::{Shelf, Status};
use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<PaymentRefunded>) -> Result<Committed, Failure> {
    let refund = &delivery.event;
    if refund.restock.is_empty() {
        return Ok(ctx.commit(Batch::new(), delivery.cause()).await?);
    }
    let found = store::reservations(&ctx.db, vec![refund.order_id]).await?;
    let reservation = found.get(&refund.order_id);
    let batch = match reservation.map(|reservation| (reservation, reservation.status)) {
        Some((reservation, Status::Sold)) => {
            let back = reservation.returnable(&refund.restock);
            let products = back.iter().map(|line| line.product_id).collect();
            let mut shelf = Shelf::new(store::levels(&ctx.db, products).await?);
            shelf.put_back(&back);
            store::set_returned(&reservation.with_returned(&back), Status::Sold)
                .and(book(&ctx, &mut shelf, "returned", &HashSet::new()).await?)
        }
        // The order was cancelled: all of it is on hand again.
        Some((_, Status::Released | Status::Rejected)) => Batch::new(),
        // The sale is reported by another service, and may arrive later.
        Some((_, Status::Waiting | Status::Held)) | None => return Err(Failure::retry("the units are not sold yet")),
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
