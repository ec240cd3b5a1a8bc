//! An order moved on: if it was rejected, say so.

use events::OrderUpdated;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderUpdated>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, letter).await
}

fn letter(order: &OrderUpdated) -> Option<Letter<'_>> {
    let content = match order.status.as_str() {
        "rejected" => Content::Rejection { number: order.number, reason: order.reason.as_deref().unwrap_or_default() },
        _ => return None,
    };
    Some(Letter { topic: Topic::Order(order.order_id), recipient: &order.email, content })
}
