//! Orders were paid: each gets a shipment of its lines.
//!
//! Facts may cross: an order whose cancellation came first has a stopped shipment, which gets the lines and stays
//! stopped. One of which a refund came first has a shipment too, which gets the lines without those that were refunded.

use events::OrderPaid;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure, causes};

use crate::domain::{Paid, paid};
use crate::store;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderPaid>>) -> Result<Committed, Failure> {
    let orders = deliveries.iter().map(|delivery| delivery.event.order_id).collect();
    let mut known = store::first_shipments(&ctx.db, orders).await?;
    let unpaid = known.values().filter(|first| first.is_of_unpaid_order()).map(|first| first.order_id).collect();
    let refunds = store::refunds(&ctx.db, unpaid).await?;
    let now = ctx.clock.now();
    let mut batch = Batch::new();
    for delivery in &deliveries {
        let order = &delivery.event;
        let refunds = refunds.get(&order.order_id).map(Vec::as_slice).unwrap_or_default();
        let (part, shipment) = match paid(order, known.get(&order.order_id), refunds, ctx.ids.next(), now) {
            Some(Paid::New(shipment)) => (store::insert(&shipment), shipment),
            Some(Paid::Known(shipment, reduced)) => (store::fill(&shipment, reduced.as_ref()), shipment),
            None => continue,
        };
        batch = batch.and(part.caused_by(delivery.origin()));
        // The same order may be paid twice in one set.
        known.insert(order.order_id, shipment);
    }
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}
