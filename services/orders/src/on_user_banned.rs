//! A customer is banned: the open orders of the account are cancelled.

use events::UserBanned;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::account_timers::CANCEL_OF_BANNED;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserBanned>) -> Result<Committed, Failure> {
    let batch = CANCEL_OF_BANNED.set(delivery.event.user_id, ctx.clock.now());
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
