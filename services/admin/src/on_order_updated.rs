//! An order moved on, perhaps: then it is not stuck any more.

use events::OrderUpdated;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderUpdated>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::OrderStuck, deliveries, |delivery| {
        let OrderUpdated { order_id, previous_status, status, .. } = &delivery.event;
        let ended = Fact::Ended(delivery.envelope.sequence);
        (previous_status != status).then(|| (order_id.to_string(), ended))
    })
    .await
}
