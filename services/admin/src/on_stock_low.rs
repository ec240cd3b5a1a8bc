//! A product ran low: an alert says so until more than its threshold is available.

use events::StockLow;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Shortage};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<StockLow>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::LowStock, deliveries, |delivery| {
        let StockLow { product_id, sku, name, available, threshold } = delivery.event.clone();
        let (version, since) = (delivery.envelope.sequence, delivery.envelope.time);
        Some((product_id.to_string(), Fact::StockLow(Shortage { version, sku, name, available, threshold, since })))
    })
    .await
}
