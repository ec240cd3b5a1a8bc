//! Money went back: it may make up for a refund that failed, or for one that was asked for before and fails later.

use events::PaymentRefunded;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Refund};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<PaymentRefunded>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::RefundFailed, deliveries, |delivery| {
        let PaymentRefunded { payment_id, refund_id, order_id, amount, .. } = delivery.event;
        // Events of the first version have no id, and gave back all.
        let fact = refund_id.map_or(Fact::AllRefunded, |refund_id| {
            let refund = Refund { order_id, amount, error: None, decided_at: delivery.envelope.time };
            Fact::RefundDecided(refund_id, refund)
        });
        Some((payment_id.to_string(), fact))
    })
    .await
}
