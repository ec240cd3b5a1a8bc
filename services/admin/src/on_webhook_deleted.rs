//! An endpoint was deleted: that it is disabled is of no interest any more.

use events::WebhookDeleted;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<WebhookDeleted>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::WebhookDisabled, deliveries, |delivery| {
        Some((delivery.event.endpoint_id.to_string(), Fact::Ended(delivery.envelope.sequence)))
    })
    .await
}
