//! An order was paid: adds it.

use events::OrderPaid;
use service::storage::Committed;
use service::{Ctx, Delivery, Failure};

use crate::{domain, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<OrderPaid>) -> Result<Committed, Failure> {
    let paid = domain::paid(&delivery.event);
    Ok(ctx.commit(store::add(paid), delivery.cause()).await?)
}
