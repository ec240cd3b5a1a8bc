//! Nothing more of a purchase order is wanted: it is not late any more.

use events::PurchaseOrderCancelled;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<PurchaseOrderCancelled>>,
) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::PurchaseOrderOverdue, deliveries, |delivery| {
        Some((delivery.event.purchase_order_id.to_string(), Fact::OrderCancelled))
    })
    .await
}
