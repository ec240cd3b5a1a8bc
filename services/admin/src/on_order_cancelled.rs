//! An order ended: it is not stuck any more.

use events::OrderCancelled;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderCancelled>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::OrderStuck, deliveries, |delivery| {
        Some((delivery.event.order_id.to_string(), Fact::Ended(delivery.envelope.sequence)))
    })
    .await
}
