//! Shipping says if an order that is paid can still be cancelled.

use events::ShipmentStopped;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::decide_each::decide_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<ShipmentStopped>>) -> Result<Committed, Failure> {
    let now = ctx.clock.now();
    decide_each(
        ctx,
        deliveries,
        |event| event.order_id,
        move |order, event| order.shipment_stopped(!event.left.is_empty(), now),
    )
    .await
}
