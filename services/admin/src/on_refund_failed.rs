//! Money did not go back: an alert says so until later refunds of the payment have given back as much.

use events::RefundFailed;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Refund};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<RefundFailed>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::RefundFailed, deliveries, |delivery| {
        let RefundFailed { refund_id, payment_id, order_id, amount, error } = delivery.event.clone();
        let refund = Refund { order_id, amount, error: Some(error), decided_at: delivery.envelope.time };
        Some((payment_id.to_string(), Fact::RefundDecided(refund_id, refund)))
    })
    .await
}
