//! A purchase order changed: the supplier is mailed each time.

use events::PurchaseOrderChanged;
use kernel::Uuid;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each_occasion};
use crate::domain::Topic;
use crate::templates::{Content, Purchase};

pub(crate) async fn handle_many(
    ctx: Ctx,
    deliveries: Vec<Delivery<PurchaseOrderChanged>>,
) -> Result<Committed, Failure> {
    write_each_occasion(ctx, deliveries, |event, occasion| Some(letter(event, occasion))).await
}

fn letter(order: &PurchaseOrderChanged, occasion: Uuid) -> Letter<'_> {
    let purchase = Purchase {
        purchase_order_id: order.purchase_order_id,
        supplier: &order.supplier_name,
        lines: &order.lines,
        expected_at: Some(order.expected_at),
    };
    let topic = Topic::PurchaseOrder(occasion);
    Letter { topic, recipient: &order.supplier_email, content: Content::PurchaseOrderChanged(purchase) }
}
