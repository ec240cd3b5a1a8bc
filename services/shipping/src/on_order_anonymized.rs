//! An order has forgotten its customer: so do its shipments, which keep their lines and their country.

use events::OrderAnonymized;
use service::storage::Batch;
use service::{Committed, Ctx, Delivery, Failure};

use crate::domain::Shipment;
use crate::store;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<OrderAnonymized>) -> Result<Committed, Failure> {
    let shipments = store::of_order(&ctx.db, delivery.event.order_id).await?;
    let anonymous = shipments.iter().map(Shipment::without_customer);
    let batch = anonymous.fold(Batch::new(), |batch, shipment| batch.and(store::update(&shipment)));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
