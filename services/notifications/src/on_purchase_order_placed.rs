//! The shop orders from a supplier: the supplier is mailed.

use events::PurchaseOrderPlaced;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::{Content, Purchase};

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<PurchaseOrderPlaced>>,
) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, |event| Some(letter(event))).await
}

fn letter(order: &PurchaseOrderPlaced) -> Letter<'_> {
    let purchase = Purchase {
        purchase_order_id: order.purchase_order_id,
        supplier: &order.supplier_name,
        lines: &order.lines,
        expected_at: Some(order.expected_at),
    };
    let topic = Topic::PurchaseOrder(order.purchase_order_id.into());
    Letter { topic, recipient: &order.supplier_email, content: Content::PurchaseOrder(purchase) }
}
