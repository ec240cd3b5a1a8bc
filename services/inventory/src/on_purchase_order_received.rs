//! Units came from a supplier: they are on hand. Orders that wait get them first.
//!
//! The inbox drops an event that was handled. The receipt is kept all the same, for as long as the stock: units that are
//! counted twice would be sold twice, and a delivery that is reported by another event, or after its row has left the
//! inbox, is known by the receipt's id.

use std::collections::HashSet;

use events::PurchaseOrderReceived;
use events::inventory::ReservedLine;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::book_units::book;
use crate::domain::Shelf;
use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<PurchaseOrderReceived>) -> Result<Committed, Failure> {
    let receipt = &delivery.event;
    if store::is_received(&ctx.db, receipt.receipt_id).await? {
        return Ok(ctx.commit(Batch::new(), delivery.cause()).await?);
    }
    let units = receipt.lines.iter();
    let units = units.map(|line| ReservedLine { product_id: line.product_id, quantity: line.quantity });
    let units: Vec<ReservedLine> = units.collect();
    let products = units.iter().map(|line| line.product_id).collect();
    let mut shelf = Shelf::new(store::levels(&ctx.db, products).await?);
    if !shelf.receive(&units) {
        // The catalogue reports its products in another lane.
        return Err(Failure::retry("the stock of a product that came is not open yet"));
    }
    let received = store::insert_receipt(receipt.receipt_id, receipt.purchase_order_id, &units, ctx.clock.now());
    let batch = received.and(book(&ctx, &mut shelf, "received", &HashSet::new()).await?);
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
