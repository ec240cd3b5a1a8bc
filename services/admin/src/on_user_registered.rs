//! Somebody opened an account: it can be banned from now on.

use events::UserRegistered;
use service::storage::Batch;
use service::{Committed, Delivery, Failure, causes};

use crate::{Ctx, store};

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<UserRegistered>>) -> Result<Committed, Failure> {
    let add = |batch: Batch, delivery: &Delivery<UserRegistered>| batch.and(store::add(delivery.event.user_id));
    let batch = deliveries.iter().fold(Batch::new(), add);
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}
