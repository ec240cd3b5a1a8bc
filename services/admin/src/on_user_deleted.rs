//! A user closed their account: it is banned no more, and why it was is forgotten.

use events::UserDeleted;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

/// Bans of one account that are deleted at the most: more than anybody ever made.
const BANS_MAX: i64 = 1_000;

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserDeleted>) -> Result<Committed, Failure> {
    let UserDeleted { user_id, version } = delivery.event;
    let bans = store::bans(&ctx.db, user_id, BANS_MAX).await?;
    let batch = bans.iter().fold(store::close(user_id, version), |batch, ban| batch.and(store::delete_ban(ban)));
    Ok(ctx.commit(batch, delivery.cause()).await?)
}
