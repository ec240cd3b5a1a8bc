//! A product has another threshold, perhaps: with a lower one it is no longer low.

use events::ProductUpdated;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<ProductUpdated>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::LowStock, deliveries, |delivery| {
        let ProductUpdated { product_id, version, low_stock_threshold, .. } = delivery.event;
        Some((product_id.to_string(), Fact::Threshold(version, low_stock_threshold)))
    })
    .await
}
