//! The shop orders from a supplier: what is to come is kept, so that it is known when all of it came.

use events::PurchaseOrderPlaced;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Units};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<PurchaseOrderPlaced>>,
) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::PurchaseOrderOverdue, deliveries, |delivery| {
        let PurchaseOrderPlaced { purchase_order_id, lines, .. } = &delivery.event;
        let ordered = Fact::Ordered(delivery.envelope.sequence, Units::of(lines));
        Some((purchase_order_id.to_string(), ordered))
    })
    .await
}
