//! A shipment of an order arrived.

use events::ShipmentDelivered;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<ShipmentDelivered>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(ctx, deliveries, |event| event.order_id, move |order, event| order.shipment_moved(event.into(), now))
        .await
}
