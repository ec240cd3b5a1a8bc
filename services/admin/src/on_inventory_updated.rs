//! The stock of a product changed: if it was low, its alert changes or ends.
//!
//! Of a product that was never low nothing is kept.

use events::InventoryUpdated;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Level};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<InventoryUpdated>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::LowStock, deliveries, |delivery| {
        let InventoryUpdated { product_id, version, available, .. } = delivery.event;
        Some((product_id.to_string(), Fact::StockLevel(Level { version, available })))
    })
    .await
}
