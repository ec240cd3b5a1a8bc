//! A shipment arrived: its customer may review what was in it.

use events::ShipmentDelivered;
use service::{Committed, Delivery, Failure, causes};

use crate::store::reviews as store;
use crate::{Ctx, domain};

/// Needs no product: it may come before its product or after its end, and is kept all the same.
pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<ShipmentDelivered>>) -> Result<Committed, Failure> {
    let mut delivered = domain::review::delivered(deliveries.iter().map(|delivery| &delivery.event));
    let customers = delivered.iter().map(|(user_id, _)| *user_id).collect();
    let closed = store::closed_accounts(&ctx.db, customers).await?;
    delivered.retain(|(user_id, _)| !closed.contains(user_id));
    Ok(ctx.commit(store::remember(&delivered), causes(deliveries)).await?)
}
