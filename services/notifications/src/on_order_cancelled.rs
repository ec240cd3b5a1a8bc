//! An order was cancelled: say so, once, however often it is told.

use events::OrderCancelled;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderCancelled>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, letter).await
}

fn letter(order: &OrderCancelled) -> Option<Letter<'_>> {
    // The mail about the failed payment has told it.
    if order.reason == "payment_failed" {
        return None;
    }
    let content = Content::Cancelled { number: order.number, reason: &order.reason };
    Some(Letter { topic: Topic::Order(order.order_id), recipient: &order.email, content })
}
