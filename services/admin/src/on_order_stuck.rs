//! An order is in a status for too long: an alert says so until it moves on.

use events::OrderStuck;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Switched};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<OrderStuck>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::OrderStuck, deliveries, |delivery| {
        let OrderStuck { order_id, number, status, since } = &delivery.event;
        let detail = format!("order {number} is {status} for too long");
        let began = Switched { version: delivery.envelope.sequence, since: *since, detail };
        Some((order_id.to_string(), Fact::Began(began)))
    })
    .await
}
