//! A user has another address: later orders take it, and open ones that were placed with the one before.

use events::UserProfileUpdated;
use kernel::Version;
use service::{Committed, Delivery, Failure};

use crate::account_timers::FOLLOW_ACCOUNT;
use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserProfileUpdated>) -> Result<Committed, Failure> {
    let event = &delivery.event;
    let batch = store::put_user(event.user_id, &event.email, Version::from_stored(event.version));
    let batch = batch.and(FOLLOW_ACCOUNT.set(event.user_id, ctx.clock.now()));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
