//! Stock changed: shows whether a product can be bought.

use events::InventoryUpdated;
use service::storage::Committed;
use service::{Delivery, Failure, causes};

use crate::{Ctx, domain, store};

/// Needs no product: a flag may come before its product or after its end, and nobody sees it then.
pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<InventoryUpdated>>) -> Result<Committed, Failure> {
    let flags = domain::newest_flags(deliveries.iter().map(|delivery| &delivery.event));
    Ok(ctx.commit(store::put_flags(&flags), causes(deliveries)).await?)
}
