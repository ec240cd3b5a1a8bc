//! A user closed their account: it places no further order, and the ones that it has forget their customer.

use events::UserDeleted;
use kernel::Version;
use service::{Committed, Delivery, Failure};

use crate::account_timers::FORGET_CUSTOMER;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserDeleted>) -> Result<Committed, Failure> {
    let user_id = delivery.event.user_id;
    let batch = store::close_account(user_id, Version::from_stored(delivery.event.version));
    let batch = batch.and(FORGET_CUSTOMER.set(user_id, ctx.clock.now()));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
