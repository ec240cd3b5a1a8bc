//! An order moved on: if its customer waits for the news, say so.

use events::OrderUpdated;
use events::orders::NOT_SENT;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::compose::{Letter, write_all};
use crate::domain::Topic;
use crate::templates::Content;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderUpdated>>) -> Result<Committed, Failure> {
    write_all(ctx, deliveries, |event, _| letters(event)).await
}

/// The news, and that all arrived, if this is when it did. Both come at once where events crossed: of an order whose last
/// shipment is first known when it arrives, or that arrived before shipping said that it can't be cancelled.
fn letters(order: &OrderUpdated) -> [Option<Letter<'_>>; 2] {
    let (order_id, number) = (order.order_id, order.number);
    let of_order = Topic::Order(order_id);
    let news = if let Some(shipment) = &order.shipment {
        Some((Topic::Shipment(shipment.shipment_id, order_id), Content::Dispatched { number, shipment }))
    } else if let Some(refund) = &order.refund {
        Some((Topic::Refund(refund.refund_id, order_id), Content::Refunded { number, amount: refund.amount }))
    } else {
        match (order.previous_status.as_str(), order.status.as_str()) {
            (_, "rejected") => {
                Some((of_order, Content::Rejection { number, reason: order.reason.as_deref().unwrap_or_default() }))
            }
            (_, "backordered") => Some((of_order, Content::Backordered { number })),
            ("backordered", "reserved") => Some((of_order, Content::PaymentDue { number })),
            ("cancelling", _) => Some((of_order, Content::TooLateToCancel { number })),
            _ => None,
        }
    };
    // If its money had gone back before, that was mailed. If it was refunded before it left, it never arrives.
    let is_there = |status: &str| matches!(status, "delivered" | "refunded");
    let is_sent = order.reason.as_deref() != Some(NOT_SENT);
    let has_arrived = is_sent && is_there(&order.status) && !is_there(&order.previous_status);
    let arrival = has_arrived.then_some((of_order, Content::Delivered { number }));
    [news, arrival].map(|letter| letter.map(|(topic, content)| Letter { topic, recipient: &order.email, content }))
}
