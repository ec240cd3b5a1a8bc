//! A user closed their account: no further order takes its address, and the ones that it has forget their customer.

use events::UserDeleted;
use kernel::Version;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserDeleted>) -> Result<Committed, Failure> {
    let user_id = delivery.event.user_id;
    let batch = store::put_closed_account(user_id, Version::from_stored(delivery.event.version));
    let batch = batch.schedule(store::FORGET_CUSTOMER.name, user_id, ctx.clock.now());
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
