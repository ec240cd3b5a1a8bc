//! Units of an order will not leave: they were refunded before they did.

use events::ShipmentReduced;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<ShipmentReduced>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(ctx, deliveries, |event| event.order_id, move |order, event| order.shipment_reduced(event, now)).await
}
