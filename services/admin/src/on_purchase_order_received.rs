//! Units of a purchase order came: it is not late any more once all of it did.

use events::PurchaseOrderReceived;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Receipt, Units};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<PurchaseOrderReceived>>,
) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::PurchaseOrderOverdue, deliveries, |delivery| {
        let PurchaseOrderReceived { purchase_order_id, receipt_id, lines, .. } = &delivery.event;
        let receipt = Receipt { version: delivery.envelope.sequence, lines: Units::of(lines) };
        Some((purchase_order_id.to_string(), Fact::Received(*receipt_id, receipt)))
    })
    .await
}
