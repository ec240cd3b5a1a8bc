//! A purchase order has other lines: one that is late may want nothing more.

use events::PurchaseOrderChanged;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Units};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<PurchaseOrderChanged>>,
) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::PurchaseOrderOverdue, deliveries, |delivery| {
        let PurchaseOrderChanged { purchase_order_id, lines, .. } = &delivery.event;
        let ordered = Fact::Ordered(delivery.envelope.sequence, Units::of(lines));
        Some((purchase_order_id.to_string(), ordered))
    })
    .await
}
