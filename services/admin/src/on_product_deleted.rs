//! A product is no longer for sale: it is not low any more.

use events::ProductDeleted;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<ProductDeleted>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::LowStock, deliveries, |delivery| {
        Some((delivery.event.product_id.to_string(), Fact::ProductDeleted))
    })
    .await
}
