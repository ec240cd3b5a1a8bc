//! A user closed their account: nothing more is kept of what is delivered to it, and its reviews become nobody's.

use events::UserDeleted;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::store::{self, reviews};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserDeleted>) -> Result<Committed, Failure> {
    let user_id = delivery.event.user_id;
    let batch = reviews::close_account(user_id).schedule(store::FORGET_REVIEWER.name, user_id, ctx.clock.now());
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
