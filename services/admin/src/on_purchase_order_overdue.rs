//! A purchase order is late: an alert says so until all of it came, or it is cancelled.

use events::PurchaseOrderOverdue;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Overdue, Units};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<PurchaseOrderOverdue>>,
) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::PurchaseOrderOverdue, deliveries, |delivery| {
        let PurchaseOrderOverdue { purchase_order_id, supplier_email, lines, expected_at, .. } = &delivery.event;
        let overdue = Overdue {
            version: delivery.envelope.sequence,
            supplier: supplier_email.clone(),
            lines: Units::of(lines),
            expected_at: *expected_at,
        };
        Some((purchase_order_id.to_string(), Fact::OrderOverdue(overdue)))
    })
    .await
}
