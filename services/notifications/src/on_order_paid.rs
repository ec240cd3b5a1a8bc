//! An order is paid: confirm it.

use events::OrderPaid;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_each};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderPaid>>) -> Result<Committed, Failure> {
    write_each(ctx, deliveries, |event| Some(letter(event))).await
}

fn letter(order: &OrderPaid) -> Letter<'_> {
    let content = Content::Confirmation {
        number: order.number,
        lines: &order.lines,
        total: order.amount,
        ship_to: order.ship_to.as_ref(),
    };
    Letter { topic: Topic::Order(order.order_id), recipient: &order.email, content }
}
