//! A customer is banned: the open orders of the account are cancelled.

use events::UserBanned;
use kernel::SignedDuration;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

/// The time after which nothing that was let in before the ban is still to be committed: far longer than a request may
/// take.
const NOBODY_IS_IN_AFTER: SignedDuration = SignedDuration::from_mins(2);

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserBanned>) -> Result<Committed, Failure> {
    let (user_id, now) = (delivery.event.user_id, ctx.clock.now());
    let batch = Batch::new().schedule(store::CANCEL_OF_BANNED.name, user_id, now).schedule(
        store::CANCEL_LATE_OF_BANNED.name,
        user_id,
        now + NOBODY_IS_IN_AFTER,
    );
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
